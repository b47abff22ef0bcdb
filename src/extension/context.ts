import type * as vscode from 'vscode';
import type { CallOptions, Client } from '../shared/rpc';
import type { ProgressEvent } from '../shared/progress';
import type { ViewerQueries } from '../shared/runQueries';
import type { RunSummary } from '../shared/runSummary';
import type { AnalyzeDone, Compared, Evaluated, FineTuneDone, Plan, WorkerApi } from '../shared/workerApi';

/** What every part of the extension may use. Made once, by activate. */
export interface Context {
  readonly extension: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly viewer: Viewer;
  readonly jobs: Jobs;
  readonly runs: Runs;
  readonly panels: Panels;
}

/** The worker that answers questions about what is on disk. It is started with the first question and again after a death. */
export interface Viewer extends vscode.Disposable {
  /** A question about the run in `folder`. Rejects with the RavlError the worker met, or `signal.reason`. */
  view<K extends keyof ViewerQueries & string>(
    folder: string,
    query: K,
    params: Parameters<Client<ViewerQueries>[K]>[0],
    options?: CallOptions,
  ): ReturnType<Client<ViewerQueries>[K]>;
  /** Everything else that a worker knows and that is no job. */
  readonly api: Pick<Client<WorkerApi>, 'listRuns' | 'deleteRun' | 'tableColumns' | 'tableLabels' | 'inspect' | 'doctor'>;
  readonly onProgress: vscode.Event<{ readonly folder: string; readonly query: string; readonly done: number; readonly total: number }>;
}

type Params<K extends keyof WorkerApi> = Parameters<Client<WorkerApi>[K]>[0];

/** Work that takes long, and a process of its own. */
export type JobSpec =
  | { readonly kind: 'analyze'; readonly title: string; readonly params: Params<'analyze'> }
  | { readonly kind: 'fineTune'; readonly title: string; readonly params: Params<'fineTune'> }
  | { readonly kind: 'plan'; readonly title: string; readonly params: Params<'plan'> }
  | { readonly kind: 'evaluate'; readonly title: string; readonly params: Params<'evaluate'> }
  | { readonly kind: 'compare'; readonly title: string; readonly params: Params<'compare'> };

export interface JobResults {
  readonly analyze: AnalyzeDone;
  readonly fineTune: FineTuneDone;
  readonly plan: Plan;
  readonly evaluate: Evaluated;
  readonly compare: Compared;
}

export interface Job<K extends JobSpec['kind'] = JobSpec['kind']> {
  readonly id: number;
  readonly spec: Extract<JobSpec, { kind: K }>;
  readonly state: 'queued' | 'running' | 'stopping' | 'complete' | 'failed' | 'cancelled';
  /** The run on disk; null until the worker has opened it. */
  readonly run: { readonly id: string; readonly folder: string } | null;
  readonly progress: Extract<ProgressEvent, { type: 'progress' }> | null;
  /** Seconds to the end of the phase, from its pace; null until it can be told. */
  readonly eta: number | null;
  /**
   * Rejects with RavlError (`worker-died` when the process was killed: the run can be resumed), or an AbortError once cancelled.
   * Nobody needs to await it: the job tells the person itself how it ended.
   */
  readonly done: Promise<JobResults[K]>;
  /** Stops at the next batch or step; a process that does not is killed after a while. What was done can be resumed. */
  cancel(): void;
  /** Ends a training and keeps the best epoch. */
  finish(): void;
  /** Progress, notes and lines for a terminal. */
  readonly onEvent: vscode.Event<ProgressEvent>;
}

/** The queue: as many at a time as `ravl.parallelRuns` says (1), in the order of asking. */
export interface Jobs extends vscode.Disposable {
  start<K extends JobSpec['kind']>(spec: Extract<JobSpec, { kind: K }>): Job<K>;
  /** Queued and running ones, oldest first. */
  readonly active: readonly Job[];
  /** The active job that works on the run in `folder`. */
  of(folder: string): Job | undefined;
  /** A job was added, changed or ended. */
  readonly onDidChange: vscode.Event<Job>;
}

/** The runs of the workspace, as last read from disk. */
export interface Runs extends vscode.Disposable {
  /** Newest first, over all workspace folders and their `.ravl` folders. */
  readonly all: readonly RunSummary[];
  find(folder: string): RunSummary | undefined;
  /** Reads again; what changes on disk is also noticed without. */
  refresh(): Promise<readonly RunSummary[]>;
  readonly onDidChange: vscode.Event<void>;
}

export interface Panels extends vscode.Disposable {
  openFindings(folder: string, rank?: number): Promise<void>;
  openImage(folder: string, image: number, region?: number): Promise<void>;
  /** A fine-tuning run, or a folder that Compare wrote. */
  openComparison(folder: string): Promise<void>;
  openTraining(folder: string): Promise<void>;
}
