import { liveJobs, submitLaunch, watchJobs } from './cluster';
import type { Launch, Launcher, Watch } from './launch';
import { runInPool } from './pool';

/**
 * Starts the tasks of a launch and waits for them: in processes of this machine, or as Slurm jobs. Jobs of the same folder that
 * are still alive (their watcher was killed) are waited for and not submitted again.
 *
 * Throws what the first task that failed has thrown, or RavlError `launcher-*`; the other tasks are stopped then, and once `signal`
 * is aborted, which throws `signal.reason` when none is left.
 */
export async function runLaunch(launch: Launch, launcher: Launcher, watch: Watch): Promise<void> {
  if (launcher.kind === 'pool') return runInPool(launch, launcher, watch);
  const alive = await liveJobs(launch.folder);
  if (alive) watch.report({ type: 'note', level: 'info', text: `Slurm jobs ${alive.map(({ id }) => id).join(', ')} are still at work on it; waiting for them.` });
  await watchJobs(launch.folder, alive ?? (await submitLaunch(launch, launcher, watch)), watch);
}
