import * as vscode from 'vscode';
import { isScalar } from 'yaml';
import type { Context } from '../context';
import { isCancellation, sentence } from '../messages';
import { commands, settings } from '../names';
import type { FindingSummary, MisledRows, Overview } from '../../shared/runQueries';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Analyses } from './analyses';
import { findingInWords, findingNames } from './findingWords';
import { type RunConfig, configsIn, isRunOf } from './runConfig';

/** Rows of a table that are listed one by one. */
export const mostRows = 200;

/**
 * The Problems view: the flagged findings of each config's newest analysis on the config's line of data.validation, and the
 * rows that they mislead on the table's lines. A finding that a person judged core or noise is no problem.
 */
export function registerProblems({ log }: Pick<Context, 'log'>, analyses: Analyses): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('ravl-findings');
  let update = 0;
  const refresh = async () => {
    const current = ++update;
    try {
      const entries = await problemsOf(analyses);
      // What was asked later knows better.
      if (current !== update) return;
      collection.clear();
      for (const [uri, diagnostics] of entries) collection.set(vscode.Uri.parse(uri), diagnostics);
    } catch (error) {
      if (!isCancellation(error)) log.warn(`The Problems view has no findings: ${sentence(error)}`);
    }
  };
  const configs = vscode.workspace.createFileSystemWatcher('**/{ravl.yaml,*.ravl.yaml}');
  void refresh();
  return vscode.Disposable.from(
    collection,
    configs,
    configs.onDidCreate(refresh),
    configs.onDidChange(refresh),
    configs.onDidDelete(refresh),
    analyses.onDidChange(refresh),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(settings.problems)) void refresh();
    }),
  );
}

/** Diagnostics by the file's uri. */
async function problemsOf(analyses: Analyses): Promise<Map<string, vscode.Diagnostic[]>> {
  const problems = new Map<string, vscode.Diagnostic[]>();
  const add = (uri: vscode.Uri, diagnostics: readonly vscode.Diagnostic[]) => {
    if (diagnostics.length > 0 && wanted(uri)) problems.set(uri.toString(), [...(problems.get(uri.toString()) ?? []), ...diagnostics]);
  };
  const runs = analyses.newest();
  const tables = new Set<string>();
  for (const baseDir of new Set(runs.map((run) => run.baseDir))) {
    for (const config of await configsIn(baseDir)) {
      const run = runs.find((each) => each.baseDir === baseDir && isRunOf(each, config.config));
      if (!run || run.flagged === 0) continue;
      const overview = await analyses.overview(run.folder);
      const findings = overview.findings.filter((finding) => isProblem(finding, overview));
      add(config.uri, findings.map((finding) => ofFinding(run, finding, config)));
      if (findings.length === 0) continue;
      const misled = await analyses.misledRows(run.folder);
      // Two configs may share a table; its rows tell of the newest analysis.
      if (!misled.hasLines || tables.has(misled.source)) continue;
      tables.add(misled.source);
      add(vscode.Uri.file(misled.source), ofRows(run, misled, findings));
    }
  }
  return problems;
}

const wanted = (uri: vscode.Uri): boolean => vscode.workspace.getConfiguration(undefined, uri).get(settings.problems, true);

function isProblem({ flagged, cluster }: FindingSummary, { verdicts }: Overview): boolean {
  const verdict = verdicts.clusters[cluster]?.verdict;
  return flagged && verdict !== 'core' && verdict !== 'noise';
}

const ofFinding = (run: RunSummary, finding: FindingSummary, config: RunConfig): vscode.Diagnostic =>
  warning(rangeOfValidation(config), findingInWords(finding), run, finding.rank);

function ofRows(run: RunSummary, { rows }: MisledRows, findings: readonly FindingSummary[]): vscode.Diagnostic[] {
  const ranks = new Set(findings.map(({ rank }) => rank));
  const concerned = rows.map((row) => ({ ...row, ranks: row.ranks.filter((rank) => ranks.has(rank)) })).filter((row) => row.ranks.length > 0);
  const listed = concerned.slice(0, mostRows).map((row) =>
    warning(wholeLine(row.line), vscode.l10n.t('{0} is taken for {1}, in the presence of {2}.', shown(row.label, 40), shown(row.predicted, 40), findingNames(findings, row.ranks)), run, row.ranks[0]!),
  );
  const rest = concerned.slice(mostRows);
  if (rest.length === 0) return listed;
  return [...listed, warning(wholeLine(rest[0]!.line), vscode.l10n.t('{0} more rows from here on are misled by the features that RaVL found.', rest.length), run, rest[0]!.ranks[0]!)];
}

function warning(range: vscode.Range, message: string, { folder }: RunSummary, rank: number | null): vscode.Diagnostic {
  const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Warning);
  diagnostic.source = 'RaVL';
  const target = vscode.Uri.parse(`command:${commands.openFindings}?${encodeURIComponent(JSON.stringify([{ folder, rank }]))}`);
  diagnostic.code = { value: vscode.l10n.t('Show finding {0}', String(rank)), target };
  return diagnostic;
}

const wholeLine = (line: number): vscode.Range => new vscode.Range(line - 1, 0, line - 1, 10_000);

/** Where the config names the table; its first line where an alias does. */
function rangeOfValidation({ document, text }: RunConfig): vscode.Range {
  const node = document.getIn(['data', 'validation'], true);
  if (!isScalar(node) || !node.range) return wholeLine(1);
  const position = (offset: number) => {
    const before = text.slice(0, offset).split('\n');
    return new vscode.Position(before.length - 1, before.at(-1)!.length);
  };
  return new vscode.Range(position(node.range[0]), position(node.range[1]));
}
