import { basename, dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import { isMap, isScalar } from 'yaml';
import { type ParsedConfig, parseConfig } from '../../shared/configFile';
import { written } from '../../shared/configIssues';
import { nearest } from '../../shared/nearest';
import { type PathKind, pathKinds } from './paths';

/** What is wrong with a ravl.yaml, where, and what to put in its place if that can be guessed. */
export interface Problem {
  readonly range: vscode.Range;
  readonly message: string;
  readonly severity: vscode.DiagnosticSeverity;
  readonly meant?: string;
}

/** Calls `work` once it has been quiet for a moment; the function returned calls it off. */
export type Schedule = (work: () => void) => () => void;

const afterTyping: Schedule = (work) => {
  const timer = setTimeout(work, 300);
  return () => clearTimeout(timer);
};

/** Keeps the Problems view up to date with every open ravl.yaml. */
export function watchConfigs(schedule: Schedule = afterTyping): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('ravl');
  const waiting = new Map<string, () => void>();
  const callOff = ({ uri }: vscode.TextDocument) => {
    waiting.get(uri.toString())?.();
    waiting.delete(uri.toString());
  };
  const check = async (document: vscode.TextDocument): Promise<void> => {
    callOff(document);
    if (!isConfig(document.uri)) return;
    const { version } = document;
    const problems = await problemsOf(document);
    // What was typed or closed meanwhile is checked on its own.
    if (document.version === version && !document.isClosed) collection.set(document.uri, problems.map(diagnostic));
  };
  const checkAll = () => vscode.workspace.textDocuments.forEach((document) => void check(document));
  checkAll();
  return vscode.Disposable.from(
    collection,
    vscode.workspace.onDidOpenTextDocument(check),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (!isConfig(document.uri)) return;
      callOff(document);
      waiting.set(document.uri.toString(), schedule(() => void check(document)));
    }),
    vscode.workspace.onDidCloseTextDocument((document) => {
      callOff(document);
      collection.delete(document.uri);
    }),
    // Files come and go without the config being touched.
    vscode.workspace.onDidSaveTextDocument(checkAll),
    vscode.window.onDidChangeActiveTextEditor((editor) => void (editor && check(editor.document))),
    vscode.workspace.onDidGrantWorkspaceTrust(checkAll),
    new vscode.Disposable(() => waiting.forEach((stop) => stop())),
  );
}

/** ravl.yaml, or a file named <something>.ravl.yaml, on disk. */
export const isConfig = (uri: vscode.Uri): boolean => uri.scheme === 'file' && /(^|\.)ravl\.yaml$/.test(basename(uri.path));

/** What parseConfig found, and the paths that lead to nothing. */
export async function problemsOf(document: vscode.TextDocument): Promise<Problem[]> {
  const parsed = parseConfig(document.getText(), basename(document.uri.path));
  const issues = parsed.issues.map(({ line, column, endLine, endColumn, message, severity, meant }): Problem => ({
    range: new vscode.Range(line - 1, column - 1, endLine - 1, endColumn - 1),
    message,
    severity: severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning,
    ...(meant === undefined ? {} : { meant }),
  }));
  return [...issues, ...(await missingPaths(document, parsed))];
}

/** In a workspace that is not trusted no path is looked at: one may name a machine of somebody's choice. */
async function missingPaths(document: vscode.TextDocument, { document: yaml }: ParsedConfig): Promise<Problem[]> {
  if (!vscode.workspace.isTrusted || !isMap(yaml.contents)) return [];
  const checked = Object.entries(pathKinds).map(async ([key, kind]): Promise<Problem[]> => {
    const node = yaml.getIn(key.split('.'), true);
    if (!isScalar(node) || typeof node.value !== 'string' || node.value === '' || !node.range) return [];
    const folder = dirname(document.uri.fsPath);
    const path = resolve(folder, node.value);
    if (await exists(path)) return [];
    const meant = await alike(path, kind);
    const message = vscode.l10n.t('{0}: there is no {1}; paths start from the folder of this file.', key, written(node.value));
    const range = new vscode.Range(document.positionAt(node.range[0]), document.positionAt(node.range[1]));
    return [{ range, message, severity: vscode.DiagnosticSeverity.Warning, ...(meant === undefined ? {} : { meant: node.value.slice(0, -basename(path).length) + meant }) }];
  });
  return (await Promise.all(checked)).flat();
}

const exists = (path: string): Promise<boolean> => Promise.resolve(vscode.workspace.fs.stat(vscode.Uri.file(path))).then(() => true, () => false);

/** The entry of the same folder whose name is nearly that of the path. */
async function alike(path: string, kind: PathKind): Promise<string | undefined> {
  const entries = await Promise.resolve(vscode.workspace.fs.readDirectory(vscode.Uri.file(dirname(path)))).catch((): [string, vscode.FileType][] => []);
  return nearest(basename(path), entries.filter(([name, type]) => ((type & vscode.FileType.Directory) !== 0 ? kind.folder : kind.files.test(name))).map(([name]) => name));
}

function diagnostic({ range, message, severity }: Problem): vscode.Diagnostic {
  const shown = new vscode.Diagnostic(range, message, severity);
  shown.source = 'RaVL';
  return shown;
}
