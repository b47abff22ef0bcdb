import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RavlError, systemCode } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { jobsAlive, submittedJobs } from '../slurm/jobs';
import { removeLeftovers } from './atomic';
import { inputsChanged, runOnCluster, storageError, withStorageErrors } from './errors';
import { acquireLock, lockHolder } from './lock';
import { readRunFile, runFileVersion, writeRunFile, type RunFile } from './runFile';

export interface RunOptions {
  /** The folder of all runs, as a rule `.ravl/runs`. */
  readonly root: string;
  /** SHA-256 of everything that decides the result (see fingerprint.ts). */
  readonly fingerprint: string;
  readonly describe: Pick<RunFile, 'versions' | 'seed' | 'config' | 'inputs'> & Partial<Pick<RunFile, 'kind'>>;
  /** Start anew even where a run could be resumed. */
  readonly fresh?: boolean;
  /** Go on with the run in this folder and no other: for a Slurm job that does a part of it. Throws `run-inputs-changed` where it is not of this fingerprint. */
  readonly only?: string;
  /** Told which run it is as soon as it is open. */
  opened?(run: OpenedRun): void;
}

export type OpenedRun = Pick<Run, 'id' | 'folder' | 'resumed'>;

export interface Run {
  readonly id: string;
  readonly folder: string;
  /** Whether it goes on from an earlier, unfinished process. */
  readonly resumed: boolean;
  /** run.json as it stands. */
  current(): RunFile;
  update(changes: Partial<Pick<RunFile, 'device' | 'embedding' | 'timings'>>): Promise<void>;
  /** Runs a phase and adds its seconds to run.json, also when it throws. */
  timed<T>(phase: string, work: () => Promise<T>): Promise<T>;
  /** Leaves the run to Slurm jobs: its state stays `running`, and the lock is free for them. */
  handOver(): Promise<void>;
  /** Writes the final state and releases the lock. A lock is released even where the state cannot be written. */
  close(outcome: Outcome): Promise<void>;
}

export type Outcome = { state: 'complete' } | { state: 'interrupted' } | { state: 'failed'; error: unknown };

/** A run on disk: its run.json (a dead `running` read as `interrupted`), or why that cannot be read. */
export type RunEntry =
  | { readonly folder: string; readonly id: string; readonly file: RunFile }
  | { readonly folder: string; readonly id: string; readonly problem: RavlError };

/**
 * Opens a run, does the work and closes the run by how the work ended: complete; interrupted where `signal` was
 * aborted; failed with the error otherwise. The error is thrown on.
 */
export async function withRun<T>(options: RunOptions, report: Report, signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
  const run = await openRun(options, report);
  options.opened?.(openedRun(run));
  let result: T;
  try {
    result = await work(run);
  } catch (error) {
    // What stopped the work matters more than a state that could not be written.
    await run.close(signal.aborted ? { state: 'interrupted' } : { state: 'failed', error }).catch(() => undefined);
    throw error;
  }
  await run.close({ state: 'complete' });
  return result;
}

/** Writes how a run ended that was left to Slurm jobs, unless they have done so themselves. Throws `run-busy` and storage errors. */
export async function settleRun(folder: string, outcome: Outcome, report: Report): Promise<void> {
  const lock = await acquireLock(folder, report);
  try {
    const file = await readRunFile(folder);
    if (file?.state === 'running') await writeRunFile(folder, { ...file, ...endOf(outcome) });
  } finally {
    await lock.release();
  }
}

export const openedRun = ({ id, folder, resumed }: OpenedRun): OpenedRun => ({ id, folder, resumed });

/** The folder in a run in which processes of their own are told what to do, and log. */
export const launchFolder = (run: string) => join(run, 'launch');

/** Whether a process or a Slurm job is at work on a run; one that nobody can see from here counts. */
export const isAtWork = async (folder: string): Promise<boolean> => (await lockHolder(folder)) !== null || (await jobsAlive(launchFolder(folder))) !== false;

/**
 * Resumes the newest unfinished run of the same fingerprint, and says so, or creates a run with the id
 * `YYYYMMDD-HHMMSS-<6 hex of the fingerprint>` (UTC). Throws `run-busy` where another process works on it, and storage errors.
 */
export async function openRun(options: RunOptions, report: Report): Promise<Run> {
  if (options.only !== undefined) return await resumeRun(options.only, options, report);
  await withStorageErrors(options.root, () => mkdir(options.root, { recursive: true }));
  const entries = await listRuns(options.root);
  if (!options.fresh) {
    const found = entries.find((entry) => 'file' in entry && entry.file.fingerprint === options.fingerprint && entry.file.state !== 'complete');
    if (found) return await resumeRun(found.folder, options, report);
    for (const entry of entries) {
      if ('problem' in entry) report({ type: 'note', level: 'warning', text: `Run ${entry.id} is passed over: ${entry.problem.message}` });
    }
  }
  return await createRun(options, entries, report);
}

/** All runs of a folder, newest first (by the order of creation, whatever the clock said). A missing folder has none. */
export async function listRuns(root: string): Promise<RunEntry[]> {
  const entries: RunEntry[] = [];
  for (const id of await folderNames(root)) {
    const entry = await readRun(join(root, id));
    if (entry) entries.push(entry);
  }
  return entries.sort((a, b) => sequenceOf(b) - sequenceOf(a) || (a.id < b.id ? 1 : -1));
}

/** The run in a folder; null where there is none. */
export async function readRun(folder: string): Promise<RunEntry | null> {
  const id = basename(folder);
  try {
    const file = await readRunFile(folder);
    if (!file) return null;
    const dead = file.state === 'running' && !(await isAtWork(folder));
    return { folder, id, file: dead ? { ...file, state: 'interrupted' } : file };
  } catch (error) {
    if (!(error instanceof RavlError)) throw error;
    return { folder, id, problem: error };
  }
}

async function resumeRun(folder: string, options: RunOptions, report: Report): Promise<Run> {
  const lock = await acquireLock(folder, report);
  try {
    const before = await readRunFile(folder);
    if (options.only === undefined) {
      const working = await jobsAlive(launchFolder(folder));
      if (working) throw runOnCluster(basename(folder), (await submittedJobs(launchFolder(folder))).map(({ id }) => id));
    } else if (before?.fingerprint !== options.fingerprint) throw inputsChanged(basename(folder));
    await removeLeftovers(folder);
    if (!before || before.state === 'complete') {
      // Another process finished it between our look and our lock.
      await lock.release();
      return await openRun(options, report);
    }
    const how = before.state === 'failed' ? `failed (${before.error?.message.replace(/\.$/, '') ?? 'for an unknown reason'})` : 'was interrupted';
    report({ type: 'note', level: 'info', text: `Resuming run ${before.id}, which ${how}.` });
    return await start(folder, { ...before, ...options.describe, state: 'running', error: null }, true, lock.release);
  } catch (error) {
    await lock.release().catch(() => undefined);
    throw error;
  }
}

async function createRun(options: RunOptions, entries: readonly RunEntry[], report: Report): Promise<Run> {
  const created = new Date().toISOString();
  const stamp = created.slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  const id = await makeFolder(options.root, `${stamp}-${options.fingerprint.slice(0, 6)}`);
  const folder = join(options.root, id);
  const file: RunFile = {
    version: runFileVersion,
    kind: 'analyze',
    id,
    sequence: 1 + Math.max(0, ...entries.map(sequenceOf)),
    created,
    fingerprint: options.fingerprint,
    state: 'running',
    device: null,
    embedding: null,
    ...options.describe,
    timings: {},
    error: null,
  };
  try {
    const { release } = await acquireLock(folder, report);
    return await start(folder, file, false, release);
  } catch (error) {
    // A folder without run.json is no run: nobody would ever clear it away.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

async function start(folder: string, file: RunFile, resumed: boolean, release: () => Promise<void>): Promise<Run> {
  let current = file;
  let written: Promise<void> = Promise.resolve();
  // One write after the other, so that the last state is the one that stays.
  const write = (changes: Partial<RunFile>) => {
    current = { ...current, ...changes };
    written = written.catch(() => undefined).then(() => writeRunFile(folder, current));
    return written;
  };
  await write({});
  return {
    id: file.id,
    folder,
    resumed,
    current: () => current,
    update: write,
    async timed(phase, work) {
      const from = performance.now();
      try {
        return await work();
      } finally {
        const seconds = (current.timings[phase] ?? 0) + (performance.now() - from) / 1000;
        await write({ timings: { ...current.timings, [phase]: Math.round(seconds * 1000) / 1000 } });
      }
    },
    async handOver() {
      await written;
      await release();
    },
    async close(outcome) {
      try {
        await write(endOf(outcome));
      } finally {
        await release();
      }
    },
  };
}

const endOf = (outcome: Outcome): Pick<RunFile, 'state' | 'error'> => ({ state: outcome.state, error: outcome.state === 'failed' ? errorRecord(outcome.error) : null });

function errorRecord(error: unknown): NonNullable<RunFile['error']> {
  if (error instanceof RavlError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), hint: 'This is a defect in RaVL.' };
}

const sequenceOf = (entry: RunEntry) => ('file' in entry ? entry.file.sequence : 0);

async function folderNames(root: string): Promise<string[]> {
  try {
    return (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw storageError(error, root);
  }
}

/** Makes a folder that was not there; `name-2`, `name-3`, … where the name is taken. */
async function makeFolder(root: string, name: string): Promise<string> {
  for (let copy = 1; ; copy++) {
    const id = copy === 1 ? name : `${name}-${copy}`;
    try {
      await mkdir(join(root, id));
      return id;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw storageError(error, join(root, id));
    }
  }
}
