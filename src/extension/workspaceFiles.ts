import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { configLanguageGlob, contextKeys } from './names';

/** What lies in the workspace that menus and commands need to know. */
export interface WorkspaceFiles extends vscode.Disposable {
  /** All configs, the ones nearest to the top first; waits for the first search. */
  configs(): Promise<readonly vscode.Uri[]>;
  /** A config or a checkpoint came or went. */
  readonly onDidChange: vscode.Event<void>;
}

const excluded = '**/{node_modules,.git}/**';
const mostFiles = 5000;

/** Searches the workspace for configs and checkpoints, keeps what it found by watching, and tells menus by context keys. */
export function watchWorkspaceFiles(): WorkspaceFiles {
  const changes = new vscode.EventEmitter<void>();
  let searched = search();
  let again = false;
  let searching = true;

  async function search(): Promise<readonly vscode.Uri[]> {
    const [configs, models] = await Promise.all([vscode.workspace.findFiles(configLanguageGlob, excluded, mostFiles), vscode.workspace.findFiles('**/*.onnx', excluded, mostFiles)]);
    const ours = configs.filter((uri) => !uri.path.includes('/.ravl/')).sort((a, b) => depth(a) - depth(b) || (a.path < b.path ? -1 : 1));
    void vscode.commands.executeCommand('setContext', contextKeys.hasConfig, ours.length > 0);
    void vscode.commands.executeCommand('setContext', contextKeys.checkpointFolders, checkpointFolders(models));
    return ours;
  }
  // One search at a time; what changes meanwhile is seen by the one after it.
  const refresh = async (): Promise<void> => {
    if (searching) {
      again = true;
      return;
    }
    do {
      [again, searching] = [false, true];
      searched = search();
      await searched.catch(() => undefined);
      searching = false;
    } while (again);
    changes.fire();
  };
  void searched.catch(() => undefined).then(() => {
    searching = false;
    if (again) void refresh();
  });
  const watchers = [configLanguageGlob, '**/*.onnx'].map((pattern) => vscode.workspace.createFileSystemWatcher(pattern, false, true, false));
  const listeners = watchers.flatMap((watcher) => [watcher, watcher.onDidCreate(refresh), watcher.onDidDelete(refresh)]);
  const folders = vscode.workspace.onDidChangeWorkspaceFolders(refresh);

  return {
    configs: () => searched,
    onDidChange: changes.event,
    dispose: () => vscode.Disposable.from(...listeners, folders, changes).dispose(),
  };
}

/** Whether a file is a config by its name. */
export const isConfig = (uri: vscode.Uri): boolean => /(^|\.)ravl\.yaml$/.test(basename(uri.path));

/**
 * The folders that are checkpoints, as paths in the form that a menu's `resourcePath` has. A checkpoint's models lie at its
 * top or in its `onnx`. An editor on Windows writes the paths of a remote system with backslashes.
 */
export function checkpointFolders(models: readonly vscode.Uri[]): string[] {
  const folders = new Set(models.map(({ fsPath }) => (basename(dirname(fsPath)) === 'onnx' ? dirname(dirname(fsPath)) : dirname(fsPath))));
  return [...folders].flatMap((folder) => (folder.startsWith('/') ? [folder, folder.replaceAll('/', '\\')] : [folder]));
}

const depth = ({ path }: vscode.Uri): number => path.split('/').length;
