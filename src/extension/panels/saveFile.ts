import { join } from 'node:path';
import * as vscode from 'vscode';
import { notWritten } from './errors';

/** Asks where to, then writes. False where the person thought better of it. */
export async function saveFile(folder: string, name: string, text: string, filters: Record<string, string[]>): Promise<boolean> {
  // A name is made of data; a dialog takes a folder in it for a place.
  const safe = name.replace(/[^\p{L}\p{N}._ -]/gu, '_').replace(/^\.+/, '_').slice(0, 120) || 'ravl';
  const target = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.file(join(folder, safe)), filters });
  if (!target) return false;
  try {
    await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
  } catch (error) {
    throw notWritten(target.fsPath, error);
  }
  return true;
}
