import { isAbsolute, normalize } from 'node:path';
import * as vscode from 'vscode';
import type { Context, Panels } from '../context';
import { guarded } from '../messages';
import { webviews } from '../names';
import { requireTrust } from '../trust';
import { type PanelKind, type PanelRestore, panelKinds, panelRestoreSchema } from '../../shared/panelApi';
import { registerProposals } from './fixFinding';
import { type Panel, type Subject, fillPanel, goneHtml } from './panel';
import { showReport } from './reportPanel';

/** The webview panels: one a kind and run, brought to the front when it is asked for again, and brought back after a restart. */
export function createPanels(given: Omit<Context, 'panels'>): Panels {
  const open = new Map<string, Panel>();
  const keyOf = ({ kind, folder }: Pick<Subject, 'kind' | 'folder'>) => `${kind} ${folder}`;

  const adopt = (webviewPanel: vscode.WebviewPanel, subject: Subject) => {
    const key = keyOf(subject);
    const verdictsChanged = () => {
      for (const [other, panel] of open) if (other !== key && panel.subject.folder === subject.folder) panel.tell('verdictsChanged', {});
    };
    const panel = fillPanel(context, webviewPanel, subject, verdictsChanged);
    open.set(key, panel);
    webviewPanel.onDidDispose(() => open.delete(key));
  };

  const show = async (subject: Subject) => {
    if (subject.kind === 'image') requireTrust();
    if (!vscode.workspace.isTrusted) return showReport(subject.folder);
    const existing = open.get(keyOf(subject));
    if (existing) return existing.show(subject);
    // Findings stay in sight beside one of their images.
    const column = subject.kind === 'image' ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    adopt(vscode.window.createWebviewPanel(webviews[subject.kind], '', column, { enableFindWidget: subject.kind !== 'image' }), subject);
  };

  const restore = async (kind: PanelKind, webviewPanel: vscode.WebviewPanel, state: unknown) => {
    const subject = restoredSubject(kind, state);
    const known = subject && (await runIsThere(subject));
    if (subject && known && !vscode.workspace.isTrusted && kind !== 'image') return showReport(subject.folder, webviewPanel);
    if (subject && known && vscode.workspace.isTrusted && !open.has(keyOf(subject))) return adopt(webviewPanel, subject);
    webviewPanel.webview.options = { enableScripts: false, localResourceRoots: [] };
    webviewPanel.webview.html = goneHtml(webviewPanel.title);
  };

  const panels: Panels = {
    openFindings: (folder, rank) => show({ kind: 'findings', folder: normalize(folder), rank }),
    openImage: (folder, image, region) => show({ kind: 'image', folder: normalize(folder), image, region }),
    openComparison: (folder) => show({ kind: 'comparison', folder: normalize(folder) }),
    openTraining: (folder) => show({ kind: 'training', folder: normalize(folder) }),
    dispose() {
      for (const part of [...open.values(), ...parts]) part.dispose();
    },
  };
  const context: Context = { ...given, panels };
  const parts = [
    registerProposals(),
    ...panelKinds.map((kind) =>
      vscode.window.registerWebviewPanelSerializer(webviews[kind], {
        deserializeWebviewPanel: guarded(context.log, (webviewPanel: vscode.WebviewPanel, state: unknown) => restore(kind, webviewPanel, state)),
      }),
    ),
  ];
  return panels;
}

/** What a panel showed before the restart, if its state says so at all. It was kept by the webview, so it is checked. */
function restoredSubject(kind: PanelKind, state: unknown): PanelRestore | undefined {
  const { data } = panelRestoreSchema.safeParse((state as { restore?: unknown } | null | undefined)?.restore);
  const folder = data && normalize(data.folder);
  // Runs, and comparisons of runs, lie in a folder .ravl.
  if (!folder || data.kind !== kind || !isAbsolute(folder) || !/[\\/]\.ravl[\\/]/.test(folder)) return undefined;
  return kind === 'image' && data.image === undefined ? undefined : { ...data, folder };
}

/** Looks on disk: the list of runs may not have been read yet, and has no comparisons of two runs. */
async function runIsThere({ folder }: PanelRestore): Promise<boolean> {
  const files = ['run.json', 'comparison.json'].map((name) => vscode.Uri.joinPath(vscode.Uri.file(folder), name));
  const found = await Promise.allSettled(files.map((file) => Promise.resolve(vscode.workspace.fs.stat(file))));
  return found.some(({ status }) => status === 'fulfilled');
}
