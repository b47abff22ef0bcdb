import { stat } from 'node:fs/promises';
import type { Box } from '../../shared/boxes';
import type { Thumbnail } from '../../shared/runQueries';
import { openPictureCache } from './pictureCache';
import { imageThumbnail, regionThumbnail } from './pictures';

/** A thumbnail to make: of the whole image, or of what a box cuts out. */
export interface Wanted {
  /** Finds the file; may throw. */
  file(): Promise<string>;
  readonly box: Box | null;
}

export interface Thumbnails {
  /** WebP in the order asked for; null where an image cannot be read. Throws the signal's reason once it is aborted. */
  make(folder: string, wanted: readonly Wanted[], signal: AbortSignal): Promise<(Thumbnail | null)[]>;
}

/** Decoded at a time, over all questions: each takes a core. */
const concurrent = 2;
/** Counts up whenever the same image gives other pictures than before. */
const version = 1;

/** Makes thumbnails and keeps up to `cacheBytes` of them with each run. */
export function openThumbnails(cacheBytes: number): Thumbnails {
  const cache = openPictureCache(cacheBytes);
  const turn = atMost(concurrent);
  return {
    make: (folder, wanted, signal) =>
      Promise.all(
        wanted.map(async ({ file: find, box }) => {
          try {
            const file = await find();
            const { mtimeMs, size } = await stat(file);
            return await cache.get(folder, JSON.stringify([version, file, mtimeMs, size, box]), () =>
              turn(() => {
                signal.throwIfAborted();
                return box ? regionThumbnail(file, box) : imageThumbnail(file);
              }),
            );
          } catch {
            signal.throwIfAborted();
            return null;
          }
        }),
      ),
  };
}

/** Lets so many pieces of work run at a time, in the order of asking. */
function atMost(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running === limit) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // The place is handed on, so that nobody takes it in between.
      if (next) next();
      else running--;
    }
  };
}
