import type { PanelApi } from '../shared/panelApi';
import type { Client } from '../shared/rpc';
import { thumbnailPage } from '../shared/runQueries';

export type ThumbnailKind = 'image' | 'region';

export interface LoadedThumbnail {
  /** A blob URL, good for as long as somebody wants it. */
  readonly url: string;
  /** Pixels that boxes count in. */
  readonly width: number;
  readonly height: number;
}

/** Small pictures by number. Who wants one is told when it is there (null: it cannot be had) and says when it is no longer wanted. */
export interface Thumbnails {
  want(kind: ThumbnailKind, id: number, there: (thumbnail: LoadedThumbnail | null) => void): () => void;
}

interface Entry {
  readonly key: string;
  readonly kind: ThumbnailKind;
  readonly id: number;
  readonly listeners: Set<(thumbnail: LoadedThumbnail | null) => void>;
  /** undefined until it came. */
  thumbnail?: LoadedThumbnail | null;
  /** The question it is part of, while that is under way. */
  page?: Page;
}
interface Page {
  readonly entries: readonly Entry[];
  readonly controller: AbortController;
}

/** Pictures that nobody looks at but that are kept, for scrolling back. */
const kept = 400;
/** Pages asked for at a time: what is scrolled to next need not wait behind many. */
const pagesAtATime = 2;

/**
 * Asks for what was wanted within a frame in pages of at most 64, the latest wanted first. A page that nobody waits for any
 * more is cancelled. Pictures that are not shown are let go, the longest unseen first.
 */
export function createThumbnails(api: Pick<Client<PanelApi>, 'thumbnails'>, frame: (work: () => void) => void = (work) => requestAnimationFrame(work)): Thumbnails {
  /** The longest unused first. */
  const entries = new Map<string, Entry>();
  const waiting = new Set<Entry>();
  const pages = new Set<Page>();
  let scheduled = false;

  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    frame(() => {
      scheduled = false;
      while (pages.size < pagesAtATime && waiting.size > 0) void ask();
    });
  };

  const ask = async () => {
    const newest = [...waiting].reverse();
    const page: Page = { entries: newest.filter(({ kind }) => kind === newest[0]!.kind).slice(0, thumbnailPage), controller: new AbortController() };
    pages.add(page);
    for (const entry of page.entries) {
      waiting.delete(entry);
      entry.page = page;
    }
    const question = { kind: page.entries[0]!.kind, ids: page.entries.map(({ id }) => id) };
    const pictures = await api.thumbnails(question, { signal: page.controller.signal }).catch(() => null);
    pages.delete(page);
    if (!page.controller.signal.aborted) {
      page.entries.forEach((entry, i) => {
        delete entry.page;
        // Without an answer (the worker is gone) it is asked again when it is next wanted.
        if (pictures === null) entries.delete(entry.key);
        else entry.thumbnail = loaded(pictures[i] ?? null);
        for (const tell of entry.listeners) tell(entry.thumbnail ?? null);
      });
      letGo(entries);
    }
    schedule();
  };

  return {
    want(kind, id, there) {
      const key = `${kind} ${id}`;
      const entry: Entry = entries.get(key) ?? { key, kind, id, listeners: new Set() };
      entries.delete(key);
      entries.set(key, entry);
      entry.listeners.add(there);
      if (entry.thumbnail !== undefined) there(entry.thumbnail);
      else if (!entry.page) {
        waiting.add(entry);
        schedule();
      }
      return () => {
        entry.listeners.delete(there);
        if (entry.listeners.size > 0) return;
        if (waiting.delete(entry)) entries.delete(key);
        else if (entry.page?.entries.every(({ listeners }) => listeners.size === 0)) {
          for (const { key } of entry.page.entries) entries.delete(key);
          entry.page.controller.abort();
        }
      };
    },
  };
}

const loaded = (picture: { bytes: Uint8Array; width: number; height: number } | null): LoadedThumbnail | null =>
  picture && { url: URL.createObjectURL(new Blob([picture.bytes as BlobPart], { type: 'image/webp' })), width: picture.width, height: picture.height };

function letGo(entries: Map<string, Entry>): void {
  const unseen = [...entries.values()].filter(({ listeners, thumbnail }) => listeners.size === 0 && thumbnail !== undefined);
  for (const { key, thumbnail } of unseen.slice(0, Math.max(0, unseen.length - kept))) {
    entries.delete(key);
    if (thumbnail) URL.revokeObjectURL(thumbnail.url);
  }
}
