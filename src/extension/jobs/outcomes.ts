import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';
import type { Context, Job } from '../context';
import { type Action, isCancellation, showError } from '../messages';
import { commands } from '../names';
import { jobInWords } from '../runs/runWords';

/** Tells the person how jobs go: the panel that follows a training, the panel with the answer, or what went wrong. */
export function announceJobs(context: Pick<Context, 'jobs' | 'runs' | 'panels' | 'log'>): vscode.Disposable {
  const { jobs, runs, panels, log } = context;
  const followed = new Set<Job>();
  return jobs.onDidChange((job) => {
    if (job.spec.kind === 'fineTune' && job.run && job.state === 'running' && !followed.has(job)) {
      followed.add(job);
      const { folder } = job.run;
      // The panel's title is that of the run, which is a moment old.
      runs.refresh().catch(() => undefined).then(() => panels.openTraining(folder)).catch((error: unknown) => showError(log, error));
    }
    if (job.state === 'complete' || job.state === 'failed' || job.state === 'cancelled') {
      followed.delete(job);
      log.info(`${jobInWords(job.spec)} of ${job.spec.title}: ${job.state}.`);
    }
    if (job.state === 'complete') openAnswer(job, panels).catch((error: unknown) => showError(log, error));
    if (job.state === 'failed') job.done.catch((error: unknown) => showFailure(context, job, error));
  });
}

async function openAnswer(job: Job, panels: Context['panels']): Promise<void> {
  const result = await job.done;
  if (job.spec.kind === 'compare' && 'folder' in result) await panels.openComparison(result.folder);
  else if (!('run' in result)) return;
  else if (job.spec.kind === 'analyze') await panels.openFindings(result.run.folder);
  else await panels.openComparison(result.run.folder);
}

async function showFailure({ jobs, log }: Pick<Context, 'jobs' | 'log'>, job: Job, error: unknown): Promise<void> {
  if (isCancellation(error)) return;
  const code = error instanceof RavlError ? error.code : '';
  const { spec, run } = job;
  const actions: Action[] = [];
  // A death or a full disk can be gone on from; of a wrong input, the run that is there is of no use.
  if (run && /^(worker|run|device)-|^runtime-out-of-memory$/.test(code)) {
    actions.push({ title: vscode.l10n.t('Resume'), run: () => vscode.commands.executeCommand(commands.resumeRun, { folder: run.folder }) });
  }
  if ((spec.kind === 'fineTune' || spec.kind === 'plan') && needAnalysis.has(code)) {
    const { config, baseDir, root } = spec.params;
    actions.push({ title: vscode.l10n.t('Analyze'), run: () => jobs.start<'analyze'>({ kind: 'analyze', title: spec.title, params: { config, baseDir, root } }) });
  }
  await showError(log, error, actions);
}

/** What another analysis mends: there is none, or none of the checkpoint and the data as they are now. */
const needAnalysis = new Set(['mitigation-no-discovery', 'mitigation-other-checkpoint', 'mitigation-data-changed']);
