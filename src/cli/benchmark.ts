import type { EventEmitter } from 'node:events';
import { relative, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { Engine } from './engine';
import { usageInvalid } from './errors';
import type { Terminal } from './terminal';
import { withProgress } from './work';

export interface BenchmarkOptions {
  readonly suite: string;
  readonly fashionMnist: string;
  readonly mnist?: string;
  readonly out: string;
  readonly settings?: string;
  readonly skipMitigation?: boolean;
  readonly json?: boolean;
}

export const suiteNames = ['quick', 'paper', 'full'] as const;

/** `ravl benchmark`: the tables go to stdout and into the folder. */
export async function benchmarkCommand(options: BenchmarkOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  const suite = suiteNames.find((name) => name === options.suite);
  if (!suite) throw usageInvalid(`--suite must be one of ${suiteNames.join(', ')}, not ${JSON.stringify(options.suite)}.`);
  const settings = options.settings === undefined ? undefined : Number(options.settings);
  if (settings !== undefined && !(Number.isSafeInteger(settings) && settings > 0)) throw usageInvalid(`--settings must be a whole number above 0, not ${JSON.stringify(options.settings)}.`);
  const from = (path: string) => resolve(terminal.cwd, path);
  const data = { 'fashion-mnist': from(options.fashionMnist), ...(options.mnist === undefined ? {} : { mnist: from(options.mnist) }) };
  const request = { suite, data, out: from(options.out), skipMitigation: options.skipMitigation ?? false, ...(settings === undefined ? {} : { settings }) };
  const stopping = 'Stopping; run again to go on.';
  const { tables, markdownFile } = await withProgress(terminal, signals, { warnings: [], stopping }, (report, signal) => engine.benchmark(request, report, signal));
  if (options.json) terminal.stdout.write(`${JSON.stringify(tables)}\n`);
  else terminal.stdout.write(`${await readFile(markdownFile, 'utf8')}\nTables  ${relative(terminal.cwd, markdownFile) || markdownFile}\n`);
}
