/** A checkpoint on a set of images: embeddings and zero-shot scores of images and regions, and how good they are where. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointConfig, Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { openCheckpoint } from '../checkpoint/checkpoint';
import { classEmbeddings } from '../checkpoint/textEmbeddings';
import { openRegionFinder } from '../dataset/regions';
import type { Table } from '../dataset/table';
import { embedImages, type ImageEmbeddings } from '../discovery/embedImages';
import { openRegionEncoder } from '../discovery/regionEncoder';
import { zeroShot, type ZeroShot } from '../discovery/zeroShot';
import { similarityMatrix } from '../runtime/matmul';
import type { RegionEmbedding } from '../training/trainingModel';

export interface Embedded extends ImageEmbeddings {
  readonly dim: number;
  readonly embedding: NonNullable<RegionEmbedding>;
  /** [classes, dim] */
  readonly classRows: Float32Array;
}

/** `folder` holds shards while it works; those that a killed process left are of another checkpoint, it may be, and not gone on from. Throws what embedding throws; every image has to be readable. */
export async function embedSet(given: CheckpointConfig, table: Table, classes: readonly string[], config: Config, folder: string, report: Report, signal: AbortSignal): Promise<Embedded> {
  const checkpoint = await openCheckpoint(given, '.');
  const shards = join(folder, 'shards');
  await rm(shards, { recursive: true, force: true });
  const finder = await openRegionFinder(config.regions, table, '.', config.device, report);
  const encoder = await openRegionEncoder(checkpoint, config.embedding, config.device, report);
  try {
    const embedded = await embedImages({ checkpoint, table, regions: finder, encoder, folder: shards, skipUnreadable: false }, report, signal);
    const classRows = await classEmbeddings(checkpoint, config.device, classes, config.prompts, report, signal);
    return { ...embedded, dim: checkpoint.dim, embedding: { mode: encoder.mode, featureMap: encoder.featureMap }, classRows };
  } finally {
    await Promise.all([encoder.release(), finder.release()]);
    await rm(shards, { recursive: true, force: true });
  }
}

/** Zero-shot scores of rows [n, dim] against class rows. */
export async function scoreRows(rows: Float32Array, dim: number, classRows: Float32Array, temperature: number): Promise<ZeroShot> {
  const [n, classes] = [rows.length / dim, classRows.length / dim];
  return zeroShot(await similarityMatrix(rows, n, classRows, classes, dim), classes, temperature);
}

export interface GroupAccuracy {
  readonly overall: number;
  /** Of the groups, class × with and without the feature, the lowest accuracy. */
  readonly worstGroup: number;
}

/**
 * @param labels [items] class ids; `present` [items] 1 with the feature. Groups without items do not count; NaN without any item.
 */
export function groupAccuracy(labels: Int32Array, predictions: Int32Array, present: ArrayLike<number>): GroupAccuracy {
  const right = new Map<number, { n: number; right: number }>();
  let total = 0;
  labels.forEach((label, i) => {
    const group = right.get(2 * label + present[i]!) ?? { n: 0, right: 0 };
    const hit = predictions[i] === label ? 1 : 0;
    total += hit;
    right.set(2 * label + present[i]!, { n: group.n + 1, right: group.right + hit });
  });
  if (labels.length === 0) return { overall: NaN, worstGroup: NaN };
  return { overall: total / labels.length, worstGroup: Math.min(...[...right.values()].map((group) => group.right / group.n)) };
}

/**
 * Whether the model learned the shortcut, in points (paper, section 4): eps1 = accuracy of the tied class with the feature minus
 * without it; eps2 = the largest accuracy without minus with it of any other class.
 */
export function shortcutLearned(labels: Int32Array, predictions: Int32Array, present: ArrayLike<number>, tied: number, classes: number): { eps1: number; eps2: number } {
  const accuracy = (label: number, side: number) => {
    const members = Array.from(labels.keys()).filter((i) => labels[i] === label && present[i] === side);
    return members.filter((i) => predictions[i] === label).length / members.length;
  };
  const others = Array.from({ length: classes }, (_, y) => y).filter((y) => y !== tied);
  return { eps1: 100 * (accuracy(tied, 1) - accuracy(tied, 0)), eps2: 100 * Math.max(...others.map((y) => accuracy(y, 0) - accuracy(y, 1))) };
}
