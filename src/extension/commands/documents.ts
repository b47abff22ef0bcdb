import * as vscode from 'vscode';
import { shown } from '../../shared/words';
import { documentScheme } from '../names';

/** Read-only documents in Markdown that the extension makes: inspections, plans, evaluations. */
export interface Documents extends vscode.Disposable {
  /** Shows a document rendered, and as text where the editor cannot render it. One of the same name is replaced. */
  show(name: string, markdown: string): Promise<void>;
}

export function createDocuments(): Documents {
  const texts = new Map<string, string>();
  const changes = new vscode.EventEmitter<vscode.Uri>();
  const provider = vscode.workspace.registerTextDocumentContentProvider(documentScheme, {
    onDidChange: changes.event,
    // The editor may bring back a tab after a restart, and the text is gone with the last session.
    provideTextDocumentContent: (uri) => texts.get(uri.path) ?? vscode.l10n.t('This was made in an earlier session. Run the command again to see it.'),
  });
  return {
    async show(name, markdown) {
      const uri = vscode.Uri.from({ scheme: documentScheme, path: `/${shown(name, 100).replace(/[/\\?#%]/g, '-')}.md` });
      texts.set(uri.path, markdown);
      changes.fire(uri);
      try {
        await vscode.commands.executeCommand('markdown.showPreview', uri);
      } catch {
        await vscode.window.showTextDocument(uri, { preview: true });
      }
    },
    dispose: () => vscode.Disposable.from(provider, changes).dispose(),
  };
}

/** Text from data as Markdown that shows just that text. */
export const escaped = (text: string, max = 200): string =>
  shown(text, max).replace(/[\\`*_{}[\]()#+\-.!|~<>&:@]/g, (character) => (character === '<' ? '&lt;' : character === '&' ? '&amp;' : `\\${character}`));

/** A table of cells that are Markdown already. The columns of `align` are left (l) or right (r). */
export function table(header: readonly string[], rows: readonly (readonly string[])[], align: string): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(Array.from(align, (side) => (side === 'r' ? '--:' : ':--'))), ...rows.map(line)].join('\n');
}
