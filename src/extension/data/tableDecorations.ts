import { isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import type { Context } from '../context';
import { isCancellation, sentence } from '../messages';
import { commands } from '../names';
import type { MisledRows, Overview } from '../../shared/runQueries';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import type { Analyses } from './analyses';
import { findingInWords, findingNames } from './findingWords';

/** Lines above and below the visible ones that are decorated too, so that scrolling finds them ready. */
const margin = 50;

/**
 * In the open editor of a table that an analysis read, what misled rows are taken for stands behind them, with the details
 * in a hover. Numbers of lines hold for the file on disk, so that an edited table shows nothing until it is saved, and only
 * where a line still names its image.
 */
export function registerTableDecorations({ log }: Pick<Context, 'log'>, analyses: Analyses): vscode.Disposable {
  const type = vscode.window.createTextEditorDecorationType({ after: { color: new vscode.ThemeColor('editorCodeLens.foreground'), margin: '0 0 0 2em' }, rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed });
  const decorate = async (editor: vscode.TextEditor) => {
    try {
      const run = runOf(editor.document.uri, analyses.newest());
      // Without a table there is nothing to take away either, but for one whose run is gone.
      const misled = run && (await analyses.misledRows(run.folder));
      const overview = run && (await analyses.overview(run.folder));
      editor.setDecorations(type, run && misled && overview ? decorationsOf(editor, run, misled, overview) : []);
    } catch (error) {
      if (!isCancellation(error)) log.warn(`${editor.document.uri.fsPath} shows no findings: ${sentence(error)}`);
    }
  };
  const decorateAll = (editors: readonly vscode.TextEditor[]) => void Promise.all(editors.map(decorate));
  const ofDocument = (document: vscode.TextDocument) => decorateAll(vscode.window.visibleTextEditors.filter((editor) => editor.document === document));
  decorateAll(vscode.window.visibleTextEditors);
  return vscode.Disposable.from(
    type,
    vscode.window.onDidChangeVisibleTextEditors(decorateAll),
    vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => decorateAll([textEditor])),
    vscode.workspace.onDidChangeTextDocument(({ document }) => ofDocument(document)),
    vscode.workspace.onDidSaveTextDocument(ofDocument),
    analyses.onDidChange(() => decorateAll(vscode.window.visibleTextEditors)),
  );
}

/** The newest analysis that read this file as its table. */
const runOf = (uri: vscode.Uri, runs: readonly RunSummary[]): RunSummary | undefined =>
  uri.scheme === 'file' && /\.(csv|tsv|jsonl)$/i.test(uri.path)
    ? runs.find(({ baseDir, validation }) => (isAbsolute(validation) ? join(validation) : join(baseDir, validation)) === uri.fsPath)
    : undefined;

function decorationsOf({ document, visibleRanges }: vscode.TextEditor, run: RunSummary, { hasLines, rows }: MisledRows, { findings }: Overview): vscode.DecorationOptions[] {
  if (document.isDirty || !hasLines) return [];
  const near = (line: number) => visibleRanges.some(({ start, end }) => line >= start.line - margin && line <= end.line + margin);
  return rows
    .filter(({ line, name }) => near(line - 1) && line <= document.lineCount && names(document.lineAt(line - 1).text, name))
    .map((row): vscode.DecorationOptions => {
      const { range } = document.lineAt(row.line - 1);
      const text = vscode.l10n.t('predicted {0} · {1}', shown(row.predicted, 40), findingNames(findings, row.ranks));
      return { range, hoverMessage: hover(run, row, findings), renderOptions: { after: { contentText: text } } };
    });
}

/** Whether a line of a table names an image, plainly or as JSON or CSV quote it. */
const names = (line: string, name: string): boolean => [name, JSON.stringify(name).slice(1, -1), name.replaceAll('"', '""')].some((text) => line.includes(text));

function hover({ folder }: RunSummary, row: MisledRows['rows'][number], findings: Overview['findings']): vscode.MarkdownString {
  const known = row.ranks.map((rank) => findings.find((finding) => finding.rank === rank)).filter((finding) => finding !== undefined);
  const paragraphs = [
    plain(vscode.l10n.t('{0} is taken for {1}.', shown(row.label, 40), shown(row.predicted, 40))),
    ...known.map((finding) => `${plain(findingInWords(finding))} [${vscode.l10n.t('Show finding {0}', String(finding.rank))}](${commandUri(commands.openFindings, { folder, rank: finding.rank })})`),
    `[${vscode.l10n.t('Show regions')}](${commandUri(commands.showRegions, { folder, image: row.image })})`,
  ];
  const text = new vscode.MarkdownString(paragraphs.join('\n\n'));
  text.isTrusted = { enabledCommands: [commands.openFindings, commands.showRegions] };
  return text;
}

/** Text of the data's as Markdown that formats nothing. (appendText would glue the words together by no-break spaces.) */
const plain = (text: string): string => text.replace(/[!-/:-@[-`{-~]/g, '\\$&');

const commandUri = (command: string, argument: unknown): string => `command:${command}?${encodeURIComponent(JSON.stringify([argument]))}`;
