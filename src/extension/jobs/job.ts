import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';
import { type Sample, addSample, recentRate } from '../../shared/pace';
import type { ProgressEvent } from '../../shared/progress';
import type { Client } from '../../shared/rpc';
import type { WorkerApi } from '../../shared/workerApi';
import type { Job, JobResults, JobSpec } from '../context';

/** What a job needs of the process that does its work. */
export interface JobWorker {
  readonly api: Pick<Client<WorkerApi>, JobSpec['kind'] | 'finish'>;
  /** Resolves once the process is gone, with the reason. */
  readonly ended: Promise<RavlError>;
  /** Ends the process at once. */
  dispose(): void;
}

export interface JobListeners {
  progress(event: ProgressEvent): void;
  run(run: { readonly id: string; readonly folder: string }): void;
}

export type StartWorker = (listeners: JobListeners) => Promise<JobWorker>;

export interface Clock {
  /** Milliseconds. */
  now(): number;
  after(milliseconds: number, work: () => void): { dispose(): void };
}

/**
 * How long a process that was asked to stop may take. Shards are written as they are finished, so that killing an analysis
 * costs one at most; a training saves its state once the step at hand is done, which is worth waiting for.
 */
const grace: Readonly<Record<JobSpec['kind'], number>> = { analyze: 1500, plan: 1500, evaluate: 1500, compare: 1500, fineTune: 30_000 };
/** Jobs of a cluster would go on: its controller must have been told, however long it takes to answer. */
const graceOf = (spec: JobSpec): number => (spec.kind === 'analyze' && spec.params.config.launcher?.kind === 'slurm' ? 30_000 : grace[spec.kind]);
/** Milliseconds between two reports of progress to views: they redraw at each. */
const changeEvery = 250;

/** One piece of work: waits in the queue until `work` is called, then has a process of its own. */
export class QueuedJob<K extends JobSpec['kind'] = JobSpec['kind']> implements Job<K> {
  state: Job['state'] = 'queued';
  run: Job['run'] = null;
  progress: Job['progress'] = null;
  eta: number | null = null;
  readonly done: Promise<JobResults[K]>;
  private readonly events = new vscode.EventEmitter<ProgressEvent>();
  readonly onEvent = this.events.event;
  private readonly stop = new AbortController();
  private readonly samples: Sample[] = [];
  private worker: JobWorker | undefined;
  private timer: { dispose(): void } | undefined;
  private changedAt = -Infinity;
  private readonly settle: { resolve(result: JobResults[K]): void; reject(reason: unknown): void };

  constructor(
    readonly id: number,
    readonly spec: Extract<JobSpec, { kind: K }>,
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {
    const { promise, resolve, reject } = promiseOf<JobResults[K]>();
    this.done = promise;
    this.settle = { resolve, reject };
    // How it ended is told to the person by announceJobs, whether or not anyone awaits it.
    promise.catch(() => undefined);
  }

  /** Does the work, in a process that `start` starts. Never rejects. */
  async work(start: StartWorker): Promise<void> {
    this.enter('running');
    try {
      const result = await this.call(start);
      this.enter('complete');
      this.settle.resolve(result);
    } catch (error) {
      const cancelled = this.stop.signal.aborted && isStop(error);
      this.enter(cancelled ? 'cancelled' : 'failed');
      this.settle.reject(cancelled ? this.stop.signal.reason : error);
    } finally {
      this.timer?.dispose();
      this.worker?.dispose();
      this.events.dispose();
    }
  }

  cancel(): void {
    if (this.state === 'queued') {
      this.stop.abort();
      this.enter('cancelled');
      this.settle.reject(this.stop.signal.reason);
    } else if (this.state === 'running') {
      this.enter('stopping');
      this.stop.abort();
      this.timer = this.clock.after(graceOf(this.spec), () => this.worker?.dispose());
    } else if (this.state === 'stopping') {
      // Who asks twice does not want to wait.
      this.worker?.dispose();
    }
  }

  finish(): void {
    if (this.state !== 'running' || this.spec.kind !== 'fineTune') return;
    this.worker?.api.finish({}).catch(() => undefined);
  }

  /** Ends the process at once: the window closes. */
  kill(): void {
    this.stop.abort();
    this.worker?.dispose();
  }

  private async call(start: StartWorker): Promise<JobResults[K]> {
    const worker = await start({ progress: (event) => this.heard(event), run: ({ id, folder }) => this.opened({ id, folder }) });
    this.worker = worker;
    const { signal } = this.stop;
    // After a cancellation the process may still be saving what it has: its answer says when it is done.
    const answer = worker.api[this.spec.kind](this.spec.params as never, { signal, untilAnswered: true }) as Promise<JobResults[K]>;
    const died = worker.ended.then((reason) => Promise.reject(reason));
    return Promise.race([answer, died]);
  }

  private opened(run: { readonly id: string; readonly folder: string }): void {
    this.run = run;
    this.changed();
  }

  private heard(event: ProgressEvent): void {
    if (event.type === 'progress') this.count(event);
    this.events.fire(event);
  }

  private count(event: Extract<ProgressEvent, { type: 'progress' }>): void {
    const now = this.clock.now();
    const next = event.phase !== this.progress?.phase || event.done < this.progress.done;
    if (next) this.samples.length = 0;
    this.progress = event;
    addSample(this.samples, { at: now, done: event.done });
    const rate = recentRate(this.samples);
    this.eta = rate === undefined ? null : Math.max(0, event.total - event.done) / rate;
    if (!next && event.done < event.total && now - this.changedAt < changeEvery) return;
    this.changedAt = now;
    this.changed();
  }

  private enter(state: Job['state']): void {
    this.state = state;
    this.changed();
  }
}

/** How work ends that was asked to stop; a full disk on the way is an error all the same. */
const isStop = (error: unknown): boolean => !(error instanceof RavlError) || ['cancelled', 'run-interrupted', 'worker-died', 'worker-stopped'].includes(error.code);

/** Promise.withResolvers, which Node 20 has not. */
function promiseOf<T>(): { promise: Promise<T>; resolve(value: T): void; reject(reason: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
