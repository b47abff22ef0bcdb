/** What a checkpoint would say of an image without some of its regions. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Prediction, WhatIf } from '../../shared/runQueries';
import type { Preprocessing } from '../../shared/preprocessing';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import { classEmbeddings } from '../checkpoint/textEmbeddings';
import { decodeImage } from '../dataset/decodeImage';
import { pixelRect } from '../dataset/preprocess';
import type { Pixels } from '../dataset/resample';
import { filesOf, isRecorded } from '../discovery/inputs';
import { openRegionEncoder, type RegionEncoder, type RegionMode } from '../discovery/regionEncoder';
import { zeroShot } from '../discovery/zeroShot';
import { similarityMatrix } from '../runtime/matmul';
import type { Analysis } from './analysis';
import { checkpointChanged } from './errors';

export interface WhatIfAsker {
  /** Throws `viewer-checkpoint-changed`, and what opening a checkpoint, decoding and inference throw. */
  ask(analysis: Analysis, file: string, boxes: readonly Box[], signal: AbortSignal): Promise<WhatIf>;
  release(): Promise<void>;
}

interface Model {
  readonly key: string;
  readonly checkpoint: Checkpoint;
  readonly encoder: RegionEncoder;
  /** [classes, dim] */
  readonly classRows: Float32Array;
}

/**
 * Keeps the checkpoint of the last question open, one alone: they are large, and a person looks at one run. It runs on the CPU,
 * where two images take a moment, so that an editor that is left open holds no GPU. One question is answered after the other.
 */
export function openWhatIf(): WhatIfAsker {
  let model: Model | null = null;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
  const close = async () => {
    await model?.encoder.release();
    model = null;
  };
  return {
    ask: (analysis, file, boxes, signal) =>
      inTurn(async () => {
        signal.throwIfAborted();
        if (!model || model.key !== (await keyOf(analysis, model.checkpoint))) {
          await close();
          model = await openModel(analysis, signal);
        }
        const image = await decodeImage(file);
        const masked = paintedOver(image, boxes, model.checkpoint.preprocessing);
        signal.throwIfAborted();
        const { images } = await model.encoder.embed([image, masked].map((pixels) => ({ name: file, pixels, boxes: [] })));
        return answer(images, model, analysis);
      }),
    release: () => inTurn(close),
  };
}

async function openModel(analysis: Analysis, signal: AbortSignal): Promise<Model> {
  const { file: run, config, baseDir, findings } = analysis;
  const quiet = () => undefined;
  const checkpoint = await openCheckpoint(config.checkpoint, baseDir);
  const changed: string[] = [];
  for (const file of filesOf(checkpoint)) if (!(await isRecorded(file, run.inputs))) changed.push(basename(file));
  if (changed.length > 0) throw checkpointChanged(run.id, changed);
  signal.throwIfAborted();
  const classRows = await classEmbeddings(checkpoint, 'cpu', findings.classes, config.prompts, quiet, signal);
  // The way regions were embedded decides which graphs ran, and so the last digits.
  const { mode, featureMap } = run.embedding ?? { mode: config.embedding.mode, featureMap: null };
  const as = { ...config.embedding, mode: mode as RegionMode, ...(featureMap === null ? {} : { featureMap }) };
  const encoder = await openRegionEncoder(checkpoint, as, 'cpu', quiet);
  return { key: await keyOf(analysis, checkpoint), checkpoint, encoder, classRows };
}

/** What an open model depends on: the run, and its checkpoint's files as they lie on disk. */
async function keyOf({ folder, file }: Analysis, checkpoint: Checkpoint): Promise<string> {
  const stats = await Promise.all(filesOf(checkpoint).map((each) => stat(each).catch(() => null)));
  return JSON.stringify([folder, file.fingerprint, stats.map((each) => each && [each.mtimeMs, each.size])]);
}

/** The image with boxes filled by the mean colour of the preprocessing, which is nothing (0) to the encoder. */
export function paintedOver(image: Pixels, boxes: readonly Box[], { mean, rescale }: Pick<Preprocessing, 'mean' | 'rescale'>): Pixels {
  const data = image.data.slice();
  const colour = mean.map((value) => Math.min(255, Math.max(0, Math.round(value / rescale))));
  for (const box of boxes) {
    const { x, y, width, height } = pixelRect(box, image);
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) data.set(colour, 3 * (row * image.width + column));
    }
  }
  return { ...image, data };
}

async function answer(images: Float32Array, { classRows, checkpoint }: Model, { config, findings: { classes } }: Analysis): Promise<WhatIf> {
  const similarity = await similarityMatrix(images, 2, classRows, classes.length, checkpoint.dim);
  const { scores, predictions } = zeroShot(similarity, classes.length, config.discovery.temperature);
  const prediction = (row: number): Prediction => ({ predicted: classes[predictions[row]!]!, scores: [...scores.subarray(row * classes.length, (row + 1) * classes.length)] });
  return { before: prediction(0), after: prediction(1) };
}
