/** A checkpoint on the validation images: zero-shot predictions, and how good they are overall, by class and by group. */
import type { ClassAccuracy, GroupAccuracy } from '../../shared/comparison';
import type { CheckpointConfig, Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import { classEmbeddings } from '../checkpoint/textEmbeddings';
import { imageStream } from '../dataset/prefetch';
import type { Table } from '../dataset/table';
import { nothingToAnalyze } from '../discovery/errors';
import { openRegionEncoder, type EncoderImage } from '../discovery/regionEncoder';
import { loadValidationData } from '../discovery/validationData';
import { accuracy, zeroShot } from '../discovery/zeroShot';
import type { DeviceChoice } from '../runtime/device';
import { similarityMatrix } from '../runtime/matmul';
import { runOtherData } from './errors';
import { featuresIn, type RunFeature } from './features';
import { groupAccuracies, leastAccurate, presenceOf, tableOf, type Feature } from './groupTable';

export interface EvaluationRequest {
  readonly checkpoint: CheckpointConfig;
  /** Folder that relative paths of the checkpoint start from; `baseDir` when left out. */
  readonly checkpointDir?: string;
  /** Its data, classes, prompts, temperature and device count; its own checkpoint does not. */
  readonly config: Config;
  /** Folder that the config's relative paths start from. */
  readonly baseDir: string;
  /** Leave images out that are missing or cannot be decoded, instead of stopping. */
  readonly skipUnreadable?: boolean;
  /** Features that divide the classes into groups, and the run they come from. */
  readonly grouping?: { readonly run: string; readonly features: readonly RunFeature[] };
}

export interface Evaluation {
  readonly classes: readonly string[];
  /** All images of the data, and the rows of those that could be read. */
  readonly table: Table;
  readonly rows: Int32Array;
  /** [images] paths as the data names them. */
  readonly images: readonly string[];
  /** [images] class ids, and zero-shot predictions. */
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  /** Mean zero-shot cross-entropy at `discovery.temperature`. */
  readonly loss: number;
  readonly overall: number;
  /** Classes that have images, in class order. */
  readonly perClass: readonly ClassAccuracy[];
  readonly worstClass: ClassAccuracy;
  /** The features that make the groups. */
  readonly features: readonly Omit<Feature, 'present'>[];
  /** The groups of at least `discovery.minSupport` images; none without features. */
  readonly groups: readonly GroupAccuracy[];
  readonly worstGroup: GroupAccuracy | null;
  readonly device: DeviceChoice;
}

/**
 * Throws `checkpoint-*`, `dataset-*`, `device-*` and `runtime-*`, and `mitigation-other-data` where the features' run saw none
 * of these images. Stops between batches with `signal.reason` once `signal` is aborted.
 */
export async function evaluateCheckpoint(request: EvaluationRequest, report: Report, signal: AbortSignal): Promise<Evaluation> {
  const { config, baseDir, checkpointDir = baseDir, skipUnreadable = false, grouping } = request;
  const checkpoint = await openCheckpoint(request.checkpoint, checkpointDir);
  for (const text of checkpoint.notes) report({ type: 'note', level: 'info', text });
  // Whole images are embedded: boxes are not needed, and a file of them need not be there.
  const { table, classes, labels: allLabels } = await loadValidationData({ ...config, regions: { kind: 'grid', rows: 1, cols: 1 } }, baseDir, skipUnreadable, report);
  const classRows = await classEmbeddings(checkpoint, config.device, classes, config.prompts, report, signal);
  const { rows, embeddings, device } = await embedWhole(checkpoint, config, table, skipUnreadable, report, signal);
  const labels = Int32Array.from(rows, (row) => allLabels[row]!);
  const images = Array.from(rows, (row) => table.images[row]!);
  const similarity = await similarityMatrix(embeddings, rows.length, classRows, classes.length, checkpoint.dim);
  const { predictions } = zeroShot(similarity, classes.length, config.discovery.temperature);

  const features = featuresIn(grouping?.features ?? [], images);
  if (grouping && features.length > 0 && features.every(({ present }) => !present.includes(1))) throw runOtherData(grouping.run);
  const groups = groupAccuracies(tableOf(presenceOf(features, images.length), labels, predictions, features.length, classes.length), classes, features, config.discovery.minSupport);
  const { overall, perClass, worstClass } = accuracy(labels, predictions, classes.length);
  const named = ({ class: y, ...row }: (typeof perClass)[number]) => ({ label: classes[y]!, ...row });
  return {
    classes, table, rows, images, labels, predictions,
    loss: crossEntropy(similarity, labels, classes.length, config.discovery.temperature),
    overall,
    perClass: perClass.map(named),
    worstClass: named(worstClass),
    features: features.map(({ rank, cluster, name, attribute }) => ({ rank, cluster, name, attribute })),
    groups,
    worstGroup: leastAccurate(groups) ?? null,
    device,
  };
}

/**
 * Mean of -log softmax(similarity / temperature) at the label, in float64 and without underflow.
 *
 * @param similarity [images, classes] inner products of L2-normalised embeddings with the class embeddings
 */
export function crossEntropy(similarity: Float32Array, labels: Int32Array, classes: number, temperature: number): number {
  let sum = 0;
  labels.forEach((label, image) => {
    const row = similarity.subarray(image * classes, (image + 1) * classes);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    let exponentials = 0;
    for (const value of row) exponentials += Math.exp((value - largest) / temperature);
    sum += Math.log(exponentials) - (row[label]! - largest) / temperature;
  });
  return sum / labels.length;
}

/** Embeddings of the whole images that could be read, L2-normalised: the encoder's own, with no cut at a feature map. */
async function embedWhole(checkpoint: Checkpoint, config: Config, table: Table, skipUnreadable: boolean, report: Report, signal: AbortSignal) {
  const encoder = await openRegionEncoder(checkpoint, { ...config.embedding, mode: 'crop' }, config.device, report);
  const rows: number[] = [];
  const parts: Float32Array[] = [];
  const total = table.files.length;
  let group: EncoderImage[] = [];
  const encode = async (done: number) => {
    signal.throwIfAborted();
    if (group.length > 0) parts.push((await encoder.embed(group)).images);
    group = [];
    report({ type: 'progress', phase: 'embed', done, total, unit: 'images' });
  };
  try {
    for await (const { index, image, error } of imageStream(table.files, { ahead: Math.max(8, 2 * encoder.batch) })) {
      if (error) {
        if (!skipUnreadable) throw error;
        report({ type: 'note', level: 'warning', text: `Skipped: ${error.message}` });
      } else {
        rows.push(index);
        group.push({ name: table.images[index]!, pixels: image, boxes: [] });
      }
      if (group.length === encoder.batch || index === total - 1) await encode(index + 1);
    }
    if (rows.length === 0) throw nothingToAnalyze('no image could be read');
    const embeddings = new Float32Array(rows.length * checkpoint.dim);
    let at = 0;
    for (const part of parts) {
      embeddings.set(part, at);
      at += part.length;
    }
    return { rows: Int32Array.from(rows), embeddings, device: encoder.device()! };
  } finally {
    await encoder.release();
  }
}
