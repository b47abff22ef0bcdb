import * as vscode from 'vscode';
import type { Context } from '../context';
import { views } from '../names';
import { type Row, arrangeRows, treeItem } from './rows';

export interface RunsView extends vscode.Disposable {
  /** The rows that are selected. */
  readonly selection: readonly Row[];
}

/** The Runs view: runs by checkpoint, with what works and waits. */
export function createRunsView({ runs, jobs }: Pick<Context, 'runs' | 'jobs'>): RunsView {
  const changes = new vscode.EventEmitter<void>();
  let read: Promise<unknown> | undefined;
  const provider: vscode.TreeDataProvider<Row> = {
    onDidChangeTreeData: changes.event,
    getTreeItem: treeItem,
    async getChildren(row) {
      if (row) return row.type === 'checkpoint' ? [...row.children] : [];
      // Before the first reading the view shows that it loads, and not that there is nothing.
      read ??= runs.refresh();
      await read;
      return arrangeRows(runs.all, jobs.active);
    },
  };
  const view = vscode.window.createTreeView(views.runs, { treeDataProvider: provider, canSelectMany: true, showCollapseAll: false });
  const changed = (): void => changes.fire();
  const parts = [view, changes, runs.onDidChange(changed), jobs.onDidChange(changed)];
  return {
    get selection() {
      return view.selection;
    },
    dispose: () => vscode.Disposable.from(...parts).dispose(),
  };
}
