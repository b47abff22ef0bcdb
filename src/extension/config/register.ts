import * as vscode from 'vscode';
import type { Context } from '../context';
import { guarded } from '../messages';
import { commands, configLanguageGlob } from '../names';
import { codeLensProvider } from './codeLens';
import { completionProvider } from './completion';
import { createConfig } from './createConfig';
import { watchConfigs } from './diagnostics';
import { hoverProvider } from './hover';
import { quickFixes } from './quickFixes';

/** What an editor does for ravl.yaml, and the command that writes one. */
export function registerConfig(context: Context): vscode.Disposable {
  const selector: vscode.DocumentSelector = { scheme: 'file', pattern: configLanguageGlob };
  // The YAML extension reads the schema that package.json contributes, and says the same.
  const described = () => vscode.extensions.getExtension('redhat.vscode-yaml') !== undefined;
  const lenses = codeLensProvider(context);
  return vscode.Disposable.from(
    lenses,
    vscode.languages.registerCodeLensProvider(selector, lenses),
    vscode.languages.registerCompletionItemProvider(selector, completionProvider(context, described), ' ', ':', '/', '{', '['),
    vscode.languages.registerHoverProvider(selector, { provideHover: (...at) => (described() ? undefined : hoverProvider.provideHover(...at)) }),
    vscode.languages.registerCodeActionsProvider(selector, quickFixes, { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] }),
    watchConfigs(),
    vscode.commands.registerCommand(commands.createConfig, guarded(context.log, (checkpoint?: vscode.Uri) => createConfig(context, checkpoint instanceof vscode.Uri ? checkpoint : undefined))),
  );
}
