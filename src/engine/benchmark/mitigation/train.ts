/**
 * One fine-tuning of the benchmark: RaVL's trainer on a set of images, from a checkpoint to a checkpoint. Nothing is validated on the
 * way and no epoch is chosen, so that every method makes the same steps and none sees the evaluation set.
 */
import type { Box } from '../../../shared/boxes';
import type { CheckpointConfig, Config } from '../../../shared/config';
import type { Report } from '../../../shared/progress';
import { openCheckpoint } from '../../checkpoint/checkpoint';
import { checkpointFiles, writtenConfig } from '../../checkpoint/checkpointFiles';
import { findLayout } from '../../checkpoint/layout';
import { lossOptions, openTraining } from '../../mitigation/openTraining';
import { openTexts } from '../../mitigation/trainingInputs';
import { writeFolderAtomically } from '../../run/atomic';
import { imageStore } from '../../training/imageStore';
import { regionAwareLoss, type Loss, type LossOptions } from '../../training/loss';
import { openSchedule } from '../../training/schedule';
import { totalSteps, train } from '../../training/trainer';
import { loadBatch } from '../../training/trainingData';
import { openTrainingModel, type RegionEmbedding, type TrainingModel } from '../../training/trainingModel';
import type { StepBatch, StepResult } from '../../training/trainingStep';

export interface TrainingSet {
  /** [images] absolute paths, captions and class ids (below 0 for none). */
  readonly files: readonly string[];
  readonly captions: readonly string[];
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

export interface Fit {
  /** The checkpoint to start from; its paths are absolute. */
  readonly start: CheckpointConfig;
  /** Folder of the new one; whole once it is there. */
  readonly out: string;
  readonly data: TrainingSet;
  /** Prompts, training, mitigation, device and seed count. */
  readonly config: Config;
  /** Regions of every image with their kinds (see batchMasks.ts); region-aware fine-tuning where given. */
  readonly regions?: { readonly boxes: readonly (readonly Box[])[]; readonly kinds: Uint8Array; readonly regions: number; readonly embedding: RegionEmbedding };
  /** What is minimised in place of RaVL's loss, or of the contrastive loss without regions. */
  readonly loss?: (options: LossOptions) => Loss;
  /** [images] which image takes the place of each: a sampler's draw. */
  readonly sample?: Int32Array;
  /** What the loss reads of a batch beside captions and classes. Called just before the step. */
  readonly inputs?: (images: Int32Array) => Record<string, Float64Array>;
  /** Called after every step with its images. */
  readonly stepped?: (images: Int32Array, result: StepResult) => void;
}

/**
 * The new checkpoint. Throws what training throws, and `signal.reason` between two steps once `signal` is aborted; then nothing is
 * written.
 */
export async function fit({ start, out, data, config, regions, loss, sample, inputs, stepped }: Fit, report: Report, signal: AbortSignal): Promise<CheckpointConfig> {
  const checkpoint = await openCheckpoint(start, '.');
  const kind = regions || loss ? 'mitigate' : 'finetune';
  const images = data.labels.length;
  const rows = Int32Array.from({ length: images }, (_, i) => i);
  const model = await openTrainingModel(checkpoint, regions?.embedding ?? null, config.training);
  const prepared = { checkpoint, config, validation: { classes: data.classes }, training: { captions: data.captions } };
  const texts = await openTexts(prepared, rows, model, report, signal);
  const trainingData = {
    store: imageStore(data.files), labels: data.labels, classes: data.classes.length, text: texts.training,
    ...(regions ?? { boxes: [], kinds: new Uint8Array(0), regions: 0 }),
  };
  const minimised = (loss ?? regionAwareLoss)(lossOptions(config, checkpoint, kind));
  const { optimizer, step, batch } = await openTraining(prepared, kind, model, trainingData, undefined, report, minimised);
  // Batches are made a step ahead; what depends on the step before is added when its turn has come.
  const imagesOf = new WeakMap<StepBatch, Int32Array>();
  try {
    const trained = await train(
      {
        config: { ...config.training, earlyStopping: null }, seed: config.seed, images, batch, optimizer, from: null,
        schedule: openSchedule(config.training, { totalSteps: totalSteps(config.training, images, batch) }),
        step: {
          ...step,
          async run(given) {
            const drawn = imagesOf.get(given)!;
            const result = await step.run(inputs ? { ...given, inputs: { ...given.inputs, ...inputs(drawn) } } : given);
            stepped?.(drawn, result);
            return result;
          },
        },
        async load(indices) {
          const drawn = sample ? indices.map((index) => sample[index]!) : indices.slice();
          const loaded = await loadBatch(trainingData, drawn, config.mitigation);
          imagesOf.set(loaded, drawn);
          return loaded;
        },
        ...unwatched,
      },
      report,
      signal,
    );
    await writeFolderAtomically(out, await checkpointFiles(checkpoint, model.named(split(trained.lastWeights, model))));
    return writtenConfig(start, checkpoint.layout, out);
  } finally {
    await Promise.all([step.release(), texts.release()]);
  }
}

/** How a checkpoint that was trained from `start` is named once it is in `folder`. */
export async function trainedCheckpoint(start: CheckpointConfig, folder: string): Promise<CheckpointConfig> {
  return writtenConfig(start, await findLayout(start, '.'), folder);
}

/** No validation, no log and no states: a fit takes a minute, and a killed one is made again. */
const unwatched = {
  validate: () => Promise.resolve({ loss: 0, overall: 0, worstGroup: { label: '', feature: null, accuracy: 0 }, perClass: [] }),
  store: {
    save: () => Promise.resolve(),
    load: () => Promise.resolve(null),
    saveBest: () => Promise.resolve(),
    loadBest: () => Promise.reject(new Error('The last weights are kept.')),
  },
  log: { append: () => Promise.resolve(), sync: () => Promise.resolve(), lines: () => [] },
};

function split(all: Float32Array, { parameters }: TrainingModel): Float32Array[] {
  let at = 0;
  return parameters.map(({ size }) => all.subarray(at, (at += size)));
}
