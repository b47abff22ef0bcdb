import * as vscode from 'vscode';
import type { Config } from '../../shared/config';
import { count, percentInWords } from '../../shared/format';
import { duration } from '../../shared/pace';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Job, JobSpec } from '../context';

/** Text for a place in which the editor draws icons: quick picks and the status bar. */
export const iconless = (text: string): string => text.replaceAll('$(', '\\$(');

/** What a list of runs calls a checkpoint by. */
export const mainFile = (checkpoint: Config['checkpoint']): string => (typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''));

/** What a run did, for a row. */
export function kindInWords(kind: RunSummary['kind']): string {
  if (kind === 'analyze') return vscode.l10n.t('Analysis');
  return kind === 'mitigate' ? vscode.l10n.t('Region-aware fine-tuning') : vscode.l10n.t('Plain fine-tuning');
}

export function jobInWords(spec: JobSpec): string {
  switch (spec.kind) {
    case 'analyze':
      return kindInWords('analyze');
    case 'fineTune':
      return kindInWords(spec.params.kind);
    case 'plan':
      return vscode.l10n.t('Plan');
    case 'evaluate':
      return vscode.l10n.t('Evaluation');
    case 'compare':
      return vscode.l10n.t('Comparison');
  }
}

export function stateInWords(run: RunSummary): string {
  switch (run.state) {
    case 'running':
      return vscode.l10n.t('running');
    case 'interrupted':
      return vscode.l10n.t('interrupted');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'complete':
      return vscode.l10n.t('complete');
  }
}

/** `embed 500 of 1,000 images, 12s left`, as far as it is known. */
export function progressInWords({ state, progress, eta }: Pick<Job, 'state' | 'progress' | 'eta'>): string {
  if (state === 'queued') return vscode.l10n.t('queued');
  if (state === 'stopping') return vscode.l10n.t('stopping');
  if (!progress) return vscode.l10n.t('starting');
  const { phase, done, total, unit } = progress;
  const counted = vscode.l10n.t('{0} {1} of {2} {3}', shown(phase, 30), count(done), count(total), shown(unit, 30));
  return eta === null ? counted : vscode.l10n.t('{0}, {1} left', counted, duration(eta));
}

/** The first flagged finding: `red, corner → coat`. */
export function topInWords({ flagged, top }: RunSummary): string | null {
  if (flagged === 0) return vscode.l10n.t('nothing flagged');
  if (!top) return null;
  const name = top.name.slice(0, 3).map((word) => shown(word, 30)).join(', ') || vscode.l10n.t('finding {0}', top.rank);
  return top.attribute === null ? name : `${name} → ${shown(top.attribute, 30)}`;
}

export function worstGroupInWords({ worstGroup }: RunSummary): string | null {
  if (!worstGroup) return null;
  const { accuracy, before } = worstGroup;
  return before === null
    ? vscode.l10n.t('worst group {0}', percentInWords(accuracy))
    : vscode.l10n.t('worst group {0} → {1}', percentInWords(before), percentInWords(accuracy));
}

/** When a run was made, in the time of the person. */
export function timeInWords(created: string): string {
  const date = new Date(created);
  if (Number.isNaN(date.getTime())) return shown(created, 30);
  return date.toLocaleString(vscode.env.language, { dateStyle: 'medium', timeStyle: 'short' });
}
