/**
 * Thumbnails on disk, in `cache/pictures` of the run's folder, under a hash of what they show: a file is the width and height
 * that the thumbnail was made of (uint32, little-endian) and then its WebP. Losing one costs a moment, so
 * nothing is synced, and whatever cannot be written (a read-only folder, a full disk) is simply not kept.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Thumbnail } from '../../shared/runQueries';

export interface PictureCache {
  /** The picture under `key` in the cache of `folder`, made where it is not there. Errors of `make` are thrown on. */
  get(folder: string, key: string, make: () => Promise<Thumbnail>): Promise<Thumbnail>;
}

/** `mostBytes` bounds each folder's cache: beyond it, the pictures longest not asked for are removed. */
export function openPictureCache(mostBytes: number): PictureCache {
  const folders = new Map<string, Promise<Held>>();
  const heldIn = (folder: string) => {
    const held = folders.get(folder) ?? listed(picturesOf(folder));
    folders.set(folder, held);
    return held;
  };
  return {
    async get(folder, key, make) {
      const name = `${createHash('sha256').update(key).digest('hex').slice(0, 40)}.thumb`;
      const file = join(picturesOf(folder), name);
      const held = await heldIn(folder);
      const found = await readFile(file).catch(() => null);
      if (found && isWhole(found)) {
        held.touch(name, found.length);
        return { bytes: new Uint8Array(found.subarray(head)), width: found.readUInt32LE(0), height: found.readUInt32LE(4) };
      }
      const made = await make();
      const content = Buffer.alloc(head + made.bytes.length);
      content.writeUInt32LE(made.width, 0);
      content.writeUInt32LE(made.height, 4);
      content.set(made.bytes, head);
      if (content.length <= mostBytes && (await written(picturesOf(folder), file, content))) {
        held.touch(name, content.length);
        for (const old of held.beyond(mostBytes)) await rm(join(picturesOf(folder), old), { force: true }).catch(() => undefined);
      }
      return made;
    },
  };
}

/** Bytes before the WebP. */
const head = 8;

const picturesOf = (folder: string) => join(folder, 'cache', 'pictures');

/** The pictures of a folder with their sizes, the longest untouched first. */
interface Held {
  touch(name: string, bytes: number): void;
  /** Takes out what has to go for the rest to stay well below `most` bytes. */
  beyond(most: number): string[];
}

async function listed(pictures: string): Promise<Held> {
  const names = await readdir(pictures).catch(() => []);
  const found = await Promise.all(names.map(async (name) => ({ name, stats: await stat(join(pictures, name)).catch(() => null) })));
  const sizes = new Map(found.filter(({ stats }) => stats !== null).sort((a, b) => a.stats!.mtimeMs - b.stats!.mtimeMs).map(({ name, stats }) => [name, stats!.size]));
  let total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  return {
    touch(name, bytes) {
      total += bytes - (sizes.get(name) ?? 0);
      sizes.delete(name);
      sizes.set(name, bytes);
    },
    beyond(most) {
      const gone: string[] = [];
      if (total <= most) return gone;
      for (const [name, bytes] of sizes) {
        // Some room at once, so that not every further picture removes another.
        if (total <= 0.9 * most) break;
        sizes.delete(name);
        total -= bytes;
        gone.push(name);
      }
      return gone;
    },
  };
}

async function written(pictures: string, file: string, bytes: Uint8Array): Promise<boolean> {
  const temporary = join(pictures, `.${randomUUID()}`);
  try {
    await mkdir(pictures, { recursive: true });
    await writeFile(temporary, bytes, { flag: 'wx' });
    await rename(temporary, file);
    return true;
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
    return false;
  }
}

/** WebP says how long it is; after a power cut a renamed file may be shorter, or zeros. */
const isWhole = (bytes: Buffer) => bytes.length >= head + 12 && bytes.toString('latin1', head, head + 4) === 'RIFF' && head + bytes.readUInt32LE(head + 4) + 8 === bytes.length;
