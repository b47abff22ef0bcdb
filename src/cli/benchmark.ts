import type { EventEmitter } from 'node:events';
import { relative, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { suiteNames } from '../shared/suiteNames';
import type { BenchmarkRequest, Engine } from './engine';
import { usageInvalid } from './errors';
import { readSettings, type ConfigOptions } from './settings';
import type { Terminal } from './terminal';
import { withProgress } from './work';

export interface BenchmarkOptions extends Pick<ConfigOptions, 'validation' | 'prompt' | 'class' | 'grid' | 'mode' | 'device' | 'batch' | 'learningRate' | 'launcher' | 'sbatch'> {
  readonly suite?: string;
  readonly fashionMnist?: string;
  readonly mnist?: string;
  readonly object?: string;
  readonly tied?: string;
  readonly strength?: string;
  readonly photos?: string;
  readonly epochs?: string;
  readonly out: string;
  readonly settings?: string;
  readonly skipMitigation?: boolean;
  readonly json?: boolean;
}

/** What --help tells and nothing else decides. */
export const benchmarkDefaults = { suite: 'quick', fashionMnist: '/usr/share/datasets/fashion-mnist', strength: '0.95', photos: '2000', epochs: '10' } as const;

/** `ravl benchmark`: the tables go to stdout and into the folder. */
export async function benchmarkCommand(target: string | undefined, options: BenchmarkOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  const { of, launcher, warnings } = target === undefined ? await ofSuite(options, terminal.cwd) : await ofPhotos(target, options, terminal.cwd);
  const request: BenchmarkRequest = {
    of, launcher, out: resolve(terminal.cwd, options.out), skipMitigation: options.skipMitigation ?? false,
    ...(options.settings === undefined ? {} : { settings: wholeNumber('--settings', options.settings) }),
  };
  const stopping = 'Stopping; run again to go on.';
  const { tables, markdownFile } = await withProgress(terminal, signals, { warnings, stopping }, (report, signal) => engine.benchmark(request, report, signal));
  if (options.json) terminal.stdout.write(`${JSON.stringify(tables)}\n`);
  else terminal.stdout.write(`${await readFile(markdownFile, 'utf8')}\nTables  ${relative(terminal.cwd, markdownFile) || markdownFile}\n`);
}

interface Asked extends Pick<BenchmarkRequest, 'of' | 'launcher'> {
  readonly warnings: readonly string[];
}

async function ofSuite(options: BenchmarkOptions, cwd: string): Promise<Asked> {
  refuse(options, ofPhotosAlone, 'is for a benchmark on photos: name a ravl.yaml or a checkpoint first');
  const suite = suiteNames.find((name) => name === (options.suite ?? benchmarkDefaults.suite));
  if (!suite) throw usageInvalid(`--suite must be one of ${suiteNames.join(', ')}, not ${JSON.stringify(options.suite)}.`);
  const fashion = resolve(cwd, options.fashionMnist ?? benchmarkDefaults.fashionMnist);
  const data = { 'fashion-mnist': fashion, ...(options.mnist === undefined ? {} : { mnist: resolve(cwd, options.mnist) }) };
  // A suite has no config but for where it runs.
  const { launcher, sbatch } = options;
  const { config } = await readSettings(cwd, { validation: cwd, ...(launcher === undefined ? {} : { launcher }), ...(sbatch === undefined ? {} : { sbatch }) }, cwd);
  return { of: { suite, data }, launcher: config.launcher, warnings: [] };
}

async function ofPhotos(target: string, options: BenchmarkOptions, cwd: string): Promise<Asked> {
  refuse(options, ofSuitesAlone, 'has no meaning where a ravl.yaml or a checkpoint is named');
  // A benchmark trains to the end of its own epochs; the config's are an upper bound for early stopping.
  const { object, tied, epochs = benchmarkDefaults.epochs, ...settings } = options;
  if (object === undefined || tied === undefined) throw usageInvalid('A benchmark on photos needs the image of an object (--object <image>) and the class to tie it to (--tied <class>).');
  const { config, baseDir, warnings } = await readSettings(target, settings, cwd);
  const strength = Number(options.strength ?? benchmarkDefaults.strength);
  if (!(strength > 0 && strength <= 1)) throw usageInvalid(`--strength must be a number above 0 and up to 1, not ${JSON.stringify(options.strength)}.`);
  const photos = wholeNumber('--photos', options.photos ?? benchmarkDefaults.photos);
  return { of: { config, baseDir, object: resolve(cwd, object), tied, cramersV: strength, photos, epochs: wholeNumber('--epochs', epochs) }, launcher: config.launcher, warnings };
}

const ofSuitesAlone = ['suite', 'fashionMnist', 'mnist'] as const;
const ofPhotosAlone = ['object', 'tied', 'strength', 'photos', 'epochs', 'validation', 'prompt', 'class', 'grid', 'mode', 'device', 'batch', 'learningRate'] as const;

function refuse(options: BenchmarkOptions, names: readonly (keyof BenchmarkOptions)[], why: string): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw usageInvalid(`--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${why}.`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value > 0)) throw usageInvalid(`${option} must be a whole number above 0, not ${JSON.stringify(text)}.`);
  return value;
}
