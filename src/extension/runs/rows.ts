import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { duration } from '../../shared/pace';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Job } from '../context';
import { commands } from '../names';
import { jobInWords, kindInWords, mainFile, progressInWords, stateInWords, timeInWords, topInWords, worstGroupInWords } from './runWords';

/** A row of the Runs view. Commands get the row they were called on. */
export type Row = CheckpointRow | RunRow | JobRow;

export interface CheckpointRow {
  readonly type: 'checkpoint';
  readonly key: string;
  readonly checkpoint: string;
  readonly baseDir: string;
  readonly children: readonly (RunRow | JobRow)[];
}
export interface RunRow {
  readonly type: 'run';
  readonly folder: string;
  readonly run: RunSummary;
  /** Of ours, at work on it. */
  readonly job: Job | undefined;
}
/** A job that has no run on disk (yet). */
export interface JobRow {
  readonly type: 'job';
  readonly job: Job;
}

/** Runs and jobs by checkpoint, newest first; a job that belongs to none stands at the top level. */
export function arrangeRows(runs: readonly RunSummary[], jobs: readonly Job[]): Row[] {
  const groups = new Map<string, { checkpoint: string; baseDir: string; children: (RunRow | JobRow)[] }>();
  const loose: JobRow[] = [];
  const group = (baseDir: string, checkpoint: string) => {
    const key = join(baseDir, checkpoint);
    const found = groups.get(key) ?? { checkpoint, baseDir, children: [] };
    groups.set(key, found);
    return found.children;
  };
  const listed = new Set(runs.map(({ folder }) => folder));
  for (const job of [...jobs].reverse()) {
    if (job.run && listed.has(job.run.folder)) continue;
    const config = job.spec.params.config;
    if (config) group(job.spec.params.baseDir, mainFile(config.checkpoint)).push({ type: 'job', job });
    else loose.push({ type: 'job', job });
  }
  for (const run of runs) group(run.baseDir, run.checkpoint).push({ type: 'run', folder: run.folder, run, job: jobs.find((job) => job.run?.folder === run.folder) });
  return [...loose, ...[...groups].map(([key, rows]): CheckpointRow => ({ type: 'checkpoint', key, ...rows }))];
}

/** The row as the view shows it. What comes from data is shown as text only. */
export function treeItem(row: Row): vscode.TreeItem {
  if (row.type === 'checkpoint') return checkpointItem(row);
  return row.type === 'job' ? jobItem(row) : runItem(row);
}

function checkpointItem({ key, checkpoint, baseDir }: CheckpointRow): vscode.TreeItem {
  // One that a fine-tuning run made.
  const made = /[\\/]\.ravl[\\/]runs[\\/]/.test(join('/', checkpoint));
  const item = new vscode.TreeItem(made ? vscode.l10n.t('fine-tuned checkpoint') : shown(basename(checkpoint) || checkpoint), vscode.TreeItemCollapsibleState.Expanded);
  const path = shown(vscode.workspace.asRelativePath(join(baseDir, checkpoint)), 200);
  item.id = `checkpoint ${key}`;
  item.description = path === item.label ? undefined : path;
  item.tooltip = path;
  item.iconPath = new vscode.ThemeIcon('package');
  item.contextValue = 'checkpoint';
  item.accessibilityInformation = { label: vscode.l10n.t('Checkpoint {0}', path) };
  return item;
}

function jobItem({ job }: JobRow): vscode.TreeItem {
  const item = new vscode.TreeItem(job.spec.kind === 'fineTune' ? rowLabel(job.spec.params.kind) : jobInWords(job.spec));
  const state = progressInWords(job);
  item.id = `job ${job.id}`;
  item.description = state;
  item.iconPath = new vscode.ThemeIcon(job.state === 'queued' ? 'watch' : 'sync~spin');
  item.contextValue = `job ${job.spec.kind} ${job.state === 'queued' ? 'queued' : 'active'}`;
  item.accessibilityInformation = { label: `${jobInWords(job.spec)}, ${state}` };
  return item;
}

function runItem({ run, job, folder }: RunRow): vscode.TreeItem {
  const item = new vscode.TreeItem(rowLabel(run.kind));
  const facts = run.problem ? [vscode.l10n.t('unreadable')] : [topInWords(run), worstGroupInWords(run)].filter((fact) => fact !== null);
  const time = timeInWords(run.created);
  const state = job ? progressInWords(job) : run.state === 'complete' ? null : stateInWords(run);
  item.id = `run ${folder}`;
  item.description = (state ? [state, time] : [...facts, time]).join(' · ');
  item.iconPath = job ? new vscode.ThemeIcon('sync~spin') : iconOf(run);
  item.contextValue = `run ${run.kind} ${job ? 'active' : run.state}`;
  item.tooltip = tooltip(run, job);
  item.command = { command: commands.openRun, title: vscode.l10n.t('Open Run'), arguments: [{ type: 'run', folder, run, job } satisfies RunRow] };
  item.accessibilityInformation = { label: [kindInWords(run.kind), state ?? stateInWords(run), ...facts, time].join(', ') };
  return item;
}

/** Short, for what stands beside it is worth more. */
const rowLabel = (kind: RunSummary['kind']): string => (kind === 'mitigate' ? vscode.l10n.t('Fine-tuning') : kindInWords(kind));

function iconOf(run: RunSummary): vscode.ThemeIcon {
  if (run.problem || run.state === 'failed') return new vscode.ThemeIcon('error', new vscode.ThemeColor('testing.iconFailed'));
  if (run.state === 'running') return new vscode.ThemeIcon('sync');
  if (run.state === 'interrupted') return new vscode.ThemeIcon('debug-pause', new vscode.ThemeColor('testing.iconQueued'));
  if (run.kind === 'analyze' && (run.flagged ?? 0) > 0) return new vscode.ThemeIcon('warning', new vscode.ThemeColor('problemsWarningIcon.foreground'));
  return new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed'));
}

function tooltip(run: RunSummary, job: Job | undefined): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.isTrusted = false;
  const line = (words: string): unknown => text.appendText(words).appendMarkdown('\n\n');
  line(`${kindInWords(run.kind)}, ${job ? progressInWords(job) : stateInWords(run)}`);
  if (run.jobs.length > 0) line(vscode.l10n.t('Slurm jobs {0}', run.jobs.join(', ')));
  if (run.top) line(vscode.l10n.t('Top finding: {0}, gap {1}', topInWords(run) ?? '', run.top.gap.toFixed(3)));
  else if (run.flagged === 0) line(topInWords(run) ?? '');
  if (run.worstGroup) {
    const { label, feature } = run.worstGroup;
    const group = feature === 'present' ? vscode.l10n.t('“{0}” with the feature', shown(label)) : vscode.l10n.t('“{0}” without the feature', shown(label));
    line(`${worstGroupInWords(run) ?? ''}: ${group}`);
  }
  const failure = run.problem ?? run.error;
  if (failure) line([failure.message, failure.hint].map((part) => shown(part, 500)).join(' '));
  line(run.seconds > 0 ? vscode.l10n.t('{0}, worked for {1}', timeInWords(run.created), duration(run.seconds)) : timeInWords(run.created));
  line(vscode.workspace.asRelativePath(run.folder));
  return text;
}
