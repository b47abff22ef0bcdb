import { isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import { z } from 'zod';
import { RavlError } from '../../shared/errors';
import { taskType } from '../names';

/** A task of type `ravl` in tasks.json; package.json describes it to the editor. */
export const taskDefinition = z.object({
  type: z.literal(taskType),
  command: z.enum(['mitigate', 'finetune']),
  config: z.string().min(1),
  run: z.string().optional(),
  findings: z.array(z.int().min(1)).min(1).optional(),
  resume: z.union([z.boolean(), z.string()]).optional(),
});
export type TaskDefinition = z.infer<typeof taskDefinition>;
export type TaskCommand = TaskDefinition['command'];

/** Throws RavlError `usage-task` where a tasks.json says something that is no such task. */
export function parseDefinition(given: unknown): TaskDefinition {
  const { data, error } = taskDefinition.safeParse(given);
  if (data) return data;
  const issue = error.issues[0]!;
  throw new RavlError('usage-task', vscode.l10n.t('This task of type ravl is not complete: {0}: {1}.', issue.path.join('.') || taskType, issue.message), vscode.l10n.t('Mend it in tasks.json.'));
}

/** The config of a task: its path starts from the task's folder, or from the first one of the workspace. */
export function configUri({ config }: TaskDefinition, scope: vscode.Task['scope']): vscode.Uri {
  if (isAbsolute(config)) return vscode.Uri.file(config);
  const folder = typeof scope === 'object' ? scope : vscode.workspace.workspaceFolders?.[0];
  if (!folder) throw new RavlError('usage-task', vscode.l10n.t('There is no folder that {0} could be in.', config), vscode.l10n.t('Open a folder, or give the absolute path.'));
  return vscode.Uri.file(join(folder.uri.fsPath, config));
}
