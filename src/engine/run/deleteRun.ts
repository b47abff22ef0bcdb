import { randomUUID } from 'node:crypto';
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { jobsAlive, submittedJobs } from '../slurm/jobs';
import { notARun, runInUse, runOnCluster, withStorageErrors } from './errors';
import { acquireLock, lockHolder } from './lock';
import { launchFolder } from './runFolder';

/**
 * Deletes a run, a damaged one too, whole: it leaves the list in one step, and its files go then. Throws `run-unknown` for a
 * folder that is no run in a `.ravl/runs`, `run-busy` where a process works on it, and storage errors.
 */
export async function deleteRun(path: string): Promise<void> {
  const folder = resolve(path);
  const runs = dirname(folder);
  const ravl = dirname(runs);
  if (basename(runs) !== 'runs' || basename(ravl) !== '.ravl' || !(await isRun(folder))) throw notARun(folder);
  const holder = await lockHolder(folder);
  if (holder) throw runInUse(basename(folder), holder, holder.host === hostname());
  if (await jobsAlive(launchFolder(folder))) throw runOnCluster(basename(folder), (await submittedJobs(launchFolder(folder))).map(({ id }) => id));
  // From here on no process begins to work on it.
  const lock = await acquireLock(folder, () => undefined);
  // Beside the folder of runs, where it is in no list.
  const aside = join(ravl, `${asidePrefix}${randomUUID()}`);
  try {
    await withStorageErrors(folder, () => rename(folder, aside));
  } catch (error) {
    await lock.release();
    throw error;
  }
  // With what deletions left behind that were killed in the middle.
  for (const name of await withStorageErrors(ravl, () => readdir(ravl))) {
    if (name.startsWith(asidePrefix)) await withStorageErrors(join(ravl, name), () => rm(join(ravl, name), { recursive: true, force: true }));
  }
}

const asidePrefix = 'deleted-';

/** A link to a run elsewhere is none: what it leads to is not ours to delete. */
async function isRun(folder: string): Promise<boolean> {
  const [place, file] = await Promise.all([folder, join(folder, 'run.json')].map((path) => lstat(path).catch(() => null)));
  return place?.isDirectory() === true && file?.isFile() === true;
}
