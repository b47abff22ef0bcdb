import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { PanelKind } from '../../shared/panelApi';

/** The folder that a panel's page may load from: the script, its styles and the icons' font. */
export const webviewFolder = (extension: vscode.Uri): vscode.Uri => vscode.Uri.joinPath(extension, 'dist', 'webview');

/** The page of a panel: one script, and no data but which panel it is. */
export function panelHtml(webview: Pick<vscode.Webview, 'cspSource' | 'asWebviewUri'>, extension: vscode.Uri, kind: PanelKind, title: string): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) => escaped(webview.asWebviewUri(vscode.Uri.joinPath(webviewFolder(extension), name)).toString());
  const source = webview.cspSource;
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${source}; font-src ${source}; img-src blob: ${source}`;
  return page(
    policy,
    title,
    `<link rel="stylesheet" href="${file('codicon.css')}"><link rel="stylesheet" href="${file('panel.css')}">`,
    `<body data-kind="${kind}"><script nonce="${nonce}" src="${file('panel.js')}"></script></body>`,
  );
}

/** A page with one sentence, in the editor's own look. */
export const noticeHtml = (title: string, text: string): string => page("default-src 'none'", title, '', `<body><p role="status">${escaped(text)}</p></body>`);

/** Text from data as a page may hold it, in an element or in a quoted attribute. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

const page = (policy: string, title: string, links: string, body: string): string =>
  `<!DOCTYPE html>
<html lang="${escaped(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
${links}
</head>
${body}
</html>`;
