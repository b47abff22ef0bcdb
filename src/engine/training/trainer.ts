/**
 * The training loop: epochs of seeded order, a validation after each, early stopping, states to resume from. Everything
 * that decides a number (the order, the learning rate, what counts as best) follows from the seed, the step and the state, so
 * an interrupted run ends in the same weights as one that was not.
 */
import type { TrainingConfig } from '../../shared/config';
import type { EpochMetrics } from '../../shared/comparison';
import type { Report } from '../../shared/progress';
import { diverged, startNotFinite, validationDiverged } from './errors';
import type { MetricsLog } from './metricsLog';
import type { Optimizer } from './optimizer';
import { epochOrder } from './order';
import type { Schedule } from './schedule';
import type { StepBatch, TrainingStep } from './trainingStep';
import type { StateStore, TrainingProgress } from './trainingState';

export interface TrainerParts {
  readonly config: TrainingConfig;
  readonly seed: number;
  /** Training images, and how many make a step. */
  readonly images: number;
  readonly batch: number;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly step: TrainingStep;
  /** The batch of the given images, by index. */
  load(indices: Int32Array): Promise<StepBatch>;
  /** Metrics of the current weights on the validation data. */
  validate(): Promise<Omit<EpochMetrics, 'type' | 'epoch' | 'step' | 'best' | 'warning'>>;
  readonly store: StateStore;
  readonly log: MetricsLog;
  /** Where to go on, if anywhere; weights, moments and schedule are restored already. */
  readonly from: TrainingProgress | null;
  /** Once aborted, the step at hand is the last one: the epoch so far is validated as at its end. */
  readonly finish?: AbortSignal;
}

export interface Trained {
  readonly epochs: number;
  readonly steps: number;
  readonly best: { readonly epoch: number; readonly step: number };
  readonly bestWeights: Float32Array;
  readonly lastWeights: Float32Array;
  /** In words: all epochs done, no improvement, the steps asked for, or finished on request. */
  readonly ended: string;
}

/** Steps of an epoch: what is left over at its end waits for the next one, whose order is another. */
export const stepsPerEpoch = (images: number, batch: number) => Math.floor(images / batch);

/** Steps until the end, should nothing stop it early. */
export function totalSteps({ epochs, steps }: TrainingConfig, images: number, batch: number): number {
  return Math.min(steps ?? Infinity, epochs * stepsPerEpoch(images, batch));
}

/**
 * Trains to the end. Throws `run-diverged` at a loss, on the batch or the validation data, or a gradient that is not finite, with
 * the last good state on disk; and `signal.reason`, between two steps or in a validation, once `signal` is aborted, with the
 * state of that moment saved.
 */
export async function train(parts: TrainerParts, report: Report, signal: AbortSignal): Promise<Trained> {
  const { config, images, batch, optimizer, schedule, store, log, step: trainingStep, finish } = parts;
  const [perEpoch, total] = [stepsPerEpoch(images, batch), totalSteps(config, images, batch)];
  const start = { step: 0, validations: 0, microBatch: trainingStep.microBatch, best: null, waited: 0, optimizerSteps: 0, schedule: null };
  let progress: TrainingProgress = parts.from ?? start;
  const save = async () => {
    const { steps, ...columns } = optimizer.snapshot();
    progress = { ...progress, optimizerSteps: steps, schedule: schedule.state(), microBatch: trainingStep.microBatch };
    await log.sync();
    await store.save({ progress, columns });
  };
  const endEpoch = async (epoch: number) => {
    const metrics = await parts.validate();
    if (!Number.isFinite(metrics.loss)) throw epoch === 0 ? startNotFinite() : validationDiverged(progress.step, config.learningRate);
    progress = await judge({ progress, epoch, metrics, parts });
    if (epoch > 0) schedule.epochEnded(metrics.loss);
    const warning = collapseOf(config, log, metrics.overall);
    const line: EpochMetrics = { type: 'epoch', epoch, step: progress.step, ...metrics, best: config.earlyStopping !== null && progress.waited === 0, ...(warning ? { warning } : {}) };
    await log.append(line);
    report({ type: 'note', level: warning ? 'warning' : 'info', text: warning ? `${epochInWords(line)} ${warning}` : epochInWords(line) });
    await save();
  };
  const over = () => progress.step >= total || finish?.aborted === true;
  /** The epoch whose last step was made and whose validation was not; the moment before training is epoch 0. */
  const unjudged = () => {
    const epoch = Math.ceil(progress.step / perEpoch);
    return (progress.step % perEpoch === 0 || over()) && progress.validations <= epoch ? epoch : null;
  };
  const patient = () => config.earlyStopping === null || progress.waited < config.earlyStopping.patience;
  const endInWords = () => {
    if (progress.step >= total) return `all ${progress.step} steps were made`;
    return patient() ? `finished on request after step ${progress.step}` : `${config.earlyStopping!.patience} epochs brought no improvement`;
  };
  let order: { readonly epoch: number; readonly images: Int32Array } = { epoch: -1, images: new Int32Array(0) };
  const load = (step: number) => {
    const epoch = Math.floor(step / perEpoch);
    if (order.epoch !== epoch) order = { epoch, images: epochOrder(images, parts.seed, epoch) };
    const from = (step % perEpoch) * batch;
    const loading = parts.load(order.images.subarray(from, from + batch));
    // A failure is met where it is awaited; until then it is no unhandled one.
    loading.catch(() => undefined);
    return loading;
  };

  let next: Promise<StepBatch> | undefined;
  let saved = performance.now();
  for (;;) {
    try {
      signal.throwIfAborted();
      const epoch = unjudged();
      if (epoch !== null) {
        await endEpoch(epoch);
        saved = performance.now();
      }
    } catch (error) {
      if (error === signal.reason) await save();
      throw error;
    }
    if (over() || !patient()) return outcome(progress, parts, perEpoch, endInWords());

    const started = performance.now();
    const loaded = await (next ?? load(progress.step));
    next = progress.step + 1 < total ? load(progress.step + 1) : undefined;
    const { gradients, ...losses } = await trainingStep.run(loaded);
    const learningRate = schedule.rate(progress.step);
    const { norm } = Number.isFinite(losses.loss) ? optimizer.step(gradients, learningRate) : { norm: NaN };
    if (!Number.isFinite(norm)) throw diverged(progress.step + 1, losses.loss, learningRate);
    progress = { ...progress, step: progress.step + 1 };
    const { step } = progress;
    await log.append({ type: 'step', step, epoch: Math.ceil(step / perEpoch), ...losses, learningRate, gradientNorm: norm, seconds: round((performance.now() - started) / 1000) });
    report({ type: 'progress', phase: 'train', done: step, total, unit: 'steps' });
    if (unjudged() === null && performance.now() - saved > saveEvery) {
      await save();
      saved = performance.now();
    }
  }
}

/** A long epoch is saved in between: a killed run loses ten minutes at most. */
const saveEvery = 600_000;

async function outcome(progress: TrainingProgress, { config, optimizer, store }: TrainerParts, perEpoch: number, ended: string): Promise<Trained> {
  const lastWeights = optimizer.snapshot().weights.slice();
  const best = config.earlyStopping === null || progress.best === null ? { epoch: Math.ceil(progress.step / perEpoch), step: progress.step } : progress.best;
  const epochs = Math.ceil(progress.step / perEpoch);
  return {
    epochs,
    steps: progress.step,
    best: { epoch: best.epoch, step: best.step },
    bestWeights: best.step === progress.step ? lastWeights : await store.loadBest(best.step),
    lastWeights,
    ended,
  };
}

/** Keeps the weights where the epoch is the best so far: a higher score, or the same with a lower loss. */
async function judge({ progress, epoch, metrics, parts }: {
  readonly progress: TrainingProgress;
  readonly epoch: number;
  readonly metrics: Awaited<ReturnType<TrainerParts['validate']>>;
  readonly parts: TrainerParts;
}): Promise<TrainingProgress> {
  const { config, optimizer, store } = parts;
  const judged = { ...progress, validations: epoch + 1 };
  if (config.earlyStopping === null) return judged;
  const score = config.earlyStopping.metric === 'loss' ? -metrics.loss : metrics.worstGroup.accuracy;
  const { best } = progress;
  const better = best === null || score > best.score || (score === best.score && metrics.loss < best.loss);
  if (!better) return { ...judged, waited: progress.waited + 1 };
  await store.saveBest(progress.step, optimizer.snapshot().weights);
  return { ...judged, best: { step: progress.step, epoch, score, loss: metrics.loss }, waited: 0 };
}

function collapseOf({ collapse }: TrainingConfig, log: MetricsLog, overall: number): string | undefined {
  const start = log.lines().find((line) => line.type === 'epoch' && line.epoch === 0);
  if (start?.type !== 'epoch' || start.overall - overall <= collapse) return undefined;
  return `Zero-shot accuracy has fallen from ${percent(start.overall)} to ${percent(overall)}: the model forgets. A lower learning rate, or fewer trainable blocks, may help.`;
}

function epochInWords({ epoch, loss, overall, worstGroup, best }: EpochMetrics): string {
  const group = worstGroup.feature === null ? worstGroup.label : `${worstGroup.label} ${worstGroup.feature === 'present' ? 'with' : 'without'} the feature`;
  return `${epoch === 0 ? 'Before training' : `Epoch ${epoch}`}: accuracy ${percent(overall)}, weakest group ${percent(worstGroup.accuracy)} (${group}), validation loss ${loss.toFixed(3)}${best && epoch > 0 ? ', the best so far' : ''}.`;
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
const round = (seconds: number) => Math.round(seconds * 1000) / 1000;
