import { isDeepStrictEqual } from 'node:util';
import { type YAMLMap, isMap, isScalar, parseDocument } from 'yaml';

/** A key, or a key of a section. */
export type SettingPath = readonly [string] | readonly [section: string, key: string];

/**
 * The text of a config with `value` at `path`. Only the lines in question change: comments, order and layout stay as the
 * person wrote them. Where the file is written in a way that allows no such edit, the whole of it is written anew with its
 * comments. null where neither gives the value.
 */
export function withSetting(text: string, path: SettingPath, value: string | readonly number[]): string | null {
  const written = Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value);
  for (const result of [edited(text, path, written), rewritten(text, path, value)]) {
    if (result !== null && isDeepStrictEqual(valueAt(result, path), value)) return result;
  }
  return null;
}

/** The text of a config with a comment under data.validation that shows where the training images go; unchanged where it names them. */
export function withTrainComment(text: string): string {
  const document = parseDocument(text, { logLevel: 'silent' });
  const data = sectionOf(document.contents, 'data');
  if (!data || data.flow || document.hasIn(['data', 'train']) || /^\s*#\s*train:/m.test(text)) return text;
  const pair = pairOf(data, 'validation');
  const key = rangeOf(pair?.key);
  const value = rangeOf(pair?.value);
  if (!key || !value) return text;
  const line = endOfLine(text, value[1]);
  const comment = '# train: train.csv  (image-caption pairs, which fine-tuning needs)';
  return `${text.slice(0, line)}${breakOf(text)}${indentAt(text, key[0])}${comment}${text.slice(line)}`;
}

function edited(text: string, path: SettingPath, written: string): string | null {
  const { contents } = parseDocument(text, { logLevel: 'silent' });
  if (!isMap(contents) || contents.flow) return null;
  const [section, key] = path;
  const pair = pairOf(contents, section);
  if (key === undefined) return pair ? replaced(text, pair.value, written) : appended(text, `${section}: ${written}`);
  if (!pair) return appended(text, `${section}:${breakOf(text)}  ${key}: ${written}`);
  if (!isMap(pair.value)) {
    const empty = isScalar(pair.value) && pair.value.value === null && pair.value.source === '' ? rangeOf(pair.key) : undefined;
    // Of `section:` with nothing behind it: after the colon.
    return empty ? inserted(text, text.indexOf(':', empty[1]) + 1, `${breakOf(text)}  ${key}: ${written}`) : null;
  }
  const old = pairOf(pair.value, key);
  if (old) return replaced(text, old.value, written);
  const first = rangeOf(pair.value.items[0]?.key);
  if (!first) return null;
  const separator = pair.value.flow ? ', ' : `${breakOf(text)}${indentAt(text, first[0])}`;
  return inserted(text, first[0], `${key}: ${written}${separator}`);
}

function rewritten(text: string, path: SettingPath, value: string | readonly number[]): string | null {
  const document = parseDocument(text, { logLevel: 'silent' });
  try {
    document.setIn(path, document.createNode(value, { flow: true }));
    return document.toString({ lineWidth: 0 });
  } catch {
    // What stands at the path, or above it, is no mapping, or the file does not parse.
    return null;
  }
}

function valueAt(text: string, path: SettingPath): unknown {
  const document = parseDocument(text, { logLevel: 'silent' });
  return document.errors.length > 0 ? undefined : (document.toJS() as Record<string, unknown> | null) && path.reduce<unknown>((node, key) => (node as Record<string, unknown> | null | undefined)?.[key], document.toJS());
}

const pairOf = (map: YAMLMap, key: string) => map.items.find((item) => isScalar(item.key) && item.key.value === key);
const sectionOf = (contents: unknown, key: string): YAMLMap | undefined => {
  const value = isMap(contents) ? pairOf(contents, key)?.value : undefined;
  return isMap(value) ? value : undefined;
};
const rangeOf = (node: unknown): [number, number] | undefined => {
  const range = (node as { range?: [number, number, number] | null } | null | undefined)?.range;
  return range ? [range[0], range[1]] : undefined;
};

function replaced(text: string, node: unknown, written: string): string | null {
  const range = rangeOf(node);
  if (!range) return null;
  // The range of a list in block style ends with its last line break.
  const old = text.slice(range[0], range[1]);
  return text.slice(0, range[0]) + written + old.slice(old.trimEnd().length) + text.slice(range[1]);
}

const inserted = (text: string, at: number, more: string): string => text.slice(0, at) + more + text.slice(at);
const breakOf = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n');
const appended = (text: string, lines: string): string => {
  const eol = breakOf(text);
  return `${text}${text === '' || text.endsWith('\n') ? '' : eol}${eol}${lines}${eol}`;
};
const endOfLine = (text: string, at: number): number => {
  const end = text.slice(at).search(/\r?\n/);
  return end < 0 ? text.length : at + end;
};
const indentAt = (text: string, at: number): string => ' '.repeat(at - (text.lastIndexOf('\n', at - 1) + 1));
