import { LineCounter, isAlias, isCollection, isMap, isPair, isScalar, isSeq, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair, YAMLError } from 'yaml';
import { type Config, configSchema } from './config';
import { type ValueIssue, describeIssues, dotted } from './configIssues';
import { contradictions } from './configRules';
import { RavlError } from './errors';

/** One problem with a config, as an editor or a terminal shows it. Lines and columns count from 1; the end is exclusive. */
export interface ConfigIssue {
  readonly message: string;
  readonly severity: 'error' | 'warning';
  readonly path: readonly PropertyKey[];
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** The command-line option that gave the value, when the file did not. */
  readonly option?: string;
  /** What to put in its place, where one can guess what was meant. */
  readonly meant?: string;
}

export interface ParsedConfig {
  /** There when no issue is an error. */
  readonly config?: Config;
  /** The YAML with its comments and positions. */
  readonly document: Document;
  readonly issues: readonly ConfigIssue[];
}

/** A value that wins over the file: `--seed 7` is { option: '--seed', path: ['seed'], value: 7 }. */
export interface Override {
  readonly option: string;
  readonly path: readonly string[];
  /** A function makes it of the value that was there. */
  readonly value: unknown;
}

/** Far more than a config needs, and little enough that hostile YAML cannot keep the editor busy. */
const maxLength = 1_000_000;
const maxAliasCount = 100;
const tooDeep = 'The nesting is too deep to read; a config has four levels at most.';

/**
 * Reads ravl.yaml. Never throws: whatever is wrong comes back as issues, in the file's order.
 *
 * @param fileName how messages about the file as a whole name it
 */
export function parseConfig(text: string, fileName: string, overrides: readonly Override[] = []): ParsedConfig {
  const source = text.replace(/^\uFEFF/, '');
  const lines = lineStarts(source);
  const tooLong = source.length > maxLength;
  // Duplicate keys are found below: the library compares every pair of them.
  const document = parseDocument(tooLong ? '' : source, { prettyErrors: false, uniqueKeys: false, logLevel: 'error' });
  const at = (range: Range): Pick<ConfigIssue, 'line' | 'column' | 'endLine' | 'endColumn'> => {
    const start = lines.linePos(Math.min(range[0], source.length));
    const end = lines.linePos(Math.min(Math.max(range[1], range[0]), source.length));
    return { line: start.line, column: start.col, endLine: end.line, endColumn: end.col };
  };
  const failed = (problems: readonly Problem[]): ParsedConfig => ({
    document,
    issues: problems.map(({ message, range }) => ({ message, severity: 'error' as const, path: [], ...at(range) })),
  });

  if (tooLong) return failed([{ message: `${fileName} is longer than a config can be; check that it is the right file.`, range: [0, 0] }]);
  const syntax = syntaxProblems(document);
  if (syntax.length > 0) return failed(syntax);
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    if (overrides.length === 0) return failed([{ message: `${fileName} is empty; it needs at least checkpoint and data.validation.`, range: [0, 0] }]);
  }
  const value = plainValue(document);
  if ('problem' in value) return failed([value.problem]);

  const checked = checkConfig(value.value, overrides);
  const issues = checked.issues.map(({ path, at: part, severity, message, meant }): ConfigIssue => {
    const option = overrides.findLast((override) => covers(override, path))?.option;
    const range = option === undefined ? locate(document, path, part) : ([0, 0] as const);
    return { message, severity, path, ...at(range), ...(option === undefined ? (meant === undefined ? {} : { meant }) : { option }) };
  });
  issues.sort((a, b) => a.line - b.line || a.column - b.column);
  return { ...(checked.config ? { config: checked.config } : {}), document, issues };
}

/**
 * Checks a config given as plain data, with overrides applied.
 *
 * @param option names the command-line option for a path that neither the data nor an override gave
 */
export function checkConfig(
  value: unknown,
  overrides: readonly Override[] = [],
  option: (path: readonly PropertyKey[]) => string | undefined = () => undefined,
): { config?: Config; issues: ValueIssue[] } {
  const merged = overrides.reduce((root, { path, value: given }) => withValue(root, path, given), value ?? (overrides.length > 0 ? {} : value));
  const label = (path: readonly PropertyKey[]): string => {
    const override = overrides.findLast((candidate) => covers(candidate, path));
    if (!override) return option(path) ?? dotted(path);
    const rest = path.slice(override.path.length).filter((key) => typeof key !== 'number');
    return [override.option, ...rest.map(String)].join(' ');
  };
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) return { issues: describeIssues(parsed.error.issues, merged, label) };
  const issues = contradictions(parsed.data, label);
  return issues.some(({ severity }) => severity === 'error') ? { issues } : { config: parsed.data, issues };
}

/** All errors of a config as one error: the first ten as `file:line:column: sentence`, then how many more there are. */
export function configError(issues: readonly ConfigIssue[], file: string): RavlError {
  const errors = issues.filter(({ severity }) => severity === 'error');
  const shown = errors.slice(0, 10).map(({ option, line, column, message }) => (option === undefined ? `${file}:${line}:${column}: ${message}` : message));
  const more = errors.length - shown.length;
  if (more > 0) shown.push(`… and ${more} more ${more === 1 ? 'problem' : 'problems'}.`);
  const inFile = errors.some(({ option }) => option === undefined);
  return new RavlError('config-invalid', shown.join('\n'), inFile ? 'Mend these lines and run again; docs/configuration.md lists every key.' : 'The help of the command (--help) lists every option.');
}

/** Counted here, for the parser leaves out line breaks inside a quote that is never closed. */
function lineStarts(source: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return lines;
}

type Range = readonly [start: number, end: number, ...rest: number[]];
interface Problem {
  readonly message: string;
  readonly range: Range;
}

function syntaxProblems(document: Document): Problem[] {
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({ message: syntaxMessage(error), range: error.pos }));
  // The parser goes on after it ran out of stack, and stumbles at every level it left open.
  const deep = problems.find(({ message }) => message === tooDeep);
  if (problems.length > 0) return deep ? [deep] : problems;
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || isCollection(key)) {
          problems.push({ message: 'A key must be a word, not a list, a mapping or an alias.', range: rangeOf(key) });
          continue;
        }
        const name = String(key.value);
        if (seen.has(name)) problems.push({ message: `The key ${JSON.stringify(name)} is there twice; keep one.`, range: rangeOf(key) });
        seen.add(name);
      }
    },
    Alias: (_, alias) => {
      if (!alias.resolve(document)) problems.push({ message: `*${alias.source} refers to no anchor above it; write the value, or quote the text.`, range: rangeOf(alias) });
    },
  });
  return problems;
}

function syntaxMessage({ code, message }: YAMLError): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'A tab cannot indent YAML; use spaces.';
    case 'MULTIPLE_DOCS':
      return 'The file holds several documents (---); keep one.';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'A second "key: value" stands on this line; put it on a line of its own, or quote the text.';
    case 'TAG_RESOLVE_FAILED':
      return 'Tags (!name) mean nothing here; remove it.';
    default:
      if (/call stack/i.test(message)) return tooDeep;
      return `Not valid YAML: ${message.replace(/["']quote$/, 'quotation mark').replace(/\.$/, '')}.`;
  }
}

function plainValue(document: Document): { value: unknown } | { problem: Problem } {
  try {
    return { value: document.toJS({ maxAliasCount }) };
  } catch (error) {
    // The library throws on alias bombs and on a stack too deep; both are the file's fault.
    const message =
      error instanceof ReferenceError ? 'The anchors (&) and aliases (*) expand to far too much; write the values out.' : tooDeep;
    return { problem: { message, range: [0, 0] } };
  }
}

/** The range of the deepest node on the path that the file holds; for a key that is missing, the key of the mapping it is missing from. */
function locate(document: Document, path: readonly PropertyKey[], part: 'key' | 'value'): Range {
  let node: unknown = document.contents;
  let range: Range = [rangeOf(node)[0], rangeOf(node)[0]];
  for (const [depth, key] of path.entries()) {
    const container = isAlias(node) ? node.resolve(document) : node;
    const inside = isAlias(node);
    const pair: Pair | undefined = isMap(container) ? container.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key)) : undefined;
    const next = pair ? pair.value : isSeq(container) ? container.items[Number(key)] : undefined;
    if (!pair && next === undefined) return range;
    // What an alias stands for is written elsewhere; the person's mistake is to refer to it here.
    if (inside) return rangeOf(node);
    const value = rangeOf(isPair(next) ? next.key : next);
    const last = depth === path.length - 1;
    const useKey = pair !== undefined && (!last || part === 'key' || value[1] <= value[0]);
    range = useKey ? rangeOf(pair.key) : value;
    node = next;
  }
  return range;
}

function rangeOf(node: unknown): Range {
  const range = (node as Node | null | undefined)?.range;
  return range ?? [0, 0];
}

function covers(override: Override, path: readonly PropertyKey[]): boolean {
  return override.path.length <= path.length && override.path.every((key, index) => key === path[index]);
}

/** A copy of `root` with `value` at `path`; a wrong kind of value on the way stays, for the schema to name. */
function withValue(root: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return typeof value === 'function' ? (value as (before: unknown) => unknown)(root) : value;
  if (root !== undefined && root !== null && (typeof root !== 'object' || Array.isArray(root))) return root;
  const mapping = (root ?? {}) as Record<string, unknown>;
  return { ...mapping, [key]: withValue(Object.hasOwn(mapping, key) ? mapping[key] : undefined, rest, value) };
}
