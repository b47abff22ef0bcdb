import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { CheckpointConfig, Config } from '../shared/config';
import { type Override, checkConfig, configError, parseConfig } from '../shared/configFile';
import { RavlError, systemCode } from '../shared/errors';
import { configMissing, configUnreadable, usageInvalid } from './errors';

/** The options of a command that set something in the config, as typed. */
export interface ConfigOptions {
  readonly validation?: string;
  readonly prompt?: readonly string[];
  readonly class?: readonly string[];
  readonly device?: string;
  readonly launcher?: string;
  readonly sbatch?: readonly string[];
  readonly seed?: string;
  readonly mode?: string;
  readonly grid?: string;
  readonly finding?: readonly string[];
  readonly epochs?: string;
  readonly steps?: string;
  readonly batch?: string;
  readonly learningRate?: string;
}

export interface Settings {
  readonly config: Config;
  readonly baseDir: string;
  /** Sentences to show before the run starts. */
  readonly warnings: readonly string[];
}

/**
 * The config of a run: a ravl.yaml with options on top, or a checkpoint with options alone.
 *
 * @param target a .yaml file, or a checkpoint: a folder or an .onnx file
 * @param cwd what relative paths on the command line start from
 */
export async function readSettings(target: string, options: ConfigOptions, cwd: string): Promise<Settings> {
  return isConfigFile(target) ? fromFile(target, options, cwd) : fromCheckpoint(target, options, cwd);
}

/** The config of an earlier run with options on top; paths on the command line start from `cwd`, those of the run from its `baseDir`. */
export function settingsOfRun(run: { readonly config: Config; readonly baseDir: string }, options: ConfigOptions, cwd: string): Settings {
  return checked(run.config, options, run.baseDir, (path) => relative(run.baseDir, resolve(cwd, path)) || '.');
}

/** The checkpoint alone: the one a ravl.yaml names, or the target itself. */
export async function readCheckpoint(target: string, cwd: string): Promise<{ checkpoint: CheckpointConfig; baseDir: string }> {
  if (!isConfigFile(target)) return { checkpoint: target, baseDir: cwd };
  const { config, baseDir } = await fromFile(target, {}, cwd);
  return { checkpoint: config.checkpoint, baseDir };
}

export const isConfigFile = (target: string): boolean => /\.ya?ml$/i.test(target);

async function fromFile(target: string, options: ConfigOptions, cwd: string): Promise<Settings> {
  const file = resolve(cwd, target);
  const baseDir = dirname(file);
  const parsed = parseConfig(await readText(file, target), target, overridesOf(options, (path) => relative(baseDir, resolve(cwd, path)) || '.'));
  if (!parsed.config) throw configError(parsed.issues, target);
  const warnings = parsed.issues.map(({ line, column, message, option }) => (option === undefined ? `${target}:${line}:${column}: ${message}` : message));
  return { config: parsed.config, baseDir, warnings };
}

function fromCheckpoint(target: string, options: ConfigOptions, cwd: string): Settings {
  if (target === '') throw usageInvalid('The checkpoint is empty; name a folder, an .onnx file or a ravl.yaml.');
  const { config, warnings: found } = checked({ checkpoint: target }, options, cwd, (path) => path);
  const warnings = [...found];
  // A config that lies there by chance must not change what this command does, nor be passed over in silence.
  const folder = resolve(cwd, target);
  const unused = [join(folder, 'ravl.yaml'), join(dirname(folder), 'ravl.yaml')].find((path) => existsSync(path));
  if (unused) {
    const shown = relative(cwd, unused);
    warnings.push(`${shown} is not used here; to use it, name it in place of the checkpoint.`);
  }
  return { config, baseDir: cwd, warnings };
}

function checked(value: unknown, options: ConfigOptions, baseDir: string, toBase: (path: string) => string): Settings {
  const { config, issues } = checkConfig(value, overridesOf(options, toBase), optionFor);
  const errors = issues.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  if (!config) throw new RavlError('config-invalid', errors.join('\n'), 'The help of the command (--help) lists every option.');
  return { config, baseDir, warnings: issues.map(({ message }) => message) };
}

/** @param toBase makes a path typed on the command line one that starts from the config's folder */
function overridesOf(options: ConfigOptions, toBase: (path: string) => string): Override[] {
  const given: (Override | undefined)[] = [
    override('--validation', ['data', 'validation'], options.validation, (path) => (path === '' ? path : toBase(path))),
    override('--prompt', ['prompts'], options.prompt),
    override('--class', ['classes'], options.class),
    override('--device', ['device'], options.device),
    options.launcher === undefined ? undefined : { option: '--launcher', path: ['launcher'], value: ofKind(options.launcher) },
    options.sbatch === undefined ? undefined : { option: '--sbatch', path: ['launcher'], value: withLines(options.sbatch) },
    override('--seed', ['seed'], options.seed, numberOrText),
    override('--mode', ['embedding', 'mode'], options.mode),
    override('--grid', ['regions'], options.grid, grid),
    override('--finding', ['mitigation', 'findings'], options.finding, (ranks) => ranks.map(numberOrText)),
    override('--epochs', ['training', 'epochs'], options.epochs, numberOrText),
    override('--steps', ['training', 'steps'], options.steps, numberOrText),
    override('--batch', ['training', 'batch'], options.batch, numberOrText),
    override('--learning-rate', ['training', 'learningRate'], options.learningRate, numberOrText),
  ];
  return given.filter((each) => each !== undefined);
}

function override<T>(option: string, path: readonly string[], value: T | undefined, convert: (value: T) => unknown = (same) => same): Override | undefined {
  return value === undefined ? undefined : { option, path, value: convert(value) };
}

function optionFor(path: readonly PropertyKey[]): string | undefined {
  if (path[0] === 'data' && (path.length === 1 || path[1] === 'validation')) return '--validation';
  return path[0] === 'checkpoint' ? 'The checkpoint' : undefined;
}

/** The config's launcher where it is of this kind, with all it says about it, or else that kind alone. */
const ofKind = (kind: string) => (before: unknown) => ((before as { kind?: unknown } | undefined)?.kind === kind ? before : { kind });

/** Behind the lines of the config; sbatch has no other launcher to go with. */
const withLines = (lines: readonly string[]) => (before: unknown) => {
  const launcher = before as { kind?: unknown; lines?: unknown } | undefined;
  return { kind: 'slurm', ...launcher, lines: [...(Array.isArray(launcher?.lines) ? launcher.lines : []), ...lines] };
};

function grid(text: string): unknown {
  const match = /^(\d{1,9})[x×](\d{1,9})$/i.exec(text.trim());
  if (!match) throw usageInvalid(`--grid must be rows x columns, such as 2x2, not ${JSON.stringify(text)}.`);
  return { kind: 'grid', rows: Number(match[1]), cols: Number(match[2]) };
}

/** What is no number stays text, for the schema to refuse by name. */
function numberOrText(text: string): number | string {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

async function readText(file: string, shown: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') throw configMissing(shown);
    throw configUnreadable(shown, systemCode(error) === 'EISDIR' ? 'it is a folder' : `the system refused (${systemCode(error) ?? 'unknown error'})`, error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw configUnreadable(shown, `${basename(file)} is not UTF-8 text`);
  }
}
