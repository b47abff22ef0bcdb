import type { EventEmitter } from 'node:events';
import { relative, resolve } from 'node:path';
import { comparisonSummary } from './comparisonSummary';
import type { Engine, FineTunePlan, FineTuneRequest, FineTuneResult } from './engine';
import { usageInvalid } from './errors';
import { type ConfigOptions, isConfigFile, readSettings } from './settings';
import type { Terminal } from './terminal';
import { count, plain } from './text';
import { withProgress } from './work';

export interface FineTuneOptions extends ConfigOptions {
  readonly run?: string;
  readonly out?: string;
  readonly plan?: boolean;
  /** true, or the id of a run. */
  readonly resume?: true | string;
  readonly fresh?: boolean;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
}

/** `ravl mitigate` and `ravl finetune`: the result goes to stdout, everything else to stderr. */
export async function fineTuneCommand(kind: FineTuneRequest['kind'], target: string, options: FineTuneOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  if (!isConfigFile(target)) throw usageInvalid(`ravl ${kind} takes a ravl.yaml, which names the training data; ${target} is none.`);
  if (options.resume !== undefined && options.fresh) throw usageInvalid('--resume and --fresh contradict each other.');
  const { config, baseDir, warnings } = await readSettings(target, options, terminal.cwd);
  const root = options.out === undefined ? baseDir : resolve(terminal.cwd, options.out);
  const request: FineTuneRequest = {
    kind, config, baseDir, root, skipUnreadable: options.skipUnreadable ?? false, fresh: options.fresh ?? false,
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.run === undefined ? {} : { run: options.run }),
  };
  if (options.plan) {
    const plan = await withProgress(terminal, signals, { warnings, stopping: 'Stopping.' }, (report, signal) => engine.planFineTune(request, report, signal));
    terminal.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : planSummary(plan));
    return;
  }
  const stopping = 'Stopping after this step; run again to resume.';
  const result = await withProgress(terminal, signals, { warnings, stopping }, (report, signal) => engine.fineTune(request, report, signal));
  terminal.stdout.write(options.json ? `${JSON.stringify(result)}\n` : fineTuneSummary(result, terminal.cwd));
}

function fineTuneSummary({ kind, device, checkpoint, lastCheckpoint, training, comparison, reportFile }: FineTuneResult, cwd: string): string {
  const path = (file: string): string => plain(relative(cwd, file) || file);
  const { epochs, steps, bestEpoch, ended } = training;
  const kept = bestEpoch === epochs ? 'the last one is kept' : bestEpoch === 0 ? 'none was better than the start, which is kept' : `epoch ${bestEpoch} is kept`;
  return [
    `${kind === 'mitigate' ? 'Region-aware' : 'Plain'} fine-tuning: ${count(steps)} ${steps === 1 ? 'step' : 'steps'} in ${count(epochs)} ${epochs === 1 ? 'epoch' : 'epochs'} (${ended}); ${kept}.`,
    '',
    comparisonSummary({ before: 'the checkpoint as it was', after: path(checkpoint), run: null, device, comparison, reportFile }, cwd),
    `Checkpoint  ${path(checkpoint)}\n`,
    ...(lastCheckpoint === null ? [] : [`Last epoch  ${path(lastCheckpoint)}\n`]),
  ].join('\n').replace(/\n\n(Checkpoint|Last epoch)/g, '\n$1');
}

/** What a run would cost, for a terminal. */
function planSummary({ kind, device, images, regions, findings, trainable, batch, microBatch, stepsPerEpoch, steps, secondsPerStep, memory }: FineTunePlan): string {
  const ranks = findings.length === 0 ? '' : `; pushes away finding ${findings.join(', ')}`;
  return [
    `${kind === 'mitigate' ? 'Region-aware' : 'Plain'} fine-tuning on ${plain(device.used, 20)} (${device.reason})${ranks}`,
    `Training images     ${count(images)}${regions > 0 ? `, ${count(regions)} regions each` : ''}`,
    `Trainable           ${count(trainable.parameters)} parameters in ${count(trainable.weights)} weights`,
    `Batch               ${count(batch)} images${microBatch < batch ? `, ${count(microBatch)} at a time` : ''}`,
    `Memory              about ${mebibytes(memory.bytes)} of at most ${mebibytes(memory.budget)}`,
    `Time                ${secondsPerStep.toFixed(2)} s a step (measured), ${duration(secondsPerStep * stepsPerEpoch)} an epoch of ${count(stepsPerEpoch)} ${stepsPerEpoch === 1 ? 'step' : 'steps'}`,
    `At most             ${count(steps)} ${steps === 1 ? 'step' : 'steps'}, ${duration(secondsPerStep * steps)}; validation and early stopping come on top`,
    '',
  ].join('\n');
}

const mebibytes = (bytes: number): string => (bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`);

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
