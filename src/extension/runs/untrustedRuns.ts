import { join } from 'node:path';
import * as vscode from 'vscode';
import { z } from 'zod';
import { type RunSummary, runStates } from '../../shared/runSummary';

/** What a list needs of run.json; see the engine's runFile.ts. */
const runFile = z.object({
  kind: z.enum(['analyze', 'mitigate', 'finetune']).default('analyze'),
  id: z.string(),
  created: z.string(),
  state: z.enum(runStates),
  config: z.object({
    checkpoint: z.union([z.string(), z.object({ model: z.string().optional(), vision: z.string().optional() })]),
    data: z.object({ validation: z.string() }),
  }),
});
/** A run.json is a few kilobytes. */
const mostBytes = 1_000_000;

/** The runs in `<root>/.ravl/runs` without a worker, which an untrusted workspace must not start: enough to open their reports. */
export async function listUntrustedRuns(root: string): Promise<RunSummary[]> {
  const runs = vscode.Uri.file(join(root, '.ravl', 'runs'));
  const entries = await vscode.workspace.fs.readDirectory(runs);
  const read = await Promise.all(entries.map(([name]) => readRun(root, vscode.Uri.joinPath(runs, name)).catch(() => undefined)));
  return read.filter((run) => run !== undefined);
}

async function readRun(root: string, folder: vscode.Uri): Promise<RunSummary | undefined> {
  const uri = vscode.Uri.joinPath(folder, 'run.json');
  if ((await vscode.workspace.fs.stat(uri)).size > mostBytes) return undefined;
  const { kind, id, created, state, config } = runFile.parse(JSON.parse(new TextDecoder().decode(await vscode.workspace.fs.readFile(uri))));
  const { checkpoint, data } = config;
  return {
    id, folder: folder.fsPath, kind, created, baseDir: root, validation: data.validation,
    // Nothing of ours runs here; whether someone else's does cannot be told.
    state: state === 'running' ? 'interrupted' : state,
    checkpoint: typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''),
    seconds: 0, device: null, error: null, flagged: null, top: null, worstGroup: null, jobs: [], problem: null,
  };
}
