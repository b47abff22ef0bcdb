import * as vscode from 'vscode';
import type { Context } from '../context';
import { commands } from '../names';
import { requireTrust } from '../trust';
import { type WorkspaceFiles, isConfig } from '../workspaceFiles';
import { startAnalysis } from './launch';
import { readConfig } from './readConfig';
import { type Target, chooseConfig, configsNear, names } from './targets';

/**
 * Starts an analysis of each target: a config, or a checkpoint, for which the nearest config that names it is taken, or one
 * is made. In the palette: of the config at hand.
 */
export async function analyze({ jobs }: Pick<Context, 'jobs'>, files: WorkspaceFiles, target: Target, selected: readonly vscode.Uri[] = []): Promise<void> {
  requireTrust();
  for (const each of selected.length > 1 ? selected : [target]) {
    const config = each && !isConfig(each) ? await configForCheckpoint(files, each) : await chooseConfig(files, each);
    if (config) startAnalysis(jobs, await readConfig(config));
  }
}

/** undefined where the person did not want to make a config. */
async function configForCheckpoint(files: WorkspaceFiles, checkpoint: vscode.Uri): Promise<vscode.Uri | undefined> {
  const near = await configsNear(files, checkpoint);
  return near.find((config) => names(config, checkpoint))?.uri ?? (await vscode.commands.executeCommand<vscode.Uri | undefined>(commands.createConfig, checkpoint));
}
