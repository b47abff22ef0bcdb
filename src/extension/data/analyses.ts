import * as vscode from 'vscode';
import type { Context } from '../context';
import type { MisledRows, Overview } from '../../shared/runQueries';
import type { RunSummary } from '../../shared/runSummary';

/** The complete analyses of the workspace and what the viewer says about them, each asked once. */
export interface Analyses extends vscode.Disposable {
  /** The newest of each checkpoint and table, newest first; none in a workspace that is not trusted. */
  newest(): readonly RunSummary[];
  overview(folder: string): Promise<Overview>;
  misledRows(folder: string): Promise<MisledRows>;
  /** The number of an image file in a run, or null. */
  findImage(folder: string, file: string): Promise<number | null>;
  /** Other analyses, or other verdicts. */
  readonly onDidChange: vscode.Event<void>;
}

export function createAnalyses({ runs, viewer }: Pick<Context, 'runs' | 'viewer'>): Analyses {
  // A complete run does not change, but for its verdicts.
  const answers = new Map<string, Map<string, Promise<unknown>>>();
  const once = <T>(folder: string, key: string, ask: () => Promise<T>): Promise<T> => {
    let ofRun = answers.get(folder);
    if (!ofRun) answers.set(folder, (ofRun = new Map()));
    let answer = ofRun.get(key) as Promise<T> | undefined;
    if (!answer) {
      answer = ask();
      ofRun.set(key, answer);
      // A worker that died answers the next time.
      answer.catch(() => ofRun.delete(key));
    }
    return answer;
  };
  const changed = new vscode.EventEmitter<void>();
  const verdicts = vscode.workspace.createFileSystemWatcher('**/.ravl/runs/*/verdicts.json');
  const judged = (file: vscode.Uri) => {
    answers.get(vscode.Uri.joinPath(file, '..').fsPath)?.delete('overview');
    changed.fire();
  };
  const parts = [
    changed,
    verdicts,
    verdicts.onDidCreate(judged),
    verdicts.onDidChange(judged),
    verdicts.onDidDelete(judged),
    vscode.workspace.onDidGrantWorkspaceTrust(() => changed.fire()),
    runs.onDidChange(() => {
      for (const folder of answers.keys()) if (!runs.find(folder)) answers.delete(folder);
      changed.fire();
    }),
  ];
  return {
    newest: () => (vscode.workspace.isTrusted ? newestOf(runs.all) : []),
    overview: (folder) => once(folder, 'overview', () => viewer.view(folder, 'overview', {})),
    misledRows: (folder) => once(folder, 'misledRows', () => viewer.view(folder, 'misledRows', {})),
    findImage: (folder, file) => once(folder, `image ${file}`, async () => (await viewer.view(folder, 'findImage', { file })).image),
    onDidChange: changed.event,
    dispose: () => parts.forEach((part) => void part.dispose()),
  };
}

function newestOf(all: readonly RunSummary[]): RunSummary[] {
  const newest = new Map<string, RunSummary>();
  for (const run of all) {
    const key = JSON.stringify([run.baseDir, run.checkpoint, run.validation]);
    if (run.kind === 'analyze' && run.state === 'complete' && !run.problem && run.created > (newest.get(key)?.created ?? '')) newest.set(key, run);
  }
  return [...newest.values()].sort((a, b) => (a.created < b.created ? 1 : -1));
}
