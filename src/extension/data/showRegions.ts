import { dirname, extname, sep } from 'node:path';
import * as vscode from 'vscode';
import type { Context } from '../context';
import { guarded, isCancellation, sentence } from '../messages';
import { commands, contextKeys } from '../names';
import { requireTrust } from '../trust';
import type { RunSummary } from '../../shared/runSummary';
import type { Analyses } from './analyses';
import { imageNotAnalyzed, noImage } from './errors';

const imageExtensions = new Set(['.avif', '.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp']);

/**
 * The command "Show Regions", for a file in the explorer, the active image editor, or an image of a run by number
 * ({ folder, image }); and the context key that offers it, which is true while an analyzed image is the active editor.
 */
export function registerShowRegions({ log, panels }: Pick<Context, 'log' | 'panels'>, analyses: Analyses): vscode.Disposable {
  const show = async (target?: unknown) => {
    if (isImageOfRun(target)) return panels.openImage(target.folder, target.image);
    const uri = target instanceof vscode.Uri ? target : activeUri();
    if (!uri || !isImage(uri)) throw noImage();
    requireTrust();
    const found = await findImage(uri.fsPath, analyses.newest(), analyses);
    if (!found) throw imageNotAnalyzed(uri.fsPath);
    await panels.openImage(found.folder, found.image);
  };

  let offered: boolean | undefined;
  let update = 0;
  const offer = async () => {
    const current = ++update;
    const file = activeUri();
    let analyzed = false;
    try {
      // Tabs change often: other files, and images away from every run, ask nobody.
      if (file && isImage(file)) analyzed = (await findImage(file.fsPath, analyses.newest().filter((run) => isNear(run, file.fsPath)), analyses)) !== undefined;
    } catch (error) {
      if (!isCancellation(error)) log.warn(`Whether ${file?.fsPath} was analyzed is not known: ${sentence(error)}`);
    }
    if (current !== update || analyzed === offered) return;
    offered = analyzed;
    await vscode.commands.executeCommand('setContext', contextKeys.imageAnalyzed, analyzed);
  };
  void offer();
  return vscode.Disposable.from(
    vscode.commands.registerCommand(commands.showRegions, guarded(log, show)),
    vscode.window.tabGroups.onDidChangeTabs(offer),
    vscode.window.tabGroups.onDidChangeTabGroups(offer),
    analyses.onDidChange(offer),
  );
}

/** The first of `runs` whose data have the file. */
async function findImage(file: string, runs: readonly RunSummary[], analyses: Analyses): Promise<{ folder: string; image: number } | undefined> {
  for (const { folder } of runs) {
    const image = await analyses.findImage(folder, file);
    if (image !== null) return { folder, image };
  }
  return undefined;
}

function activeUri(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputCustom || input instanceof vscode.TabInputText ? input.uri : undefined;
}

const isImage = (uri: vscode.Uri): boolean => uri.scheme === 'file' && imageExtensions.has(extname(uri.path).toLowerCase());

/** Whether a file lies in the folder of the run's config, or in the one that holds `.ravl/runs/<id>`. */
const isNear = (run: RunSummary, file: string): boolean => [run.baseDir, dirname(dirname(dirname(run.folder)))].some((folder) => file.startsWith(folder.endsWith(sep) ? folder : folder + sep));

const isImageOfRun = (target: unknown): target is { folder: string; image: number } =>
  typeof target === 'object' && target !== null && 'folder' in target && typeof target.folder === 'string' && 'image' in target && typeof target.image === 'number';
