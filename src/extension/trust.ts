import * as vscode from 'vscode';
import { RavlError } from '../shared/errors';
import { ActionableError } from './messages';

/** Throws RavlError `workspace-untrusted` unless the person trusts the workspace. Whatever starts work on its files asks here first. */
export function requireTrust(): void {
  if (vscode.workspace.isTrusted) return;
  const error = new RavlError('workspace-untrusted', vscode.l10n.t('RaVL starts no work in a workspace that you do not trust; reports that are already there can be read.'), '');
  throw new ActionableError(error, [{ title: vscode.l10n.t('Manage Trust'), run: () => vscode.commands.executeCommand('workbench.trust.manage') }]);
}
