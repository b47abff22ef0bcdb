import { stringify } from 'yaml';
import { type ConfigKey, configKeys } from './configDocs';

/** What is known of a new config (`ravl init`, Create Config); everything else is left at its default. */
export interface InitialConfig {
  readonly checkpoint: string;
  readonly validation: string;
  /** The table of image-caption pairs to fine-tune on. */
  readonly train?: string;
  readonly columns: { readonly image: string; readonly label: string; readonly caption?: string; readonly boxes?: string };
  /** Left out when there are too many to list. */
  readonly classes?: readonly string[];
}

/** Classes are listed up to so many. */
export const mostClasses = 50;

/**
 * A ravl.yaml with every setting that has a default beside it: in force where it was found out, otherwise switched off by a
 * `#` in the first column, so that taking this `#` away never changes anything. Descriptions are comments with a space.
 */
export function initialConfigFile({ checkpoint, validation, train, columns, classes }: InitialConfig): string {
  const found = new Map<string, unknown>([
    ['checkpoint', checkpoint],
    ['data.validation', validation],
    ...(train === undefined ? [] : [['data.train', train] as [string, unknown]]),
    ...Object.entries(columns).flatMap(([role, column]): [string, unknown][] => (column === undefined ? [] : [[`data.columns.${role}`, column]])),
    ...(classes ? [['classes', classes] as [string, unknown]] : []),
  ]);
  const always = new Set(['data', 'data.columns', 'prompts']);
  const keys = configKeys().filter(({ path, default: preset, when }) => {
    if (when && !(when.key === 'regions.kind' && when.values.includes('grid'))) return false;
    return found.has(path) || always.has(path) || preset !== undefined;
  });
  const lines = ['# What RaVL looks at, and how. Lines with a # in the first column show defaults: take the # away to change them.'];
  for (const key of keys) {
    const empty = !keys.some(({ path }) => path.startsWith(`${key.path}.`));
    const active = found.has(key.path) || always.has(key.path);
    lines.push(...(key.path.includes('.') ? [] : ['']), ...keyLines(key, found.get(key.path) ?? key.default, active, empty));
  }
  return `${lines.join('\n')}\n`;
}

function keyLines({ path, type, description }: ConfigKey, value: unknown, active: boolean, empty: boolean): string[] {
  const names = path.split('.');
  const indent = '  '.repeat(names.length - 1);
  const section = value === undefined || (typeof value === 'object' && !Array.isArray(value));
  const setting = section ? `${names.at(-1)!}:${empty ? ' {}' : ''}` : `${names.at(-1)!}:${valueText(value, indent)}`;
  const choices = type.startsWith('`') && !type.startsWith('`true') ? ` One of ${type.replaceAll('`', '')}.` : '';
  const comment = `${description}${choices}`.trim();
  return [
    ...(comment ? [`${indent}# ${comment}`] : []),
    ...setting.split('\n').map((line) => (active ? `${indent}${line}` : `#${indent}${line}`)),
  ];
}

/** A scalar stays on the key's line, a list gets a line an entry. */
function valueText(value: unknown, indent: string): string {
  if (!Array.isArray(value)) return ` ${yamlScalar(value)}`;
  return value.map((item) => `\n${indent}  - ${yamlScalar(item)}`).join('');
}

/** A value on one line, quoted where YAML needs it. */
export function yamlScalar(value: unknown): string {
  // The library leaves some invisible characters bare, which parsers then drop or take for a line's end.
  if (typeof value === 'string' && invisible.test(value)) return JSON.stringify(value).replace(invisible, escaped);
  return stringify(value, { lineWidth: 0, blockQuote: false }).trimEnd();
}

/** Control, format and private characters, and every blank but the space. */
const invisible = /[^\P{C} ]|[^\P{Z} ]/gu;

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
}
