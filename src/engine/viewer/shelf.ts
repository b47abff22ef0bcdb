/**
 * A few things that are costly to open, kept while the files they were read from stay the same, the least recently asked for
 * given up first.
 */
export interface Shelf<T> {
  /** What lies under `key`, opened anew where `stamp` is another than last time. A failure is not kept. */
  get(key: string, stamp: string, open: () => Promise<T>): Promise<T>;
  clear(): void;
}

export function shelf<T>(most: number): Shelf<T> {
  const kept = new Map<string, { readonly stamp: string; readonly opened: Promise<T> }>();
  return {
    get(key, stamp, open) {
      const before = kept.get(key);
      const entry = before?.stamp === stamp ? before : { stamp, opened: open() };
      kept.delete(key);
      kept.set(key, entry);
      for (const oldest of kept.keys()) if (kept.size > most) kept.delete(oldest);
      return entry.opened.catch((error: unknown) => {
        if (kept.get(key) === entry) kept.delete(key);
        throw error;
      });
    },
    clear: () => kept.clear(),
  };
}
