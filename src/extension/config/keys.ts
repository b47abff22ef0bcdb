import { parseDocument } from 'yaml';
import { type ConfigKey, configKeys } from '../../shared/configDocs';

/** The documented keys of ravl.yaml, made once: an editor asks at every keystroke. */
let known: readonly ConfigKey[] | undefined;
const keys = (): readonly ConfigKey[] => (known ??= configKeys());

/** The key at a path. Of alternatives (`regions.kind`), whichever the document chose. */
export function keyAt(path: readonly string[]): ConfigKey | undefined {
  const dotted = path.join('.');
  return keys().find((key) => key.path === dotted);
}

/** The keys that the mapping at `path` may hold in this document, without those of alternatives that it did not choose. */
export function keysIn(path: readonly string[], document: unknown): ConfigKey[] {
  const prefix = path.map((name) => `${name}.`).join('');
  return keys().filter((key) => key.path.startsWith(prefix) && !key.path.slice(prefix.length).includes('.') && applies(key, document));
}

function applies({ when }: ConfigKey, document: unknown): boolean {
  if (!when) return true;
  const chosen = valueAt(document, when.key.split('.')) ?? keyAt(when.key.split('.'))?.default;
  const choices = choicesOf(keyAt(when.key.split('.')));
  return !choices.includes(String(chosen)) || when.values.includes(String(chosen));
}

/** The words that a key can only be, from the type it is documented with: `auto`, `cpu` … */
export function choicesOf(key: ConfigKey | undefined): string[] {
  if (!key) return [];
  const words = [...key.type.matchAll(/`([^`]+)`/g)].map(([, word]) => word!);
  return key.type.endsWith('or null') ? [...words, 'null'] : words;
}

/** What a key holds: further keys, a list, or one value. */
export function shapeOf({ type }: ConfigKey): 'mapping' | 'list' | 'value' {
  if (/^mapping\b/.test(type)) return 'mapping';
  return /^list\b/.test(type) ? 'list' : 'value';
}

/** What a document says as far as it can be read; nothing where it cannot. */
export function looselyRead(text: string): unknown {
  if (text.length > 200_000) return undefined;
  try {
    return parseDocument(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' }).toJS({ maxAliasCount: 100 });
  } catch {
    return undefined;
  }
}

export function valueAt(document: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined), document);
}
