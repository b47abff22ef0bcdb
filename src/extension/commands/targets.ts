import { dirname, relative, resolve, sep } from 'node:path';
import * as vscode from 'vscode';
import type { CheckpointConfig } from '../../shared/config';
import { RavlError } from '../../shared/errors';
import { ActionableError } from '../messages';
import { commands } from '../names';
import { iconless } from '../runs/runWords';
import { type WorkspaceFiles, isConfig } from '../workspaceFiles';
import { type ReadConfig, readConfigQuietly } from './readConfig';

/** What a command was asked to work on, in the explorer, the editor's title or a CodeLens: undefined in the palette. */
export type Target = vscode.Uri | undefined;

/**
 * The config that a command is for: the target, the one in the active editor, the only one there is, or the one that the
 * person picks; undefined where they pick none. Throws RavlError `config-missing` with a button that makes one.
 */
export async function chooseConfig(files: WorkspaceFiles, target: Target): Promise<vscode.Uri | undefined> {
  if (target) return target;
  const active = vscode.window.activeTextEditor?.document.uri;
  if (active && isConfig(active)) return active;
  const configs = await files.configs();
  if (configs.length === 0) throw noConfig();
  if (configs.length === 1) return configs[0];
  const items = configs.map((uri) => ({ label: iconless(vscode.workspace.asRelativePath(uri)), uri }));
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t('RaVL'), placeHolder: vscode.l10n.t('Which config?') }))?.uri;
}

/** The valid configs of the workspace, those nearest to `uri` first. */
export async function configsNear(files: WorkspaceFiles, uri: vscode.Uri): Promise<ReadConfig[]> {
  const read = (await Promise.all((await files.configs()).map(readConfigQuietly))).filter((config) => config !== undefined);
  const steps = ({ baseDir }: ReadConfig): number => relative(dirname(uri.fsPath), baseDir).split(sep).length + (within(uri.fsPath, baseDir) ? 0 : 1000);
  return read.sort((a, b) => steps(a) - steps(b));
}

/** Whether a config's checkpoint is what the person pointed at: the folder itself, or a model in it. */
export function names({ config: { checkpoint }, baseDir }: Pick<ReadConfig, 'config' | 'baseDir'>, uri: vscode.Uri): boolean {
  return checkpointPaths(checkpoint).some((path) => {
    const absolute = resolve(baseDir, path);
    return within(uri.fsPath, absolute) || (typeof checkpoint !== 'string' && within(absolute, uri.fsPath));
  });
}

const checkpointPaths = (checkpoint: CheckpointConfig): string[] =>
  typeof checkpoint === 'string' ? [checkpoint] : [checkpoint.model, checkpoint.vision, checkpoint.text].filter((path) => path !== undefined);

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

const noConfig = () =>
  new ActionableError(new RavlError('config-missing', vscode.l10n.t('There is no ravl.yaml in this workspace to say what to work on.'), ''), [
    { title: vscode.l10n.t('Create Config'), run: () => vscode.commands.executeCommand(commands.createConfig) },
  ]);
