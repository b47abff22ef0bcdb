/** An analysis as Slurm jobs: an array embeds the shards, a job that depends on it does the rest, and this process only watches. */
import { join } from 'node:path';
import type { SlurmConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { liveJobs, submitLaunch, watchJobs, type SubmittedJob } from '../launcher/cluster';
import { withoutResult } from '../launcher/errors';
import { readRunFile } from '../run/runFile';
import { launchFolder, listRuns, openedRun, openRun, settleRun, type OpenedRun } from '../run/runFolder';
import { analysisLaunch, shardProgress, shardsOf, type ShardProgress } from './analysisLaunch';
import type { AnalyzeRequest, AnalyzeResult, Prepared } from './analyzeRequest';
import { imagesIn, missingShards } from './embedImages';
import { readFindings } from './readFindings';

/**
 * Submits what is missing of a run, or waits for the jobs of an earlier process that are still at it. A process that is killed here
 * leaves the jobs running; one whose `signal` is aborted cancels them and leaves a run that can be resumed.
 * Throws what a task threw, RavlError `launcher-*`, and storage errors.
 */
export async function analyzeOnCluster(request: AnalyzeRequest, slurm: SlurmConfig, prepared: Prepared, report: Report, signal: AbortSignal): Promise<AnalyzeResult> {
  const total = prepared.data.table.files.length;
  const { run, jobs, progress } = (await attached(prepared, report)) ?? (await submitted(request, slurm, prepared, report, signal));
  try {
    await watchJobs(launchFolder(run.folder), jobs, { report, signal, looked: progress.looked });
    const result = await resultOf(run);
    progress.complete();
    const skipped = total - result.findings.images;
    const logs = join(launchFolder(run.folder), 'logs');
    if (skipped > 0) report({ type: 'note', level: 'warning', text: `${skipped} of ${total} images could not be read and are left out; the logs in ${logs} name them.` });
    return result;
  } catch (error) {
    // What stopped the work matters more than a state that could not be written.
    await settleRun(run.folder, signal.aborted ? { state: 'interrupted' } : { state: 'failed', error }, report).catch(() => undefined);
    throw error;
  }
}

interface Watched {
  readonly run: OpenedRun;
  readonly jobs: readonly SubmittedJob[];
  readonly progress: ShardProgress;
}

/** The unfinished run of the same inputs, where its jobs are alive. */
async function attached({ runOptions, data }: Prepared, report: Report): Promise<Watched | null> {
  if (runOptions.fresh) return null;
  const found = (await listRuns(runOptions.root)).find((entry) => 'file' in entry && entry.file.fingerprint === runOptions.fingerprint && entry.file.state !== 'complete');
  const jobs = found ? await liveJobs(launchFolder(found.folder)) : null;
  if (!found || !jobs) return null;
  const run = { id: found.id, folder: found.folder, resumed: true };
  runOptions.opened?.(run);
  report({ type: 'note', level: 'info', text: `Slurm jobs ${jobs.map(({ id }) => id).join(', ')} are at work on run ${run.id}; waiting for them.` });
  return { run, jobs, progress: shardProgress(run.folder, data.table.files.length, 0, report) };
}

/** Opens the run, submits what is missing, and leaves the run to the jobs. */
async function submitted(request: AnalyzeRequest, slurm: SlurmConfig, { runOptions, data }: Prepared, report: Report, signal: AbortSignal): Promise<Watched> {
  const total = data.table.files.length;
  const run = await openRun(runOptions, report);
  runOptions.opened?.(openedRun(run));
  try {
    const missing = await missingShards(shardsOf(run.folder), total, report);
    const progress = shardProgress(run.folder, total, total - imagesIn(missing, total), report);
    const jobs = await submitLaunch(analysisLaunch(request, run, runOptions.fingerprint, missing, true), slurm, { report, signal });
    await run.handOver();
    return { run: openedRun(run), jobs, progress };
  } catch (error) {
    await run.close(signal.aborted ? { state: 'interrupted' } : { state: 'failed', error }).catch(() => undefined);
    throw error;
  }
}

/** What the last job has written. */
async function resultOf(run: OpenedRun): Promise<AnalyzeResult> {
  const file = await readRunFile(run.folder);
  if (file?.state !== 'complete' || !file.device) throw withoutResult(join(launchFolder(run.folder), 'logs'));
  return { run, device: file.device, findings: await readFindings(run.folder), reportFile: join(run.folder, 'report.html') };
}
