import type { EventEmitter } from 'node:events';
import type { CheckpointConfig } from '../shared/config';
import { evaluationSummary } from './comparisonSummary';
import type { Engine, EvaluateRequest, Evaluation } from './engine';
import { runMissing } from './errors';
import { type ConfigOptions, isConfigFile, readSettings, type Settings, settingsOfRun } from './settings';
import type { Terminal } from './terminal';
import { withProgress } from './work';

export interface EvaluateOptions extends ConfigOptions {
  readonly run?: string;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
}

/** `ravl evaluate`: zero-shot accuracy of one checkpoint, by class and by group; nothing is written. */
export async function evaluateCommand(target: string, options: EvaluateOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  const { request, warnings } = await evaluateRequest(target, options, terminal.cwd, engine);
  const stopping = 'Stopping after this batch.';
  const evaluation = await withProgress(terminal, signals, { warnings, stopping }, (report, signal) => engine.evaluate(request, report, signal));
  const run = request.run?.id ?? null;
  terminal.stdout.write(options.json ? `${JSON.stringify(evaluationJson(request.side.name, run, evaluation))}\n` : evaluationSummary(request.side.name, run, evaluation));
}

/** What is evaluated on what: a config says both, a run says both as well, and a bare checkpoint goes by the options. */
async function evaluateRequest(target: string, options: EvaluateOptions, cwd: string, engine: Engine): Promise<{ request: EvaluateRequest; warnings: readonly string[] }> {
  const fromFile = isConfigFile(target) ? await readSettings(target, options, cwd) : undefined;
  const roots = [fromFile?.baseDir ?? cwd];
  const named = options.run === undefined ? null : await engine.findRun(options.run, cwd, roots);
  if (options.run !== undefined && !named) throw runMissing(options.run);
  const side = fromFile ? { name: nameOf(fromFile.config.checkpoint, target), checkpoint: fromFile.config.checkpoint, baseDir: fromFile.baseDir, run: null } : await engine.resolveSide(target, cwd, roots);
  // An analysis that stands for its checkpoint brings its groups along.
  const run = named ?? (side.run?.kind === 'analyze' && side.run.complete ? side.run : null);
  const source = named ?? side.run;
  const settings: Settings = fromFile ?? (source ? settingsOfRun(source, options, cwd) : await readSettings(target, options, cwd));
  const { config, baseDir, warnings } = settings;
  return { request: { side, config, baseDir, skipUnreadable: options.skipUnreadable ?? false, run }, warnings };
}

const nameOf = (checkpoint: CheckpointConfig, file: string): string => (typeof checkpoint === 'string' ? checkpoint : file);

/** What `ravl evaluate --json` prints. */
function evaluationJson(checkpoint: string, run: string | null, { images, device, loss, overall, perClass, worstClass, features, groups, worstGroup }: Evaluation): unknown {
  return { checkpoint, run, device, images: images.length, loss, overall, worstGroup, worstClass, perClass, features, groups };
}
