import { isDeepStrictEqual } from 'node:util';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { configOf, configsIn } from '../data/runConfig';
import type { Context } from '../context';
import { type Action, offer, showError } from '../messages';
import { commands } from '../names';
import type { Config } from '../../shared/config';
import { withSetting, withTrainComment } from './configEdit';
import { configChanged, configNotEditable, editRefused, noConfigOfRun } from './errors';

/** Proposed files, which only the diff editor reads. */
export const proposalScheme = 'ravl-proposal';

/**
 * Shows what would change in the config to fine-tune finding `rank` of the run in `folder` away, in the editor's own diff,
 * and offers to apply it and to start. Returns when the diff is there; the offer stays beside it.
 */
export async function fixFinding({ viewer, log }: Pick<Context, 'viewer' | 'log'>, folder: string, rank: number): Promise<void> {
  const { config, run } = await viewer.view(folder, 'overview', {});
  const found = configOf(config, await configsIn(run.baseDir));
  if (!found) throw noConfigOfRun(run.baseDir, run.validation);
  const document = await vscode.workspace.openTextDocument(found.uri);
  const text = document.getText();
  const proposed = proposal(text, found.config, config, rank);
  if (proposed === null) throw configNotEditable(found.uri.fsPath);

  const start: Action = { title: vscode.l10n.t('Start'), run: () => vscode.commands.executeCommand(commands.mitigate, found.uri) };
  const offered = (message: string, actions: readonly Action[]) => {
    offer(vscode.window.showInformationMessage, message, actions).catch((error: unknown) => showError(log, error));
  };
  const name = basename(found.uri.fsPath);
  if (proposed === text) return offered(vscode.l10n.t('{0} asks for finding {1} already.', name, rank), [start]);

  const uri = found.uri.with({ scheme: proposalScheme });
  proposals.set(uri.toString(), proposed);
  changed.fire(uri);
  await vscode.commands.executeCommand('vscode.diff', found.uri, uri, vscode.l10n.t('{0}: fix finding {1}', name, rank), { preview: true });
  const apply = () => applied(document, text, proposed, uri);
  const trains = found.config.data.train !== undefined;
  offered(
    trains
      ? vscode.l10n.t('Apply this change to {0} and fine-tune finding {1} away?', name, rank)
      : vscode.l10n.t('Apply this change to {0}? Before it can start, data.train has to name image-caption pairs.', name),
    [...(trains ? [{ title: vscode.l10n.t('Apply and Start'), run: async () => (await apply(), start.run()) }] : []), { title: vscode.l10n.t('Apply'), run: apply }],
  );
}

/** Lets the diff editor read the proposals. */
export function registerProposals(): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(proposalScheme, {
    onDidChange: changed.event,
    provideTextDocumentContent: (uri) => proposals.get(uri.toString()) ?? '',
  });
}

const proposals = new Map<string, string>();
const changed = new vscode.EventEmitter<vscode.Uri>();

/** A finding of another checkpoint than the config's (one that was fine-tuned from it) is fixed in that checkpoint. */
function proposal(text: string, own: Config, analyzed: Config, rank: number): string | null {
  let result: string | null = text;
  if (!isDeepStrictEqual(own.checkpoint, analyzed.checkpoint)) result = typeof analyzed.checkpoint === 'string' ? withSetting(result, ['checkpoint'], analyzed.checkpoint) : null;
  if (result !== null && !isDeepStrictEqual(own.mitigation.findings, [rank])) result = withSetting(result, ['mitigation', 'findings'], [rank]);
  return result && withTrainComment(result);
}

async function applied(document: vscode.TextDocument, before: string, after: string, proposed: vscode.Uri): Promise<void> {
  if (document.getText() !== before) throw configChanged(document.uri.fsPath);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, new vscode.Range(document.positionAt(0), document.positionAt(before.length)), after);
  if (!(await vscode.workspace.applyEdit(edit)) || !(await document.save())) throw editRefused(document.uri.fsPath);
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const diff = tabs.filter(({ input }) => input instanceof vscode.TabInputTextDiff && input.modified.toString() === proposed.toString());
  await vscode.window.tabGroups.close(diff);
}
