import { basename, dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { ConfigKey } from '../../shared/configDocs';
import { yamlScalar } from '../../shared/initFile';
import type { Context } from '../context';
import { keyText, linesOf } from './hover';
import { choicesOf, keyAt, keysIn, looselyRead, shapeOf, valueAt } from './keys';
import { type PathKind, pathKinds } from './paths';
import { snippets } from './snippets';
import { type KeyPlace, type Place, type ValuePlace, placeAt } from './yamlPlace';

/**
 * Completion of ravl.yaml by where the cursor is: keys, what they can be, files beside the config, columns of its table.
 *
 * @param described another extension completes keys and choices from the schema
 */
export function completionProvider(context: Pick<Context, 'viewer' | 'log'>, described: () => boolean): vscode.CompletionItemProvider {
  return {
    async provideCompletionItems(document, position, token) {
      const lines = linesOf(document);
      const place = placeAt(lines, position.line, position.character);
      if (!place) return [];
      const root = looselyRead(without(lines, position.line, place));
      const at = { document, root, range: new vscode.Range(position.line, place.start, position.line, place.end) };
      if (place.kind === 'key') {
        const inside = described() ? [] : keyItems(place, at);
        // In the line below its key, a value may begin too.
        const below = inside.length === 0 && place.path.length > 0 && !place.flow;
        return [...(/\S/.test(document.getText()) ? [] : snippets(at.range)), ...inside, ...(below && !described() ? choiceItems(place.path, at) : [])];
      }
      return [
        ...(described() || place.entry ? [] : choiceItems(place.path, at)),
        ...(await pathItems(place, at)),
        ...(await columnItems(place, at, context, token)),
      ];
    },
  };
}

interface At {
  readonly document: vscode.TextDocument;
  readonly root: unknown;
  readonly range: vscode.Range;
}

/** The document without the line that is being typed, which may be no YAML yet. */
function without(lines: readonly string[], line: number, place: Place): string {
  const typed = lines[line]!;
  const rest = place.flow ? typed.slice(0, place.start) + typed.slice(place.end) : '';
  return [...lines.slice(0, line), rest, ...lines.slice(line + 1)].join('\n');
}

function keyItems(place: KeyPlace, { root, range }: At): vscode.CompletionItem[] {
  const there = valueAt(root, place.path);
  const taken = new Set(typeof there === 'object' && there !== null ? Object.keys(there) : []);
  return keysIn(place.path, root)
    .map((key, order) => ({ key, order, name: key.path.split('.').at(-1)! }))
    .filter(({ name }) => !taken.has(name) || name === place.text)
    .map(({ key, order, name }) => {
      const item = new vscode.CompletionItem(name, vscode.CompletionItemKind.Property);
      item.detail = key.type;
      item.documentation = keyText(key);
      item.sortText = String(order).padStart(3, '0');
      item.range = range;
      item.insertText = place.colon ? name : new vscode.SnippetString(keySnippet(name, key, place));
      const asks = choicesOf(key).length > 0 || key.path in pathKinds || key.path.startsWith('data.columns.');
      if (!place.colon && asks) item.command = suggestAgain;
      return item;
    });
}

const suggestAgain = { command: 'editor.action.triggerSuggest', title: '' };

function keySnippet(name: string, key: ConfigKey, { flow }: KeyPlace): string {
  switch (shapeOf(key)) {
    case 'mapping':
      return flow ? `${name}: { $0 }` : `${name}:\n  $0`;
    case 'list':
      return flow ? `${name}: [$0]` : `${name}:\n  - $0`;
    case 'value':
      if (choicesOf(key).length > 0 || typeof key.default !== 'number') return `${name}: $0`;
      return `${name}: \${0:${key.default}}`;
  }
}

function choiceItems(path: readonly string[], { range }: At): vscode.CompletionItem[] {
  const key = keyAt(path);
  return choicesOf(key).map((word, order) => {
    const item = new vscode.CompletionItem(word, vscode.CompletionItemKind.EnumMember);
    if (String(key!.default) === word) item.detail = vscode.l10n.t('default');
    item.documentation = keyText(key!);
    item.sortText = String(order).padStart(3, '0');
    item.range = range;
    return item;
  });
}

/** More entries than a list of suggestions is of use for. */
const mostFiles = 500;

/** The entries of the folder that the path leads to so far. */
async function pathItems({ path, text, flow, entry }: ValuePlace, { document, range }: At): Promise<vscode.CompletionItem[]> {
  const kind = pathKinds[path.join('.')];
  if (!kind || entry) return [];
  const written = text.replace(/^["']|["']$/g, '');
  const folder = written.slice(0, written.lastIndexOf('/') + 1);
  const base = vscode.Uri.file(resolve(dirname(document.uri.fsPath), folder));
  const entries = await vscode.workspace.fs.readDirectory(base).then((all) => all, () => []);
  const hidden = basename(written).startsWith('.') && !written.endsWith('/');
  return entries
    .filter(([name, type]) => (hidden || !name.startsWith('.')) && fits(name, type, kind))
    .slice(0, mostFiles)
    .map(([name, type]) => {
      const isFolder = (type & vscode.FileType.Directory) !== 0;
      const item = new vscode.CompletionItem(isFolder ? `${name}/` : name, isFolder ? vscode.CompletionItemKind.Folder : vscode.CompletionItemKind.File);
      item.insertText = scalar(folder + name, text, flow);
      // What is there already is compared with this, quotation mark included.
      item.filterText = `${/^["']/.exec(text)?.[0] ?? ''}${folder}${name}`;
      item.sortText = `${isFolder === kind.folder ? '0' : '1'}${name}`;
      item.range = range;
      return item;
    });
}

const fits = (name: string, type: vscode.FileType, { files }: PathKind): boolean => (type & vscode.FileType.Directory) !== 0 || files.test(name);

async function columnItems({ path, text, flow }: ValuePlace, { document, root, range }: At, { viewer, log }: Pick<Context, 'viewer' | 'log'>, token: vscode.CancellationToken): Promise<vscode.CompletionItem[]> {
  const [data, columns, role] = path;
  if (data !== 'data' || columns !== 'columns' || role === undefined || !vscode.workspace.isTrusted) return [];
  const table = valueAt(root, ['data', role === 'caption' ? 'train' : 'validation']) ?? valueAt(root, ['data', 'validation']);
  if (typeof table !== 'string') return [];
  const source = resolve(dirname(document.uri.fsPath), table);
  const stop = new AbortController();
  const listening = token.onCancellationRequested(() => stop.abort());
  try {
    const names = await viewer.api.tableColumns({ source }, { signal: stop.signal });
    return names.map((name, order) => {
      const item = new vscode.CompletionItem(name, vscode.CompletionItemKind.Field);
      item.detail = vscode.l10n.t('column of {0}', table);
      item.insertText = scalar(name, text, flow);
      item.filterText = `${/^["']/.exec(text)?.[0] ?? ''}${name}`;
      item.sortText = String(order).padStart(4, '0');
      item.range = range;
      return item;
    });
  } catch (error) {
    log.debug(`No columns to complete: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  } finally {
    listening.dispose();
  }
}

/** A text as YAML: in quotes where it has to be or already is. */
function scalar(value: string, written: string, flow: boolean): string {
  return /^["']/.test(written) || (flow && /[,[\]{}]/.test(value)) ? JSON.stringify(value) : yamlScalar(value);
}
