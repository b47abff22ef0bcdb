import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { umapLayout, type LayoutInput } from './umapLayout';

/** What a layout thread tells: epochs done, or the layout. */
export type LayoutMessage = { readonly done: number } | { readonly layout: Float32Array };

/**
 * `umapLayout` in a thread of its own, so that the process goes on answering. `progress` is told the epochs done. Throws the
 * signal's reason once it is aborted.
 */
export async function layoutInThread(input: LayoutInput, progress: (epochs: number) => void, signal: AbortSignal): Promise<Float32Array> {
  signal.throwIfAborted();
  // Run from TypeScript, as tests are, there is no bundled entry for a thread.
  return import.meta.url.endsWith('.ts') ? inProcess(input, progress, signal) : inThread(input, progress, signal);
}

function inThread(input: LayoutInput, progress: (epochs: number) => void, signal: AbortSignal): Promise<Float32Array> {
  const thread = new Worker(entry, { workerData: input });
  return new Promise<Float32Array>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    thread.on('message', (message: LayoutMessage) => ('layout' in message ? resolve(message.layout) : progress(message.done)));
    thread.on('error', reject);
    thread.on('exit', (code) => {
      signal.removeEventListener('abort', stop);
      reject(new Error(`The layout thread ended with code ${code}.`));
    });
  }).finally(() => thread.terminate());
}

async function inProcess(input: LayoutInput, progress: (epochs: number) => void, signal: AbortSignal): Promise<Float32Array> {
  const steps = umapLayout(input);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    progress(step.value);
    await nextTurn();
    signal.throwIfAborted();
  }
}

const entry = new URL('./projectionThread.js', import.meta.url);
