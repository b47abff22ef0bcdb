import { RavlError, systemCode } from '../../shared/errors';

/** A run's folder is held by a process that lives, or that cannot be looked at from here. */
export const runBusy = (run: string, holder: { pid: number; host: string }, lockFile: string, sameHost: boolean) =>
  new RavlError(
    'run-busy',
    `Another RaVL process (pid ${holder.pid}${sameHost ? '' : ` on ${holder.host}`}) is working on run ${run}.`,
    `Wait for it to end, or start a run of its own with --fresh. If there is no such process any more, delete ${lockFile}.`,
  );

export const notARun = (folder: string) =>
  new RavlError('run-unknown', `${folder} is no run of RaVL, so it is not deleted.`, 'Runs lie in .ravl/runs; look at the list again.');

export const runInUse = (run: string, holder: { pid: number; host: string }, sameHost: boolean) =>
  new RavlError(
    'run-busy',
    `A RaVL process (pid ${holder.pid}${sameHost ? '' : ` on ${holder.host}`}) is working on run ${run}, so it is not deleted.`,
    'Cancel it first, or wait for it to end.',
  );

/** Slurm jobs that an earlier process submitted wait or run. */
export const runOnCluster = (run: string, jobs: readonly string[]) =>
  new RavlError(
    'run-busy',
    `Slurm jobs (${jobs.join(', ')}) are at work on run ${run}.`,
    `Run it with the launcher slurm to wait for them, cancel them with scancel ${jobs.join(' ')}, or start a run of its own with --fresh.`,
  );

export const inputsChanged = (run: string) =>
  new RavlError(
    'run-inputs-changed',
    `The checkpoint, the data or RaVL itself has changed since the tasks of run ${run} were submitted, or is not the same on every machine.`,
    'Run it again: it starts anew with what is there now.',
  );

export const newerVersion = (file: string, version: number) =>
  new RavlError(
    'run-newer-version',
    `${file} was written by a newer version of RaVL (format ${version}).`,
    'Update RaVL to read it, or start a new run in another folder.',
  );

export const damagedArtifact = (file: string, what: string) =>
  new RavlError('run-artifact-damaged', `${file} is damaged: ${what}.`, 'Delete it and run again; RaVL computes it anew.');

export const verdictsDamaged = (file: string, what: string) =>
  new RavlError('run-verdicts-damaged', `${file} is damaged: ${what}.`, "It holds your verdicts on this run's findings: mend it, or delete it to start anew.");

const diskFull = (path: string, cause: unknown) =>
  new RavlError('run-disk-full', `The disk is full: ${path} could not be written.`, 'Free some space and run again; what was finished is kept and the run resumes.', { cause });

const noPermission = (path: string, cause: unknown) =>
  new RavlError('run-no-permission', `RaVL may not write ${path}.`, 'Grant write permission on its folder, or choose another one with --out.', { cause });

const readOnly = (path: string, cause: unknown) =>
  new RavlError('run-read-only', `${path} lies on a read-only file system.`, 'Choose another folder with --out.', { cause });

const diskFault = (path: string, cause: unknown) =>
  new RavlError('run-disk-fault', `The disk reported an error at ${path}.`, 'Check the disk, then run again; what was finished is kept and the run resumes.', { cause });

const notAFolder = (path: string, cause: unknown) =>
  new RavlError('run-not-a-folder', `${path} cannot be written because a file stands where a folder is needed.`, 'Move that file away, or choose another folder with --out.', { cause });

const storageFailed = (path: string, code: string, cause: unknown) =>
  new RavlError('run-storage-failed', `${path} could not be read or written (${code}).`, 'Check that its folder exists and can be written, then run again; the run resumes.', { cause });

/** The sentence for a failed file operation on `path`; whatever did not come from the file system is returned as it is. */
export function storageError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (error instanceof RavlError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return diskFull(path, error);
    case 'EACCES':
    case 'EPERM':
      return noPermission(path, error);
    case 'EROFS':
      return readOnly(path, error);
    case 'EIO':
      return diskFault(path, error);
    case 'ENOTDIR':
    case 'EEXIST':
      return notAFolder(path, error);
    default:
      return storageFailed(path, code, error);
  }
}

/** Runs a file operation on `path` and turns its failure into a sentence. */
export async function withStorageErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, path);
  }
}
