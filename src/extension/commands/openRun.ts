import * as vscode from 'vscode';
import type { RunSummary } from '../../shared/runSummary';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import { type Action, offer, showError } from '../messages';
import { commands } from '../names';
import { kindInWords } from '../runs/runWords';
import { type RunTarget, analysisOf, pickRun } from './pickRun';

/** Opens what there is to see of a run: findings, the training as it goes, the comparison, or why there is none of it. */
export async function openRun({ runs, jobs, panels, log }: Context, target: RunTarget): Promise<void> {
  const run = await pickRun(runs, target, vscode.l10n.t('Which run?'));
  if (!run) return;
  const { folder, kind, state } = run;
  const job = jobs.of(folder);
  if (run.problem) return showError(log, new RavlError('run-artifact-damaged', run.problem.message, run.problem.hint));
  if (kind !== 'analyze') return state === 'complete' && !job ? panels.openComparison(folder) : panels.openTraining(folder);
  if (state === 'complete') return panels.openFindings(folder);
  if (job) return log.show();
  await tellWhy(run, log);
}

/** Opens the findings of an analysis; of a fine-tuning run, those of the analysis that it started from. */
export async function openFindings({ runs, panels }: Context, target: (RunTarget & { readonly rank?: number }) | undefined): Promise<void> {
  const hasFindings = (run: RunSummary): boolean => run.kind === 'analyze' && run.state === 'complete';
  const run = await pickRun(runs, target, vscode.l10n.t('Findings of which analysis?'), hasFindings);
  if (!run) return;
  const analysis = hasFindings(run) ? run : analysisOf(runs.all, run);
  if (!analysis) throw new RavlError('run-unfinished', vscode.l10n.t('This run has no findings yet.'), vscode.l10n.t('Resume it, or analyze again.'));
  await panels.openFindings(analysis.folder, target?.rank);
}

async function tellWhy(run: RunSummary, log: vscode.LogOutputChannel): Promise<void> {
  const resume: Action = { title: vscode.l10n.t('Resume'), run: () => vscode.commands.executeCommand(commands.resumeRun, { folder: run.folder }) };
  if (run.state === 'failed' && run.error) return showError(log, new RavlError(run.error.code, run.error.message, run.error.hint), [resume]);
  if (run.state === 'running') return offer(vscode.window.showInformationMessage, vscode.l10n.t('{0} is at work in another process; its findings are not there yet.', kindInWords(run.kind)), []);
  await offer(vscode.window.showInformationMessage, vscode.l10n.t('{0} was interrupted before its findings were there.', kindInWords(run.kind)), [resume]);
}
