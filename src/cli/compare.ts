import type { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { comparisonSummary } from './comparisonSummary';
import type { CompareRequest, Engine } from './engine';
import { runMissing, usageInvalid } from './errors';
import { type ConfigOptions, readSettings, settingsOfRun } from './settings';
import type { Terminal } from './terminal';
import { withProgress } from './work';

export interface CompareOptions extends ConfigOptions {
  readonly config?: string;
  readonly run?: string;
  readonly out?: string;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
}

/** `ravl compare`: two checkpoints on the same images. Nothing is written unless --out names a folder. */
export async function compareCommand(before: string, after: string, options: CompareOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  const { request, warnings } = await compareRequest(before, after, options, terminal.cwd, engine);
  const stopping = 'Stopping after this batch.';
  const result = await withProgress(terminal, signals, { warnings, stopping }, (report, signal) => engine.compare(request, report, signal));
  terminal.stdout.write(options.json ? `${JSON.stringify(result)}\n` : comparisonSummary(result, terminal.cwd));
}

/**
 * The data, prompts and settings come from --config, else from the analysis named with --run, else from a side that is a run,
 * else from the ravl.yaml of the current folder. The groups come from --run, else from a side that is an analysis.
 */
async function compareRequest(before: string, after: string, options: CompareOptions, cwd: string, engine: Engine): Promise<{ request: CompareRequest; warnings: readonly string[] }> {
  const given = options.config === undefined ? undefined : await readSettings(options.config, options, cwd);
  const roots = [...new Set([given?.baseDir ?? cwd, cwd])];
  const named = options.run === undefined ? null : await engine.findRun(options.run, cwd, roots);
  if (options.run !== undefined && !named) throw runMissing(options.run);
  const sides = [await engine.resolveSide(before, cwd, roots), await engine.resolveSide(after, cwd, roots)] as const;
  const runs = sides.flatMap(({ run }) => run ?? []);
  const source = named ?? runs[0];
  const found = join(cwd, 'ravl.yaml');
  if (!given && !source && !existsSync(found)) throw usageInvalid('Nothing says which images to compare on; name a ravl.yaml with --config, or an analysis with --run.');
  const { config, baseDir, warnings } = given ?? (source ? settingsOfRun(source, options, cwd) : await readSettings('ravl.yaml', options, cwd));
  const run = named ?? runs.find(({ kind, complete }) => kind === 'analyze' && complete) ?? null;
  const request = { before: sides[0], after: sides[1], config, baseDir, skipUnreadable: options.skipUnreadable ?? false, run };
  return { request: { ...request, ...(options.out === undefined ? {} : { out: resolve(cwd, options.out) }) }, warnings };
}
