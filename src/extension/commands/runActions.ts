import * as vscode from 'vscode';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import type { Row } from '../runs/rows';
import { kindInWords, timeInWords } from '../runs/runWords';
import { type RunTarget, pickJob, pickRun } from './pickRun';

export async function cancelRun({ jobs }: Pick<Context, 'jobs'>, target: RunTarget): Promise<void> {
  (await pickJob(jobs, target, vscode.l10n.t('Cancel which run?')))?.cancel();
}

/** Ends a training after its step and keeps the best epoch. */
export async function finishRun({ jobs }: Pick<Context, 'jobs'>, target: RunTarget): Promise<void> {
  (await pickJob(jobs, target, vscode.l10n.t('Stop which training?'), ({ spec, state }) => spec.kind === 'fineTune' && state === 'running'))?.finish();
}

/** Shows a run's folder in the explorer, or in the system's file manager where it lies outside of the workspace. */
export async function revealRun({ runs }: Pick<Context, 'runs'>, target: RunTarget): Promise<void> {
  const run = await pickRun(runs, target, vscode.l10n.t('Reveal the files of which run?'));
  if (!run) return;
  const uri = vscode.Uri.file(run.folder);
  await vscode.commands.executeCommand(vscode.workspace.getWorkspaceFolder(uri) ? 'revealInExplorer' : 'revealFileInOS', uri);
}

/** Deletes runs, once the person has said so: what is deleted is gone. */
export async function deleteRun({ runs, jobs, viewer }: Pick<Context, 'runs' | 'jobs' | 'viewer'>, target: RunTarget, selection: readonly Row[] = []): Promise<void> {
  const selected = selection.filter((row) => row.type === 'run').map(({ run }) => run);
  const picked = selected.length > 1 ? selected : [await pickRun(runs, target, vscode.l10n.t('Delete which run?'), ({ folder }) => !jobs.of(folder))];
  const doomed = picked.filter((run) => run !== undefined);
  if (doomed.length === 0) return;
  const active = doomed.find(({ folder }) => jobs.of(folder));
  if (active) throw new RavlError('run-active', vscode.l10n.t('The run {0} is at work.', active.id), vscode.l10n.t('Cancel it first.'));
  const remove = vscode.l10n.t('Delete');
  const [first] = doomed;
  const question = doomed.length === 1 ? vscode.l10n.t('Delete {0} of {1}?', kindInWords(first!.kind), timeInWords(first!.created)) : vscode.l10n.t('Delete {0} runs?', doomed.length);
  const detail = vscode.l10n.t('Its files, and a checkpoint that it made, are removed from the disk for good.');
  if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, remove)) !== remove) return;
  try {
    for (const { folder } of doomed) await viewer.api.deleteRun({ folder });
  } finally {
    await runs.refresh();
  }
}
