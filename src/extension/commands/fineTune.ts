import * as vscode from 'vscode';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import { ActionableError } from '../messages';
import { commands } from '../names';
import type { TaskCommand } from '../tasks/definition';
import { configTask } from '../tasks/task';
import { requireTrust } from '../trust';
import { type WorkspaceFiles, isConfig } from '../workspaceFiles';
import type { Documents } from './documents';
import { fineTuneSpec, resultOf } from './launch';
import { planMarkdown } from './planMarkdown';
import { type ReadConfig, readConfig } from './readConfig';
import { type Target, chooseConfig } from './targets';

/** Runs fine-tuning as a task: its terminal shows what it does, and the training panel follows. */
export async function fineTune({ jobs, log }: Pick<Context, 'jobs' | 'log'>, files: WorkspaceFiles, command: TaskCommand, target: Target): Promise<void> {
  const read = await trainingConfig(files, target);
  if (read) await vscode.tasks.executeTask(configTask({ jobs, log }, command, read.uri));
}

/** Measures what fine-tuning would take, and shows it. */
export async function plan({ jobs }: Pick<Context, 'jobs'>, files: WorkspaceFiles, documents: Documents, target: Target): Promise<void> {
  const read = await trainingConfig(files, target);
  if (!read) return;
  const job = jobs.start<'plan'>({ ...fineTuneSpec(read, { command: 'mitigate' }), kind: 'plan' });
  const measured = await resultOf(job);
  if (measured) await documents.show(vscode.l10n.t('Plan for {0}', job.spec.title), planMarkdown(measured));
}

/** The chosen config, once it is sure that it can be trained with. */
async function trainingConfig(files: WorkspaceFiles, target: Target): Promise<ReadConfig | undefined> {
  requireTrust();
  const uri = await chooseConfig(files, target && isConfig(target) ? target : undefined);
  if (!uri) return undefined;
  const read = await readConfig(uri);
  if (read.config.data.train === undefined) throw noTrainingData(uri);
  return read;
}

const noTrainingData = (uri: vscode.Uri) =>
  new ActionableError(
    new RavlError('config-no-training-data', vscode.l10n.t('{0} names no training data: data.train is the table of image-caption pairs to fine-tune on.', vscode.workspace.asRelativePath(uri)), ''),
    [{ title: vscode.l10n.t('Open File'), run: () => vscode.commands.executeCommand('vscode.open', uri) }, { title: vscode.l10n.t('Analyze'), run: () => vscode.commands.executeCommand(commands.analyze, uri) }],
  );
