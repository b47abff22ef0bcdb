import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Context } from '../context';
import type { Row } from '../runs/rows';
import { requireTrust } from '../trust';
import { type RunTarget, analysisOf, fittingRuns, pickRun, runItem } from './pickRun';

/**
 * Evaluates what two runs stand for on the same images, and opens the comparison: an analysis stands for the checkpoint that it
 * looked at, a fine-tuning run for the one that it made. The older one counts as before.
 */
export async function compareRuns({ runs, jobs }: Pick<Context, 'runs' | 'jobs'>, target: RunTarget, selection: readonly Row[]): Promise<void> {
  requireTrust();
  const pair = await pickPair(runs, target, selection);
  if (!pair) return;
  const [before, after] = pair[0].created <= pair[1].created ? pair : [pair[1], pair[0]];
  const analysis = pair.find(({ kind }) => kind === 'analyze') ?? analysisOf(runs.all, before);
  jobs.start<'compare'>({
    kind: 'compare',
    title: `${shown(before.id)} → ${shown(after.id)}`,
    params: {
      baseDir: before.baseDir, before: before.folder, after: after.folder,
      out: join(before.folder, '..', '..', 'comparisons', `${basename(before.folder)}-${basename(after.folder)}`),
      ...(analysis ? { run: analysis.folder } : {}),
    },
  });
}

const complete = ({ state }: RunSummary): boolean => state === 'complete';

/** The two rows that are selected, or the row at hand and one that is picked, or two that are picked. */
async function pickPair(runs: Context['runs'], target: RunTarget, selection: readonly Row[]): Promise<readonly [RunSummary, RunSummary] | undefined> {
  const selected = selection.filter((row) => row.type === 'run').map(({ run }) => run);
  if (selected.length === 2) return [selected[0]!, selected[1]!];
  const first = await pickRun(runs, target, vscode.l10n.t('Compare which run?'), complete);
  if (!first) return undefined;
  const others = await fittingRuns(runs, (run) => complete(run) && run.folder !== first.folder);
  const second = await vscode.window.showQuickPick(others.map(runItem), { title: 'RaVL', placeHolder: vscode.l10n.t('With which run?'), matchOnDescription: true, matchOnDetail: true });
  return second && [first, second.run];
}
