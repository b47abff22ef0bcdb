import * as vscode from 'vscode';
import type { ConfigKey } from '../../shared/configDocs';
import { keyAt } from './keys';
import { placeAt } from './yamlPlace';

/** What a key means, its type and default, on the key and on its value. */
export const hoverProvider: vscode.HoverProvider = {
  provideHover(document, position) {
    const place = placeAt(linesOf(document), position.line, position.character);
    if (!place || place.start === place.end) return undefined;
    const key = keyAt(place.kind === 'key' ? [...place.path, place.text] : place.path);
    return key && new vscode.Hover(keyText(key), new vscode.Range(position.line, place.start, position.line, place.end));
  },
};

/** A key's documentation. */
export function keyText(key: ConfigKey): vscode.MarkdownString {
  const preset = key.required ? vscode.l10n.t('required') : key.default === undefined || isMapping(key.default) ? '' : vscode.l10n.t('default {0}', `\`${JSON.stringify(key.default)}\``);
  const only = key.when ? vscode.l10n.t('Only with {0}.', `\`${key.when.key}: ${key.when.values.join(' | ')}\``) : '';
  const facts = [key.type, preset].filter(Boolean).join(' · ');
  return new vscode.MarkdownString([`**${key.path}** — ${facts}`, key.description, only].filter(Boolean).join('\n\n'));
}

export const linesOf = (document: vscode.TextDocument): string[] => document.getText().split(/\r?\n/);

const isMapping = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
