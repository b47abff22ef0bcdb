import * as vscode from 'vscode';
import { yamlScalar } from '../../shared/initFile';
import { problemsOf } from './diagnostics';

/** Puts in what was evidently meant: a key, a word or a file name that is nearly right. */
export const quickFixes: vscode.CodeActionProvider = {
  async provideCodeActions(document, range) {
    const problems = await problemsOf(document);
    return problems.flatMap(({ range: where, meant, message }) => {
      if (meant === undefined || where.end.isBefore(range.start) || range.end.isBefore(where.start)) return [];
      const action = new vscode.CodeAction(vscode.l10n.t('Change to {0}', meant), vscode.CodeActionKind.QuickFix);
      action.edit = new vscode.WorkspaceEdit();
      action.edit.replace(document.uri, where, yamlScalar(meant));
      action.diagnostics = [new vscode.Diagnostic(where, message)];
      action.isPreferred = true;
      return [action];
    });
  },
};
