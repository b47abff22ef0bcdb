/** The training images and texts as training needs them: which images can be read, their regions with kinds, text embeddings. */
import { join } from 'node:path';
import type { RavlError } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { classEmbeddings, embedTexts, textFeeds } from '../checkpoint/textEmbeddings';
import { imageStream } from '../dataset/prefetch';
import { openRegionFinder } from '../dataset/regions';
import { embedImages, type ImageEmbeddings } from '../discovery/embedImages';
import { selectRows } from '../discovery/validationData';
import { openRegionEncoder } from '../discovery/regionEncoder';
import { encodeModel } from '../onnx/model';
import type { Run } from '../run/runFolder';
import { Tensor } from '../runtime/session';
import { regionKind } from '../training/batchMasks';
import { readMedoids } from './discoveryRun';
import * as errors from './errors';
import { imageStore } from '../training/imageStore';
import type { FineTuneRequest, Prepared } from './prepare';
import { planRegions, type RegionPlan } from './spuriousRegions';
import { cpuRuntime } from '../training/stepRuntime';
import { textTower } from '../training/tower';
import { longestText, type TrainingData } from '../training/trainingData';
import { forwardGraph, stepOutputs } from '../training/trainingGraphs';
import type { RegionEmbedding, TrainingModel } from '../training/trainingModel';
import type { Weight } from '../training/trainingStep';

export interface TrainingRegions {
  readonly data: Omit<TrainingData, 'text'>;
  /** Row of every training image in its table; unreadable ones are left out. */
  readonly rows: Int32Array;
  readonly embedding: RegionEmbedding;
}

/**
 * The training images, and in region-aware fine-tuning their regions: embedded once by the checkpoint that training starts
 * from, in the way of the analysis, and told apart by the nearest medoid.
 * Throws `dataset-too-few-images`, `mitigation-no-spurious-region`, and what embedding throws.
 */
export async function planTrainingRegions(request: FineTuneRequest, prepared: Prepared, run: Run, report: Report, signal: AbortSignal): Promise<TrainingRegions> {
  const { kind, skipUnreadable } = request;
  const { table, labels } = prepared.training;
  const classes = prepared.validation.classes.length;
  const found = kind === 'mitigate' ? await regionsOf(request, prepared, run, report, signal) : null;
  const rows = found?.rows ?? (await readableRows(table.files, skipUnreadable, report, signal));
  if (rows.length < 2) throw errors.tooFewImages(table.source, rows.length);
  const { boxes, kinds, regions } = found?.plan ?? { boxes: [], kinds: new Uint8Array(0), regions: 0 };
  const files = Array.from(rows, (row) => table.files[row]!);
  return { rows, embedding: found?.embedding ?? null, data: { store: imageStore(files), boxes, kinds, regions, classes, labels: Int32Array.from(rows, (row) => labels[row]!) } };
}

async function regionsOf(
  { baseDir, skipUnreadable }: FineTuneRequest,
  prepared: Prepared,
  run: Run,
  report: Report,
  signal: AbortSignal,
): Promise<{ rows: Int32Array; plan: RegionPlan; embedding: RegionEmbedding }> {
  const { checkpoint, config, discovery, findings, byHand, training } = prepared;
  const finder = await openRegionFinder(config.regions, training.table, baseDir, config.device, report);
  // What `auto` meant in the analysis, it has to mean here.
  const as = discovery ? { ...config.embedding, mode: discovery.embedding.mode as typeof config.embedding.mode, ...(discovery.embedding.featureMap === null ? {} : { featureMap: discovery.embedding.featureMap }) } : config.embedding;
  const encoder = await openRegionEncoder(checkpoint, as, config.device, report);
  let embeddings: ImageEmbeddings;
  try {
    embeddings = await embedImages({ checkpoint, table: training.table, regions: finder, encoder, folder: join(run.folder, 'shards'), skipUnreadable }, report, signal);
  } finally {
    await Promise.all([encoder.release(), finder.release()]);
  }
  const embedding = { mode: encoder.mode, featureMap: encoder.featureMap };
  await run.update({ embedding });
  const listed = byHand && Array.from(embeddings.rows, (row) => byHand[row]!);
  const medoids = discovery && (await readMedoids(discovery, checkpoint.dim));
  const plan = await planRegions(embeddings, medoids, new Set(findings.map(({ cluster }) => cluster)), listed, checkpoint.dim);
  const spurious = plan.kinds.filter((kind) => kind === regionKind.spurious).length;
  if (spurious === 0) throw errors.noSpuriousRegion(training.table.source);
  const total = embeddings.regionImage.length;
  report({ type: 'note', level: 'info', text: `${spurious.toLocaleString('en')} of ${total.toLocaleString('en')} regions of the training images are spurious.` });
  return { rows: embeddings.rows, plan, embedding };
}

/**
 * The validation data without images that cannot be decoded, where those are to be left out: the analysis left them out too.
 * Throws `dataset-image-*` where none is left.
 */
export async function withReadableValidation({ skipUnreadable }: FineTuneRequest, prepared: Prepared, report: Report, signal: AbortSignal): Promise<Prepared> {
  const { table, labels, classes } = prepared.validation;
  if (!skipUnreadable) return prepared;
  const rows = await readableRows(table.files, true, report, signal);
  return {
    ...prepared,
    validation: { table: selectRows(table, rows), classes, labels: Int32Array.from(rows, (row) => labels[row]!) },
    features: prepared.features.map((feature) => ({ ...feature, present: Uint8Array.from(rows, (row) => feature.present[row]!) })),
  };
}

/**
 * The first `most` images that can be decoded, before hours of training meet one that cannot: that one is thrown, or named in
 * a warning where it is to be left out, as long as there is another.
 */
export async function readableRows(files: readonly string[], skipUnreadable: boolean, report: Report, signal: AbortSignal, most = files.length): Promise<Int32Array> {
  const rows: number[] = [];
  let last: RavlError | undefined;
  for await (const { index, error } of imageStream(files)) {
    signal.throwIfAborted();
    if (error && !skipUnreadable) throw error;
    if (error) report({ type: 'note', level: 'warning', text: `Skipped: ${error.message}` });
    else rows.push(index);
    report({ type: 'progress', phase: 'check', done: index + 1, total: files.length, unit: 'images' });
    if (rows.length === most) break;
    last = error ?? last;
  }
  if (rows.length === 0 && last) throw last;
  return Int32Array.from(rows);
}

export interface TrainingTexts {
  readonly training: TrainingData['text'];
  /** Class embeddings [classes, dim] under the current weights. */
  classRows(weights: readonly Weight[]): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Caption and class texts: embedded once where the text encoder is frozen, tokens for every step where it is trained. */
export async function openTexts(
  prepared: Pick<Prepared, 'checkpoint' | 'config'> & { readonly validation: Pick<Prepared['validation'], 'classes'>; readonly training: Pick<Prepared['training'], 'captions'> },
  rows: Int32Array,
  { text }: TrainingModel,
  report: Report,
  signal: AbortSignal,
): Promise<TrainingTexts> {
  const { checkpoint, config, validation, training } = prepared;
  const captions = Array.from(rows, (row) => training.captions[row]!);
  if (text === null) {
    const distinct = [...new Set(captions)];
    const place = new Map(distinct.map((caption, row) => [caption, row]));
    const embedded = await embedTexts(checkpoint, config.device, distinct, report, signal);
    const classRows = await classEmbeddings(checkpoint, config.device, validation.classes, config.prompts, report, signal);
    return {
      training: { captions: embedded, captionRow: Int32Array.from(captions, (caption) => place.get(caption)!), classes: classRows, dim: checkpoint.dim },
      classRows: () => Promise.resolve(classRows),
      release: () => Promise.resolve(),
    };
  }
  const { tokenizer, text: encoder, dim } = checkpoint;
  const prompts = validation.classes.flatMap((name) => config.prompts.map((prompt) => prompt.replaceAll('{}', () => name)));
  const longest = longestText(tokenizer, [...captions, ...prompts]);
  const feeds = textFeeds(encoder, tokenizer.encode(prompts));
  const dims = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, tensor.dims]));
  const tower = await textTower(text, dims, prompts.length);
  const session = await cpuRuntime.open(encodeModel(forwardGraph(tower)), { name: 'the text encoder', externalFolder: text.folder });
  return {
    training: { tokenizer, captions, prompts, longest: longest.text, length: longest.length },
    async classRows(weights) {
      const given: Record<string, Tensor> = { ...feeds, ...Object.fromEntries(weights.map(({ name, dims: shape, data }) => [name, new Tensor('float32', data, shape)])) };
      const results = await session.run(Object.fromEntries(session.inputs.map(({ name }) => [name, given[name]!])));
      return means(results[stepOutputs.embeddings]!.data as Float32Array, config.prompts.length, dim);
    },
    release: () => session.release(),
  };
}

/** The normalised mean of each class's normalised prompt embeddings. */
function means(rows: Float32Array, prompts: number, dim: number): Float32Array {
  const classes = rows.length / dim / prompts;
  const out = new Float32Array(classes * dim);
  for (let y = 0; y < classes; y++) {
    const mean = out.subarray(y * dim, (y + 1) * dim);
    for (let p = 0; p < prompts; p++) for (let d = 0; d < dim; d++) mean[d]! += rows[(y * prompts + p) * dim + d]!;
    const norm = Math.hypot(...mean) || 1;
    for (let d = 0; d < dim; d++) mean[d]! /= norm;
  }
  return out;
}
