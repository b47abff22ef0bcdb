import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { Document } from 'yaml';
import type { Config } from '../../shared/config';
import { type ConfigIssue, parseConfig } from '../../shared/configFile';
import { RavlError } from '../../shared/errors';
import { ActionableError } from '../messages';

/** A ravl.yaml as it is on disk. */
export interface ReadConfig {
  readonly uri: vscode.Uri;
  readonly config: Config;
  readonly document: Document;
  /** Folder that its relative paths start from, and in which `.ravl` is made. */
  readonly baseDir: string;
}

/**
 * Reads a config; one with changes in an editor is saved first. Throws RavlError `config-missing`, `config-unreadable`, and
 * `config-invalid` with a button that goes to the first line to mend.
 */
export async function readConfig(uri: vscode.Uri): Promise<ReadConfig> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  if (open?.isDirty && !(await open.save())) throw configUnreadable(uri, vscode.l10n.t('its changes could not be saved'));
  const { config, document, issues } = parseConfig(await readText(uri), basename(uri.fsPath));
  if (!config) throw configInvalid(uri, issues);
  return { uri, config, document, baseDir: dirname(uri.fsPath) };
}

/** The config, or undefined where it cannot be used: for looking at several of them. */
export const readConfigQuietly = (uri: vscode.Uri): Promise<ReadConfig | undefined> => readConfig(uri).catch(() => undefined);

async function readText(uri: vscode.Uri): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await vscode.workspace.fs.readFile(uri);
  } catch {
    throw new RavlError('config-missing', vscode.l10n.t('{0} cannot be read; it is not there any more, or not for you to read.', vscode.workspace.asRelativePath(uri)), '');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw configUnreadable(uri, vscode.l10n.t('it is not UTF-8 text'));
  }
}

const configUnreadable = (uri: vscode.Uri, why: string) => new RavlError('config-unreadable', vscode.l10n.t('{0} cannot be read: {1}.', vscode.workspace.asRelativePath(uri), why), '');

function configInvalid(uri: vscode.Uri, issues: readonly ConfigIssue[]): ActionableError {
  const errors = issues.filter(({ severity }) => severity === 'error');
  const { line, column, message } = errors[0]!;
  const file = vscode.workspace.asRelativePath(uri);
  const more = errors.length - 1;
  const hint = more === 0 ? '' : more === 1 ? vscode.l10n.t('There is 1 more problem.') : vscode.l10n.t('There are {0} more problems.', more);
  const at = new vscode.Position(line - 1, column - 1);
  const show = () => vscode.window.showTextDocument(uri, { selection: new vscode.Range(at, at) });
  return new ActionableError(new RavlError('config-invalid', `${file}:${line}: ${message}`, hint), [{ title: vscode.l10n.t('Open File'), run: show }]);
}
