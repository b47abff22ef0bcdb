/** What a fine-tuning run would cost, from one measured step; nothing is written. */
import type { Box } from '../../shared/boxes';
import type { Report } from '../../shared/progress';
import { decodeImage } from '../dataset/decodeImage';
import { frame } from '../dataset/frame';
import { openRegionFinder } from '../dataset/regions';
import { openRegionEncoder } from '../discovery/regionEncoder';
import { regionKind } from '../training/batchMasks';
import { tooFewImages } from './errors';
import { imageStore } from '../training/imageStore';
import { openTraining } from './openTraining';
import { prepare, type FineTuneRequest, type Prepared } from './prepare';
import { openTexts, readableRows } from './trainingInputs';
import { stepsPerEpoch, totalSteps } from '../training/trainer';
import { loadBatch, type TrainingData } from '../training/trainingData';
import { openTrainingModel, type RegionEmbedding } from '../training/trainingModel';

export interface FineTunePlan {
  readonly kind: FineTuneRequest['kind'];
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string };
  readonly images: number;
  /** Regions of every image; 0 in plain fine-tuning. */
  readonly regions: number;
  /** Ranks of the findings that would be pushed away. */
  readonly findings: readonly number[];
  readonly trainable: { readonly weights: number; readonly parameters: number; readonly names: readonly string[] };
  readonly batch: number;
  readonly microBatch: number;
  readonly stepsPerEpoch: number;
  /** Steps at most. */
  readonly steps: number;
  /** Measured on one step of the first images, after a first one that does not count. */
  readonly secondsPerStep: number;
  /** Bytes that a step is expected to need, and the most it may. */
  readonly memory: { readonly bytes: number; readonly budget: number };
}

/** Throws what `fineTune` throws before its first step. */
export async function planFineTune(request: FineTuneRequest, report: Report, signal: AbortSignal): Promise<FineTunePlan> {
  const prepared = await prepare(request, report);
  const { config, training, findings } = prepared;
  const rows = await readableRows(training.table.files, request.skipUnreadable, report, signal, config.training.batch);
  if (rows.length < 2) throw tooFewImages(training.table.source, rows.length);
  const { boxes, embedding } = request.kind === 'mitigate' ? await firstRegions(request, prepared, rows, report) : { boxes: [], embedding: null };
  const regions = Math.max(0, ...boxes.map((list) => list.length));
  const model = await openTrainingModel(prepared.checkpoint, embedding, config.training);
  const text = await openTexts(prepared, rows, model, report, signal);
  const data: TrainingData = {
    store: imageStore(Array.from(rows, (row) => training.table.files[row]!)), boxes, regions, text: text.training, classes: prepared.validation.classes.length,
    labels: Int32Array.from(rows, (row) => training.labels[row]!), kinds: new Uint8Array(rows.length * regions).fill(regionKind.regular),
  };
  const { step, runtime, memory, batch } = await openTraining(prepared, request.kind, model, data, undefined, report);
  try {
    const given = await loadBatch(data, rows, config.mitigation);
    await step.run(given);
    signal.throwIfAborted();
    const started = performance.now();
    await step.run(given);
    const secondsPerStep = (performance.now() - started) / 1000;
    const images = training.labels.length;
    return {
      kind: request.kind, device: runtime.device, images, regions, findings: findings.map(({ rank }) => rank!),
      trainable: { weights: model.parameters.length, parameters: model.parameters.reduce((sum, { size }) => sum + size, 0), names: model.parameters.map(({ name }) => name) },
      batch, microBatch: step.microBatch, stepsPerEpoch: stepsPerEpoch(images, batch), steps: totalSteps(config.training, images, batch),
      secondsPerStep, memory: { bytes: memory.bytes, budget: memory.budget },
    };
  } finally {
    await Promise.all([step.release(), text.release()]);
  }
}

async function firstRegions({ baseDir }: FineTuneRequest, { checkpoint, config, discovery, training }: Prepared, rows: Int32Array, report: Report): Promise<{ boxes: Box[][]; embedding: RegionEmbedding }> {
  const finder = await openRegionFinder(config.regions, training.table, baseDir, config.device, report);
  try {
    const boxes: Box[][] = [];
    for (const row of rows) {
      const image = await decodeImage(training.table.files[row]!);
      boxes.push(await finder.find(row, image, frame(checkpoint.preprocessing, image.width, image.height).visible));
    }
    if (discovery) return { boxes, embedding: discovery.embedding };
    const encoder = await openRegionEncoder(checkpoint, config.embedding, config.device, report);
    await encoder.release();
    return { boxes, embedding: { mode: encoder.mode, featureMap: encoder.featureMap } };
  } finally {
    await finder.release();
  }
}
