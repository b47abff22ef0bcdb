/**
 * K-Medoids for every k of a range, in worker threads that share one distance matrix. A trial depends on its k alone, so
 * the result is the same for any number of threads.
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Report } from '../../shared/progress';
import { greedyMedoids, kMedoids, type Medoids } from './kMedoids';
import { silhouette } from './silhouette';

export interface Trial extends Medoids {
  readonly k: number;
  readonly silhouette: number;
}

/** What all trials of a sweep have in common; `distances` should lie in a SharedArrayBuffer, or every thread gets a copy. */
export interface SweepInput {
  /** [n, n] */
  readonly distances: Float32Array;
  readonly n: number;
  /** [largest k] of `greedyMedoids` */
  readonly greedy: Int32Array;
  readonly seed: number;
}

export interface SweepOptions {
  readonly seed: number;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

/**
 * @param ks ascending, each in 1..n
 * @returns the trials in the order of `ks`
 * @throws the signal's reason when it is aborted
 */
export async function sweepClusters(distances: Float32Array, n: number, ks: readonly number[], options: SweepOptions): Promise<Trial[]> {
  const { seed, report, signal } = options;
  const input: SweepInput = { distances, n, greedy: greedyMedoids(distances, n, Math.max(...ks)), seed };
  const trials: Trial[] = [];
  const finish = (trial: Trial) => {
    trials.push(trial);
    report?.({ type: 'progress', phase: 'cluster', done: trials.length, total: ks.length, unit: 'clusterings' });
  };
  report?.({ type: 'progress', phase: 'cluster', done: 0, total: ks.length, unit: 'clusterings' });
  // The largest first: they take longest, and no thread should be left with one at the end.
  const queue = ks.toReversed();
  await (worthThreads(n, ks.length) ? inThreads : inProcess)(input, queue, finish, signal);
  return trials.sort((a, b) => a.k - b.k);
}

/** One clustering and its silhouette. */
export function tryClusters({ distances, n, greedy, seed }: SweepInput, k: number): Trial {
  const medoids = kMedoids(distances, n, k, greedy, seed);
  return { k, silhouette: silhouette(distances, n, medoids.assignment, k), ...medoids };
}

/** The trial with the best silhouette, ties to the smaller k. */
export function bestTrial(trials: readonly Trial[]): Trial {
  return trials.reduce((best, trial) => (trial.silhouette > best.silhouette ? trial : best));
}

type Run = (input: SweepInput, queue: number[], finish: (trial: Trial) => void, signal?: AbortSignal) => Promise<void>;

const inProcess: Run = async (input, queue, finish, signal) => {
  for (let k = queue.shift(); k !== undefined; k = queue.shift()) {
    await nextTurn();
    signal?.throwIfAborted();
    finish(tryClusters(input, k));
  }
};

const inThreads: Run = async (input, queue, finish, signal) => {
  signal?.throwIfAborted();
  const count = Math.min(availableParallelism(), queue.length, maximumThreads);
  const threads = Array.from({ length: count }, () => new Worker(entry, { workerData: input }));
  try {
    await Promise.all(
      threads.map(async (thread) => {
        for (let k = queue.shift(); k !== undefined; k = queue.shift()) {
          thread.postMessage(k);
          const [trial] = (await once(thread, 'message', { signal })) as [Trial];
          finish(trial);
        }
      }),
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
};

/** A thread takes some 50 ms to start; run from TypeScript, as tests are, there is no bundled entry for it. */
function worthThreads(n: number, trials: number): boolean {
  return n * n * trials > 5e7 && !import.meta.url.endsWith('.ts');
}

/** More only wait for memory. */
const maximumThreads = 8;

const entry = new URL('./clusterThread.js', import.meta.url);
