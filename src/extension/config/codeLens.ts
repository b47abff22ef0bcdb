import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { type Document, isMap, isScalar } from 'yaml';
import { type ConfigIssue, parseConfig } from '../../shared/configFile';
import type { RunSummary } from '../../shared/runSummary';
import type { Context } from '../context';
import { isRunOf } from '../data/runConfig';
import { commands } from '../names';

/** "Analyze" at the top of a ravl.yaml, fine-tuning at its training settings, and beside each what its newest run came to. */
export function codeLensProvider({ runs }: Pick<Context, 'runs'>): vscode.CodeLensProvider & vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const listening = runs.onDidChange(() => changed.fire());
  return {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses(document) {
      const { uri } = document;
      const { config, document: yaml, issues } = parseConfig(document.getText(), basename(uri.path));
      const top = new vscode.Range(0, 0, 0, 0);
      const training = trainingSection(yaml);
      const at = training === undefined ? top : new vscode.Range(document.positionAt(training), document.positionAt(training));
      // In the same places as below: lines must not jump while one types.
      if (!config) return (training === undefined ? [top] : [top, at]).map((place) => problems(issues, place, uri));
      const ofConfig = runs.all.filter((run) => run.baseDir === dirname(uri.fsPath) && isRunOf(run, config));
      return [
        lens(top, `$(search) ${vscode.l10n.t('Analyze')}`, commands.analyze, uri),
        ...stateOf(ofConfig.find(({ kind }) => kind === 'analyze'), top),
        lens(at, `$(play) ${vscode.l10n.t('Run region-aware fine-tuning')}`, commands.mitigate, uri),
        lens(at, `$(beaker) ${vscode.l10n.t('Plan')}`, commands.plan, uri),
        ...stateOf(ofConfig.find(({ kind }) => kind !== 'analyze'), at),
      ];
    },
    dispose: () => vscode.Disposable.from(listening, changed).dispose(),
  };
}

const lens = (range: vscode.Range, title: string, command: string, ...given: unknown[]): vscode.CodeLens => new vscode.CodeLens(range, { title, command, arguments: given });

/** Leads to the first error. */
function problems(issues: readonly ConfigIssue[], place: vscode.Range, uri: vscode.Uri): vscode.CodeLens {
  const errors = issues.filter(({ severity }) => severity === 'error');
  const { line, column } = errors[0]!;
  const title = errors.length === 1 ? vscode.l10n.t('Fix 1 problem') : vscode.l10n.t('Fix {0} problems', errors.length);
  return lens(place, `$(error) ${title}`, 'vscode.open', uri, { selection: new vscode.Range(line - 1, column - 1, line - 1, column - 1) });
}

/** Where the first key about fine-tuning stands. */
function trainingSection({ contents }: Document): number | undefined {
  const keys = isMap(contents) ? contents.items.map(({ key }) => key) : [];
  const key = keys.find((each) => isScalar(each) && (each.value === 'training' || each.value === 'mitigation'));
  return isScalar(key) ? key.range?.[0] : undefined;
}

/** What a run came to, in a word, and a click to it. */
function stateOf(run: RunSummary | undefined, at: vscode.Range): vscode.CodeLens[] {
  if (!run || run.problem) return [];
  const { folder, state, kind } = run;
  switch (state) {
    case 'running':
      return [lens(at, `$(sync) ${vscode.l10n.t('Running')}`, commands.openRun, { folder })];
    case 'interrupted':
      return [lens(at, `$(debug-continue) ${vscode.l10n.t('Interrupted: resume')}`, commands.resumeRun, { folder })];
    case 'failed':
      return [lens(at, `$(error) ${vscode.l10n.t('Failed')}`, commands.openRun, { folder })];
    case 'complete':
      if (kind === 'analyze') return [lens(at, `$(target) ${findings(run.flagged ?? 0)}`, commands.openFindings, { folder })];
      return [lens(at, `$(git-compare) ${vscode.l10n.t('Compare before and after')}`, commands.openRun, { folder })];
  }
}

function findings(count: number): string {
  if (count === 0) return vscode.l10n.t('Nothing found');
  return count === 1 ? vscode.l10n.t('1 finding') : vscode.l10n.t('{0} findings', count);
}
