/**
 * Work in several processes. A launch is a folder with task.json, what is to be done as plain data, and stages of tasks; a task is
 * a process of its own, `node cli.js task <folder> <stage> <index>`, that reads task.json and does its share. Tasks speak through
 * files that are written whole or not at all, so one that is lost is simply started again.
 */
import type { LauncherConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';

export interface Launch {
  /** How people find its jobs. */
  readonly name: string;
  /** Absolute, on a disk that every node sees; task.json, logs and what failed lie here. Of one launch at a time. */
  readonly folder: string;
  /** In order; none begins before every task of the one before has ended well. */
  readonly stages: readonly LaunchStage[];
  readonly task: Task;
  /** What starts a task, when `task <folder> <stage> <index>` is added; the command line beside this file when left out. */
  readonly command?: readonly string[];
}

export interface LaunchStage {
  /** Lower-case letters and dashes: a part of file names. */
  readonly name: string;
  /** How many, `mostTasks` at most; a task knows itself by its index from 0. A stage without tasks is passed over. */
  readonly tasks: number;
}

/** Most tasks of a stage: Slurm's default for MaxArraySize is 1001. */
export const mostTasks = 1000;

/** What task.json holds: which part of the engine is asked, and what; that part checks its request when it reads it. */
export interface Task {
  readonly kind: 'analyze' | 'benchmark';
  readonly request: unknown;
}

export interface Watch {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Called over and over while tasks are at work, to look at what they have written and report it. Never two at a time. */
  looked?(): Promise<void>;
}

/** Where tasks are started, other than in this process. */
export type Launcher = Exclude<LauncherConfig, { kind: 'local' }>;
