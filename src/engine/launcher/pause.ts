import { setTimeout as sleep } from 'node:timers/promises';

/** Pauses between looks: short at first, so that short work is not waited for, then longer, so that nobody is asked too often. */
export function growingPauses(signal?: AbortSignal, from = 1000, to = 10_000): () => Promise<void> {
  let next = from;
  return async () => {
    // Whoever is woken by the signal looks at it.
    await sleep(next, undefined, signal ? { signal } : {}).catch(() => undefined);
    next = Math.min(to, next * 1.5);
  };
}
