import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Context } from '../context';
import { walkthrough } from '../names';
import { sampleNotCopied } from './errors';

/** Set while the sample is being opened, for the window that comes up with it. */
const openingKey = 'ravl.openingSample';

/** Puts a copy of the shipped sample where the person wants it and opens it, in this window where that is empty. */
export async function openSample({ extension }: Pick<Context, 'extension'>): Promise<void> {
  const { t } = vscode.l10n;
  const own = vscode.Uri.joinPath(extension.globalStorageUri, 'sample').fsPath;
  const picked = await vscode.window.showQuickPick(
    [
      { label: `$(archive) ${t("In RaVL's own folder")}`, description: existsSync(own) ? t('it is there already, with its runs') : own, own: true },
      { label: `$(folder-opened) ${t('Choose a folder…')}`, description: t('for a copy called ravl-sample'), own: false },
    ],
    { title: t('Open Sample'), placeHolder: t('A small CLIP that has learned a shortcut, with its images and its ravl.yaml') },
  );
  if (!picked) return;
  const chosen = picked.own ? undefined : (await vscode.window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true, openLabel: t('Copy Sample Here') }))?.[0];
  if (!picked.own && !chosen) return;
  const folder = chosen ? join(chosen.fsPath, 'ravl-sample') : own;
  await copySample(join(extension.extensionPath, 'media', 'sample'), folder);
  if (vscode.workspace.workspaceFolders?.some(({ uri }) => uri.fsPath === folder)) return showSample(folder);
  await extension.globalState.update(openingKey, folder);
  const empty = !vscode.workspace.workspaceFolders;
  await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.file(folder), empty ? { forceReuseWindow: true } : { forceNewWindow: true });
}

/** In the window that Open Sample opened: its ravl.yaml, whose first line has the next step, and the walkthrough beside it. */
export async function greetSample({ extension }: Pick<Context, 'extension'>): Promise<void> {
  const folder = extension.globalState.get<string>(openingKey);
  if (folder === undefined || !vscode.workspace.workspaceFolders?.some(({ uri }) => uri.fsPath === folder)) return;
  await extension.globalState.update(openingKey, undefined);
  await showSample(folder);
  await vscode.commands.executeCommand('workbench.action.openWalkthrough', { category: `${extension.extension.id}#${walkthrough}` }, true);
}

async function showSample(folder: string): Promise<void> {
  await vscode.window.showTextDocument(vscode.Uri.file(join(folder, 'ravl.yaml')), { preview: false });
}

/** A copy appears whole or not at all. Where there is one, what is missing is added, and what is there stays as it is. */
async function copySample(from: string, folder: string): Promise<void> {
  const copied = (source: string): boolean => !source.slice(from.length).split(/[\\/]/).includes('.ravl');
  const partial = `${folder}.${randomUUID()}`;
  try {
    if (existsSync(folder)) {
      await cp(from, folder, { recursive: true, force: false, filter: copied });
      return;
    }
    await mkdir(dirname(folder), { recursive: true });
    await cp(from, partial, { recursive: true, filter: copied });
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw sampleNotCopied(folder, error);
  }
}
