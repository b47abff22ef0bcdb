import { basename } from 'node:path';
import * as vscode from 'vscode';
import { shown } from '../../shared/words';
import { reportMissing, reportTooLarge } from './errors';

/** Reports hold thumbnails of what they show, so they stay far below this. */
const maxReport = 64 * 1024 * 1024;

/**
 * A run's report.html in an editor tab. It is shown as it stands on disk, which nobody may have checked: no scripts, and
 * nothing from anywhere else. That is all RaVL shows in a workspace that is not trusted, as no process is needed for it.
 */
export async function showReport(folder: string, panel?: vscode.WebviewPanel): Promise<void> {
  const page = staticPage(await reportText(folder));
  const target =
    panel ?? vscode.window.createWebviewPanel('ravl.report', vscode.l10n.t('Report: {0}', shown(basename(folder), 40)), vscode.ViewColumn.Active, { enableScripts: false, enableFindWidget: true, localResourceRoots: [] });
  target.webview.options = { enableScripts: false, localResourceRoots: [] };
  target.webview.html = page;
}

/** The report's file. */
export const reportFile = (folder: string): vscode.Uri => vscode.Uri.joinPath(vscode.Uri.file(folder), 'report.html');

async function reportText(folder: string): Promise<string> {
  const file = reportFile(folder);
  const size = await vscode.workspace.fs.stat(file).then(
    (stat) => stat.size,
    (error: unknown) => {
      throw reportMissing(file.fsPath, error);
    },
  );
  if (size > maxReport) throw reportTooLarge(file.fsPath);
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
}

/**
 * The report behind a policy of ours, which comes first and so holds whatever the file says: a parser takes the file's own
 * <html> and <head> for repetitions. Refreshes, which no policy stops, are taken out.
 */
export const staticPage = (report: string): string =>
  `<!DOCTYPE html><html><head><meta http-equiv="Content-Security-Policy" content="${policy}">${report.replace(/http-equiv/gi, 'data-ignored')}`;

const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
