import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';
import type { Context, Job } from '../context';
import { type Action, isCancellation, showError } from '../messages';
import { commands } from '../names';
import { jobInWords } from '../runs/runWords';

/** Tells the person how jobs go: the panel that follows a training, the panel with the answer, or what went wrong. */
export function announceJobs({ jobs, panels, log }: Pick<Context, 'jobs' | 'panels' | 'log'>): vscode.Disposable {
  const followed = new Set<Job>();
  return jobs.onDidChange((job) => {
    if (job.spec.kind === 'fineTune' && job.run && job.state === 'running' && !followed.has(job)) {
      followed.add(job);
      panels.openTraining(job.run.folder).catch((error: unknown) => showError(log, error));
    }
    if (job.state === 'complete' || job.state === 'failed' || job.state === 'cancelled') {
      followed.delete(job);
      log.info(`${jobInWords(job.spec)} of ${job.spec.title}: ${job.state}.`);
    }
    if (job.state === 'complete') openAnswer(job, panels).catch((error: unknown) => showError(log, error));
    if (job.state === 'failed') job.done.catch((error: unknown) => showFailure(log, job, error));
  });
}

async function openAnswer(job: Job, panels: Context['panels']): Promise<void> {
  const result = await job.done;
  if (job.spec.kind === 'compare' && 'folder' in result) await panels.openComparison(result.folder);
  else if (!('run' in result)) return;
  else if (job.spec.kind === 'analyze') await panels.openFindings(result.run.folder);
  else await panels.openComparison(result.run.folder);
}

async function showFailure(log: vscode.LogOutputChannel, job: Job, error: unknown): Promise<void> {
  if (isCancellation(error)) return;
  await showError(log, error, resumable(job, error) ? [resume(job.run!.folder)] : []);
}

/** A death or a full disk can be gone on from; of a wrong input, the run that is there is of no use. */
const resumable = (job: Job, error: unknown): boolean => job.run !== null && error instanceof RavlError && /^(worker|run|device)-|^runtime-out-of-memory$/.test(error.code);

const resume = (folder: string): Action => ({ title: vscode.l10n.t('Resume'), run: () => vscode.commands.executeCommand(commands.resumeRun, { folder }) });
