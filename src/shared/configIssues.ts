import type { z } from 'zod';
import { configJsonSchema, knownKeys } from './jsonSchema';
import { nearest } from './nearest';

/** A problem with a value of the config: where it is, and one sentence that says what to do. */
export interface ValueIssue {
  readonly path: readonly PropertyKey[];
  /** What an editor underlines: the key itself, or the value behind it. */
  readonly at: 'key' | 'value';
  readonly severity: 'error' | 'warning';
  readonly message: string;
  /** What the person probably meant, to put in its place. */
  readonly meant?: string;
}

type Issue = z.core.$ZodIssue;
type Label = (path: readonly PropertyKey[]) => string;

/**
 * zod's issues as sentences.
 *
 * @param root the value that was checked
 * @param label how messages name a path: `data.columns` for a file, `--seed` for a command-line option
 */
export function describeIssues(issues: readonly Issue[], root: unknown, label: Label): ValueIssue[] {
  return issues.flatMap((issue) => describe(issue, root, label));
}

/** `data.columns.image`, `prompts[0]`; the empty path is "the config". */
export function dotted(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the config';
  return path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${shown(key)}` : shown(key)), '');
}

function describe(issue: Issue, root: unknown, label: Label): ValueIssue[] {
  const { path } = issue;
  const error = (message: string, at: ValueIssue['at'] = 'value', where: readonly PropertyKey[] = path): ValueIssue[] => [
    { path: where, at, severity: 'error', message },
  ];
  const value = valueAt(root, path);
  const name = label(path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, knownKeys(configJsonSchema(), root, path), [...path, key], name));
    case 'invalid_union':
      return describeUnion(issue, root, label);
    case 'invalid_type':
      if (value === undefined) return error(`${name} is missing; add it.`, 'key', path);
      return error(wrongType(name, [issue.expected], value));
    case 'invalid_value':
      return wrongValue(path, name, issue.values.map(String), value);
    case 'too_small':
      if (issue.origin === 'string') return error(`${name} is empty; write a value.`);
      if (issue.origin === 'array') return error(tooShort(name, value, Number(issue.minimum)));
      return error(`${name} must be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}, not ${written(value)}.`);
    case 'too_big':
      if (issue.origin === 'array') return error(`${name} must have ${entries(Number(issue.maximum))}, not ${(value as unknown[]).length}.`);
      return error(`${name} must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}, not ${written(value)}.`);
    case 'custom':
    case 'invalid_format':
      return error(`${name} is ${written(value)}; ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`);
    default:
      return error(`${name} cannot be ${written(value)}.`);
  }
}

/** Follows the alternative the person evidently meant: the one whose kind of value (text, mapping) was written. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion, root: unknown, label: Label): ValueIssue[] {
  const { path } = issue;
  const value = valueAt(root, path);
  if (issue.discriminator !== undefined && 'options' in issue) {
    const choices = (issue.options as readonly unknown[]).map(String);
    if (value !== undefined) return wrongValue(path, label(path), choices, value);
    return [{ path, at: 'value', severity: 'error', message: `${label(path)} is missing; it must be ${oneOf(choices)}.` }];
  }
  const meant = issue.errors.find((errors) => !errors.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0));
  if (meant) return meant.flatMap((inner) => describe({ ...inner, path: [...path, ...inner.path] }, root, label));
  const expected = issue.errors.flatMap((errors) => errors.flatMap((inner) => (inner.code === 'invalid_type' ? [inner.expected] : [])));
  return [{ path, at: 'value', severity: 'error', message: value === undefined ? `${label(path)} is missing; add it.` : wrongType(label(path), expected, value) }];
}

function unknownKey(key: string, known: readonly string[], path: readonly PropertyKey[], where: string): ValueIssue {
  const near = nearest(key, known);
  const help = near ? `did you mean "${near}"?` : known.length > 0 ? `the keys there are ${listed(known, 'and')}.` : 'remove it.';
  return { path, at: 'key', severity: 'error', message: `Unknown key "${shown(key)}" in ${where}; ${help}`, ...(near ? { meant: near } : {}) };
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping of keys to values',
  null: 'null',
};

function wrongType(name: string, expected: readonly string[], value: unknown): string {
  const wanted = listed([...new Set(expected.map((type) => typeNames[type] ?? type))], 'or');
  if (value === null) return `${name} has no value; give it ${wanted}, or leave the key out.`;
  const quotable = expected.includes('string') && (typeof value === 'number' || typeof value === 'boolean');
  return `${name} must be ${wanted}, not ${written(value)}${quotable ? '; put quotes around it' : ''}.`;
}

function wrongValue(path: readonly PropertyKey[], name: string, choices: readonly string[], value: unknown): ValueIssue[] {
  const near = typeof value === 'string' ? nearest(value, choices) : undefined;
  return [{ path, at: 'value', severity: 'error', message: `${name} must be ${oneOf(choices)}, not ${written(value)}.`, ...(near ? { meant: near } : {}) }];
}

function tooShort(name: string, value: unknown, minimum: number): string {
  const length = Array.isArray(value) ? value.length : 0;
  return length === 0 ? `${name} is an empty list; add an entry, or leave the key out.` : `${name} must have ${entries(minimum)}, not ${length}.`;
}

const entries = (count: number): string => `${count} ${count === 1 ? 'entry' : 'entries'}`;
const oneOf = (choices: readonly string[]): string => (choices.length === 1 ? choices[0]! : `one of ${listed(choices, 'or')}`);

function listed(items: readonly string[], word: 'and' | 'or'): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1)!}`;
}

/** A value as a message shows it: short, on one line. */
export function written(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return typeof value === 'string' ? JSON.stringify(shown(value)) : String(value);
}

function shown(key: PropertyKey): string {
  const text = String(key).replace(/\p{C}/gu, '\u{FFFD}');
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined),
    root,
  );
}
