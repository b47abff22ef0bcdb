import { dirname, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { RunSummary } from '../../shared/runSummary';
import type { Context, Runs } from '../context';
import type { WorkspaceFiles } from '../workspaceFiles';
import { listUntrustedRuns } from './untrustedRuns';

/** Files of a run that change what a list says about it. */
const watched = '**/.ravl/runs/*/{run.json,findings.json,comparison.json}';

/** The runs in the workspace folders and beside every config, read by the viewer; read again when their files change. */
export function createRuns({ viewer, jobs, log }: Pick<Context, 'viewer' | 'jobs' | 'log'>, files: WorkspaceFiles): Runs {
  const changes = new vscode.EventEmitter<void>();
  let all: readonly RunSummary[] = [];
  let reading: Promise<readonly RunSummary[]> | undefined;
  let next: Promise<readonly RunSummary[]> | undefined;

  const read = async (): Promise<readonly RunSummary[]> => {
    const roots = await rootsWithRuns(files);
    const list = (root: string) => (vscode.workspace.isTrusted ? viewer.api.listRuns({ root }) : listUntrustedRuns(root));
    const lists = await Promise.all(
      roots.map((root) =>
        list(root).catch((error: unknown): readonly RunSummary[] => {
          log.error(`The runs in ${root} cannot be listed: ${error instanceof Error ? error.message : String(error)}`);
          // A worker that died has taken no run along.
          return all.filter(({ folder }) => folder.startsWith(join(root, '.ravl')));
        }),
      ),
    );
    all = lists.flat().sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? 1 : -1));
    changes.fire();
    return all;
  };
  // One reading at a time; whatever changes meanwhile is seen by the one after it.
  const refresh = (): Promise<readonly RunSummary[]> => {
    if (!reading) {
      reading = read().finally(() => (reading = undefined));
      return reading;
    }
    next ??= reading.then(() => {
      next = undefined;
      return refresh();
    });
    return next;
  };

  const noticed = (): void => void refresh();
  const watcher = vscode.workspace.createFileSystemWatcher(watched);
  const listeners = [
    watcher, watcher.onDidCreate(noticed), watcher.onDidChange(noticed), watcher.onDidDelete(noticed),
    files.onDidChange(noticed),
    vscode.workspace.onDidGrantWorkspaceTrust(noticed),
    // Watching is late on some disks, and off on others.
    jobs.onDidChange(({ run, state, progress }) => {
      if (run && (state !== 'running' || progress === null)) noticed();
    }),
  ];
  return {
    get all() {
      return all;
    },
    find: (folder) => all.find((run) => resolve(run.folder) === resolve(folder)),
    refresh,
    onDidChange: changes.event,
    dispose: () => vscode.Disposable.from(...listeners, changes).dispose(),
  };
}

/** The folders that hold a `.ravl/runs`: no worker is started where there is nothing to read. */
async function rootsWithRuns(files: WorkspaceFiles): Promise<string[]> {
  const configs = await files.configs().catch(() => []);
  const candidates = [...(vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath), ...configs.map(({ fsPath }) => dirname(fsPath))];
  const roots = [...new Set(candidates.map((folder) => resolve(folder)))];
  const there = await Promise.all(roots.map((root) => isFolder(vscode.Uri.file(join(root, '.ravl', 'runs')))));
  return roots.filter((_, i) => there[i]);
}

const isFolder = async (uri: vscode.Uri): Promise<boolean> => {
  try {
    return ((await vscode.workspace.fs.stat(uri)).type & vscode.FileType.Directory) !== 0;
  } catch {
    return false;
  }
};
