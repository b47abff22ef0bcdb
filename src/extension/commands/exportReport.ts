import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { shown } from '../../shared/words';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import { iconless, topInWords } from '../runs/runWords';
import { type RunTarget, pickRun } from './pickRun';

interface Choice extends vscode.QuickPickItem {
  /** Of a file of the run. */
  readonly file?: string;
  readonly format?: 'csv' | 'json';
}

/** Writes a run's report, its findings or comparison, or the members of a finding, to where the person says. */
export async function exportReport({ runs, viewer }: Pick<Context, 'runs' | 'viewer'>, target: RunTarget): Promise<void> {
  const run = await pickRun(runs, target, vscode.l10n.t('Export from which run?'), ({ state }) => state === 'complete');
  if (!run) return;
  const data = run.kind === 'analyze' ? 'findings.json' : 'comparison.json';
  const choices: Choice[] = [
    { label: vscode.l10n.t('Report'), description: 'report.html', detail: vscode.l10n.t('One page with its pictures in it, to read anywhere'), file: 'report.html' },
    { label: run.kind === 'analyze' ? vscode.l10n.t('Findings') : vscode.l10n.t('Comparison'), description: data, detail: vscode.l10n.t('All numbers, as JSON'), file: data },
    ...(run.kind === 'analyze'
      ? [
          { label: vscode.l10n.t('Members of a finding'), description: 'CSV', detail: vscode.l10n.t('Every region of its cluster'), format: 'csv' as const },
          { label: vscode.l10n.t('Members of a finding'), description: 'JSON', detail: vscode.l10n.t('Every region of its cluster'), format: 'json' as const },
        ]
      : []),
  ];
  const choice = await vscode.window.showQuickPick(choices, { title: 'RaVL', placeHolder: topInWords(run) ?? vscode.l10n.t('Export what?') });
  if (!choice) return;
  if (choice.format) return exportMembers(viewer, run.folder, run.baseDir, choice.format);
  const to = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.file(join(run.baseDir, `${basename(run.folder)}-${choice.file!}`)) });
  if (to) await written(to, () => vscode.workspace.fs.copy(vscode.Uri.file(join(run.folder, choice.file!)), to, { overwrite: true }));
}

async function exportMembers(viewer: Context['viewer'], folder: string, baseDir: string, format: 'csv' | 'json'): Promise<void> {
  const { findings } = await viewer.view(folder, 'overview', {});
  const items = findings.map(({ cluster, name, rank, support }) => ({
    label: iconless(name.slice(0, 3).map((word) => shown(word, 30)).join(', ')) || vscode.l10n.t('cluster {0}', cluster),
    description: rank === null ? vscode.l10n.t('pruned') : `#${rank}`,
    detail: vscode.l10n.t('in {0} images', support),
    cluster,
  }));
  const picked = await vscode.window.showQuickPick(items, { title: 'RaVL', placeHolder: vscode.l10n.t('Members of which finding?') });
  if (!picked) return;
  const { name, text } = await viewer.view(folder, 'exportMembers', { cluster: picked.cluster, format });
  const to = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.file(join(baseDir, basename(name))) });
  if (to) await written(to, () => vscode.workspace.fs.writeFile(to, new TextEncoder().encode(text)));
}

async function written(to: vscode.Uri, write: () => Thenable<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const why = shown(error instanceof Error ? error.message : String(error), 200);
    throw new RavlError('report-not-exported', vscode.l10n.t('{0} cannot be written: {1}.', vscode.workspace.asRelativePath(to), why), vscode.l10n.t('Choose another place, or run again if a file of the run is missing.'));
  }
}
