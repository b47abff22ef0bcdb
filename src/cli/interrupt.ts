import type { EventEmitter } from 'node:events';

/**
 * Turns the first SIGINT or SIGTERM into an abort. The handlers leave at once, so that a second one meets the system's
 * own default and ends the process even while native code holds the event loop.
 */
export function interruptible(emitter: EventEmitter, onInterrupt: () => void): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const dispose = (): void => {
    for (const name of signals) emitter.off(name, stop);
  };
  const stop = (): void => {
    dispose();
    onInterrupt();
    controller.abort();
  };
  for (const name of signals) emitter.on(name, stop);
  return { signal: controller.signal, dispose };
}

const signals = ['SIGINT', 'SIGTERM'] as const;
