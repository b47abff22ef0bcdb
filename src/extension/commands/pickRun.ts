import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Context, Job } from '../context';
import { RavlError } from '../../shared/errors';
import { ActionableError } from '../messages';
import { commands } from '../names';
import { iconless, jobInWords, kindInWords, progressInWords, stateInWords, timeInWords, topInWords, worstGroupInWords } from '../runs/runWords';

/** What a command on runs was called with: a row of the view or { folder }; undefined in the palette. */
export type RunTarget = { readonly folder?: string; readonly job?: Job | undefined } | undefined;

/** The runs that a target or the person names; undefined where they name none. Throws RavlError `run-none`, `run-missing`. */
export async function pickRun(runs: Context['runs'], target: RunTarget, placeHolder: string, fits: (run: RunSummary) => boolean = () => true): Promise<RunSummary | undefined> {
  if (target?.folder !== undefined) return runs.find(target.folder) ?? (await runs.refresh()).find(({ folder }) => folder === target.folder) ?? notThere(target.folder);
  const fitting = await fittingRuns(runs, fits);
  return (await vscode.window.showQuickPick(fitting.map(runItem), { title: 'RaVL', placeHolder, matchOnDescription: true, matchOnDetail: true }))?.run;
}

export async function fittingRuns(runs: Context['runs'], fits: (run: RunSummary) => boolean): Promise<RunSummary[]> {
  const fitting = (runs.all.length > 0 ? runs.all : await runs.refresh()).filter(fits);
  if (fitting.length === 0) throw noRuns();
  return fitting;
}

export const runItem = (run: RunSummary): vscode.QuickPickItem & { run: RunSummary } => ({
  label: `${kindInWords(run.kind)}: ${iconless(shown(basename(run.checkpoint)))}`,
  description: [timeInWords(run.created), ...(run.state === 'complete' ? [] : [stateInWords(run)])].join(', '),
  detail: iconless([topInWords(run), worstGroupInWords(run)].filter((fact) => fact !== null).join(', ')),
  run,
});

/** The newest finished analysis of the same images, and of the same checkpoint if there is one. */
export function analysisOf(all: readonly RunSummary[], { baseDir, validation, checkpoint }: Pick<RunSummary, 'baseDir' | 'validation' | 'checkpoint'>): RunSummary | undefined {
  const analyses = all.filter((run) => run.kind === 'analyze' && run.state === 'complete' && run.baseDir === baseDir && run.validation === validation);
  return analyses.find((run) => run.checkpoint === checkpoint) ?? analyses[0];
}

/** The active job that a target or the person means. Throws RavlError `run-not-active`. */
export async function pickJob(jobs: Context['jobs'], target: RunTarget, placeHolder: string, fits: (job: Job) => boolean = () => true): Promise<Job | undefined> {
  const named = target?.job ?? (target?.folder === undefined ? undefined : jobs.of(target.folder));
  const active = target === undefined ? jobs.active.filter(fits) : named && fits(named) && jobs.active.includes(named) ? [named] : [];
  if (active.length === 0) throw new RavlError('run-not-active', vscode.l10n.t('Nothing of that kind runs in this window.'), '');
  if (active.length === 1) return active[0];
  const items = active.map((job) => ({ label: `${jobInWords(job.spec)}: ${iconless(shown(job.spec.title))}`, description: iconless(progressInWords(job)), job }));
  return (await vscode.window.showQuickPick(items, { title: 'RaVL', placeHolder }))?.job;
}

const noRuns = () =>
  new ActionableError(new RavlError('run-none', vscode.l10n.t('There is no run for this yet; analyze a checkpoint first.'), ''), [
    { title: vscode.l10n.t('Analyze'), run: () => vscode.commands.executeCommand(commands.analyze) },
  ]);

function notThere(folder: string): never {
  throw new RavlError('run-missing', vscode.l10n.t('The run {0} is not there any more.', basename(folder)), '');
}
