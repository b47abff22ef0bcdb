import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { RunSummary } from '../../shared/runSummary';
import { type Spec, fineTuneSpec } from '../commands/launch';
import { readConfig } from '../commands/readConfig';
import type { Context } from '../context';
import { taskType } from '../names';
import { kindInWords } from '../runs/runWords';
import type { WorkspaceFiles } from '../workspaceFiles';
import { type TaskCommand, configUri, parseDefinition } from './definition';
import { fineTuneTerminal } from './terminal';

type Parts = Pick<Context, 'jobs' | 'log'>;

/** Lets tasks.json name fine-tuning, and offers it for every config of the workspace. */
export function registerTasks(parts: Parts, files: WorkspaceFiles): vscode.Disposable {
  return vscode.tasks.registerTaskProvider(taskType, {
    provideTasks: async () => (await files.configs()).flatMap((uri) => (['mitigate', 'finetune'] as const).map((command) => configTask(parts, command, uri))),
    resolveTask: (task) => withTerminal(parts, task.definition, task.scope ?? vscode.TaskScope.Workspace, task.name, () => definedSpec(task.definition, task.scope)),
  });
}

/** The task that fine-tunes by a config. */
export function configTask(parts: Parts, command: TaskCommand, uri: vscode.Uri): vscode.Task {
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  const path = folder ? vscode.workspace.asRelativePath(uri, false) : uri.fsPath;
  const definition = { type: taskType, command, config: path };
  return withTerminal(parts, definition, folder ?? vscode.TaskScope.Workspace, `${command} ${path}`, () => definedSpec(definition, folder));
}

/** The task that goes on with a fine-tuning run, by what the run itself says it was asked for. */
export function resumeTask(parts: Parts, run: RunSummary & { readonly kind: TaskCommand }, spec: Spec<'fineTune'>): vscode.Task {
  const definition = { type: taskType, command: run.kind, config: run.folder, resume: run.id };
  return withTerminal(parts, definition, vscode.TaskScope.Workspace, `${run.kind} ${basename(run.folder)}`, () => Promise.resolve(spec));
}

async function definedSpec(definition: vscode.TaskDefinition, scope: vscode.Task['scope']): Promise<Spec<'fineTune'>> {
  const { command, run, findings, resume, ...rest } = parseDefinition(definition);
  const read = await readConfig(configUri({ command, ...rest }, scope));
  return fineTuneSpec(read, { command, run, findings, resume: resume === false ? undefined : resume });
}

function withTerminal(parts: Parts, definition: vscode.TaskDefinition, scope: NonNullable<vscode.Task['scope']>, name: string, spec: () => Promise<Spec<'fineTune'>>): vscode.Task {
  const execution = new vscode.CustomExecution(() => Promise.resolve(fineTuneTerminal(parts, spec)));
  const task = new vscode.Task(definition, scope, name, 'RaVL', execution, []);
  task.detail = kindInWords(definition['command'] === 'finetune' ? 'finetune' : 'mitigate');
  // The panel that follows the training has the focus.
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, focus: false, panel: vscode.TaskPanelKind.Dedicated, clear: true };
  return task;
}
