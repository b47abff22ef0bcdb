/**
 * One step: a batch -> the loss, its parts and the gradient of every trained weight. In one run where the batch is one
 * micro-batch, in three parts otherwise (see trainingGraphs.ts).
 */
import type { Lowering } from '../autodiff/rule';
import { gradientName } from '../autodiff/differentiate';
import { textFeeds } from '../checkpoint/textEmbeddings';
import type { TextEncoder } from '../checkpoint/encoders';
import type { TokenBatch } from '../checkpoint/tokenizer';
import { encodeModel } from '../onnx/model';
import type { ModelProto } from '../onnx/schema';
import { Tensor, type Feeds, type GraphSession } from '../runtime/session';
import { imageFeeds, type ImageFeedsSpec, type ImageWithRegions } from './imageFeeds';
import { lossInputs, type Loss, type LossShape } from './loss';
import { imageTower, textTower, type TrainableModel } from './tower';
import { forwardGraph, lossGraph, seededGraph, stepInputs, stepOutputs, wholeStepGraph } from './trainingGraphs';

export interface TrainingStep {
  /** Images in memory at once. */
  readonly microBatch: number;
  /** Throws RavlError `runtime-*`. The gradients are in the order of the weights; they may be overwritten by the next call. */
  run(batch: StepBatch): Promise<StepResult>;
  release(): Promise<void>;
}

export interface StepBatch {
  readonly images: readonly ImageWithRegions[];
  /** Captions, classes and masks, by input name (see `lossInputs`). With a trained text encoder the embeddings are not read. */
  readonly inputs: Readonly<Record<string, Float32Array | Float64Array>>;
  /** Token ids of the captions and then of every prompt of every class, all of one length; for a trained text encoder. */
  readonly tokens?: TokenBatch;
}

export interface StepResult {
  readonly loss: number;
  readonly contrastive: number;
  /** 0 without regions. */
  readonly region: number;
  readonly alignment: number;
  /** [batch] where the loss tells what each sample loses. */
  readonly samples?: Float32Array;
  readonly gradients: readonly Float32Array[];
}

export interface StepSpec {
  readonly image: TrainableModel & Omit<ImageFeedsSpec, 'images' | 'regions'>;
  /** A text encoder that is trained as well; its `rows` are the captions of a batch and the prompts of all classes. */
  readonly text?: TrainableModel & { readonly encoder: TextEncoder; readonly length: number; readonly prompts: number };
  readonly shape: LossShape;
  readonly loss: Loss;
  /** The current values of the weights, in the order of `image.trainable` and then `text.trainable`; read at every run. */
  readonly weights: readonly Weight[];
}

export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** What runs the graphs of a step. */
export interface StepRuntime {
  readonly lowering: Lowering;
  open(model: Uint8Array, options: { readonly name: string; readonly externalFolder?: string }): Promise<GraphSession>;
}

/** Builds the graphs and opens them. Throws RavlError `autodiff-*` for an operator without a gradient, `runtime-*`. */
export async function openTrainingStep(spec: StepSpec, microBatch: number, runtime: StepRuntime): Promise<TrainingStep> {
  const whole = microBatch >= spec.shape.batch && !spec.text;
  return whole ? openWholeStep(spec, runtime) : openAccumulatedStep(spec, Math.min(microBatch, spec.shape.batch), runtime);
}

async function openWholeStep(spec: StepSpec, runtime: StepRuntime): Promise<TrainingStep> {
  const { image, shape, weights } = spec;
  const tower = await imageTower(image, towerShape(spec, shape.batch));
  const names = weights.map(({ name }) => name);
  const proto = await wholeStepGraph(tower, shape, spec.loss, names, runtime.lowering);
  const session = await open(runtime, proto, image, 'the training step');
  const feeds = imageFeeds({ ...image, images: shape.batch, regions: shape.regions });
  const weightFeeds = tensorsOf(weights);
  return {
    microBatch: shape.batch,
    async run(batch) {
      const results = await session.run(accepted(session, { ...weightFeeds, ...lossFeeds(spec, batch.inputs), ...feeds(batch.images) }));
      return { ...partsOf(results, session), gradients: names.map((name) => results[gradientName(name)]!.data as Float32Array) };
    },
    release: () => session.release(),
  };
}

async function openAccumulatedStep(spec: StepSpec, microBatch: number, runtime: StepRuntime): Promise<TrainingStep> {
  const { shape, weights, text } = spec;
  const { batch, regions, dim } = shape;
  const sessions: GraphSession[] = [];
  const opened: Opened = async (proto, model, name) => {
    const session = await open(runtime, proto, model, name);
    sessions.push(session);
    return session;
  };
  const release = async () => {
    await Promise.all(sessions.map((session) => session.release()));
  };
  try {
    const images = await openTower(spec.image, await imageTower(spec.image, towerShape(spec, microBatch)), opened, runtime.lowering, 'the image encoder');
    const texts = text && (await openTexts(text, batch + shape.classes * text.prompts, opened, runtime.lowering));
    const loss = await lossGraph(shape, spec.loss, runtime.lowering, text?.prompts);
    const lossSession = await opened(loss.proto, undefined, 'the loss');
    const fill = imageFeeds({ ...spec.image, images: microBatch, regions });
    const sums = new Map(weights.map(({ name, data }) => [name, new Float32Array(data.length)]));
    const weightFeeds = tensorsOf(weights);
    const parts = Array.from({ length: Math.ceil(batch / microBatch) }, (_, part) => part * microBatch);

    return {
      microBatch,
      async run(given) {
        const part = (first: number) => fill(given.images.slice(first, first + microBatch));
        const embeddings = { images: new Float32Array(batch * dim), regions: new Float32Array(batch * regions * dim) };
        for (const first of parts) {
          const rows = await images.forward({ ...weightFeeds, ...part(first) });
          scatterRows(rows, embeddings, { first, count: Math.min(microBatch, batch - first), microBatch, regions, dim });
        }
        const textRows = texts && (await texts.forward(weightFeeds, given.tokens!));
        const results = await lossSession.run(accepted(lossSession, {
          ...lossFeeds(spec, given.inputs),
          [stepInputs.images]: new Tensor('float32', embeddings.images, [batch, dim]),
          [stepInputs.regions]: new Tensor('float32', embeddings.regions, [batch * regions, dim]),
          ...(textRows && captionFeeds(textRows, batch, dim)),
        }));
        const gradient = (name: string) => results[gradientName(name)]?.data as Float32Array | undefined;

        for (const sum of sums.values()) sum.fill(0);
        const seeds = new Float32Array(microBatch * (1 + regions) * dim);
        const of = { images: gradient(stepInputs.images)!, regions: gradient(stepInputs.regions) ?? new Float32Array(0) };
        for (const first of parts) {
          gatherRows(seeds, of, { first, count: Math.min(microBatch, batch - first), microBatch, regions, dim });
          await images.backward({ ...weightFeeds, ...part(first) }, seeds, sums);
        }
        if (texts) await texts.backward(weightFeeds, given.tokens!, [gradient(lossInputs.captions)!, gradient(stepInputs.prompts)].filter((each) => each !== undefined), sums);
        return { ...partsOf(results, lossSession), gradients: weights.map(({ name }) => sums.get(name)!) };
      },
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

type Opened = (proto: ModelProto, model: TrainableModel | undefined, name: string) => Promise<GraphSession>;

/** An encoder in both directions: embeddings of one (micro-)batch, and what a gradient in them adds to the weights'. */
async function openTower(model: TrainableModel, tower: Awaited<ReturnType<typeof imageTower>>, opened: Opened, lowering: Lowering, name: string) {
  const forward = await opened(forwardGraph(tower), model, name);
  const backward = await opened(await seededGraph(tower, model.trainable, lowering), model, `the gradient of ${name}`);
  const dims = tower.embeddings.dims;
  return {
    async forward(feeds: Feeds): Promise<Float32Array> {
      return (await forward.run(accepted(forward, feeds)))[stepOutputs.embeddings]!.data as Float32Array;
    },
    async backward(feeds: Feeds, seeds: Float32Array, sums: ReadonlyMap<string, Float32Array>): Promise<void> {
      const results = await backward.run(accepted(backward, { ...feeds, [stepInputs.seed]: new Tensor('float32', seeds, dims) }));
      for (const weight of model.trainable) addTo(sums.get(weight)!, results[gradientName(weight)]!.data as Float32Array);
    },
  };
}

/** The text encoder over all texts of a step, `textRows` at a time. */
async function openTexts(model: NonNullable<StepSpec['text']>, total: number, opened: Opened, lowering: Lowering) {
  const rows = Math.min(total, textRows);
  const { encoder, length, dim } = model;
  const dims = Object.fromEntries(Object.keys(textFeeds(encoder, emptyTokens(1, length))).map((name) => [name, [rows, length]]));
  const tower = await openTower(model, await textTower(model, dims, rows), opened, lowering, 'the text encoder');
  const feedsOf = (tokens: TokenBatch, first: number): Feeds => {
    const part = emptyTokens(rows, length);
    const at = first * length;
    // Rows past the end repeat nothing and are given no gradient; a mask of 0s only would be a division by 0, so they keep 1s.
    part.attentionMask.fill(1n);
    const end = Math.min(tokens.inputIds.length, at + rows * length);
    part.inputIds.set(tokens.inputIds.subarray(at, end));
    part.attentionMask.set(tokens.attentionMask.subarray(at, end));
    return textFeeds(encoder, part);
  };
  const starts = Array.from({ length: Math.ceil(total / rows) }, (_, part) => part * rows);
  return {
    async forward(weights: Feeds, tokens: TokenBatch): Promise<Float32Array> {
      const all = new Float32Array(total * dim);
      for (const first of starts) {
        const part = await tower.forward({ ...weights, ...feedsOf(tokens, first) });
        all.set(part.subarray(0, Math.min(rows, total - first) * dim), first * dim);
      }
      return all;
    },
    async backward(weights: Feeds, tokens: TokenBatch, gradients: readonly Float32Array[], sums: ReadonlyMap<string, Float32Array>): Promise<void> {
      const all = new Float32Array(total * dim);
      let at = 0;
      for (const gradient of gradients) {
        all.set(gradient, at);
        at += gradient.length;
      }
      for (const first of starts) {
        const seeds = new Float32Array(rows * dim);
        seeds.set(all.subarray(first * dim, Math.min(total, first + rows) * dim));
        await tower.backward({ ...weights, ...feedsOf(tokens, first) }, seeds, sums);
      }
    },
  };
}

/** Texts in memory at once: text encoders are small beside image encoders. */
const textRows = 64;

const emptyTokens = (rows: number, length: number): TokenBatch => ({
  inputIds: new BigInt64Array(rows * length),
  attentionMask: new BigInt64Array(rows * length),
  dims: [rows, length],
});

const captionFeeds = (rows: Float32Array, batch: number, dim: number): Feeds => ({
  [lossInputs.captions]: new Tensor('float32', rows.subarray(0, batch * dim), [batch, dim]),
  [stepInputs.prompts]: new Tensor('float32', rows.subarray(batch * dim), [rows.length / dim - batch, dim]),
});

interface RowsOfPart {
  readonly first: number;
  readonly count: number;
  readonly microBatch: number;
  readonly regions: number;
  readonly dim: number;
}

/** From a tower's rows (images, then regions) to the matrices of the whole batch. */
function scatterRows(rows: Float32Array, to: { images: Float32Array; regions: Float32Array }, { first, count, microBatch, regions, dim }: RowsOfPart): void {
  to.images.set(rows.subarray(0, count * dim), first * dim);
  to.regions.set(rows.subarray(microBatch * dim, (microBatch + count * regions) * dim), first * regions * dim);
}

/** The other way, with zeros where the last part has no image. */
function gatherRows(rows: Float32Array, from: { images: Float32Array; regions: Float32Array }, { first, count, microBatch, regions, dim }: RowsOfPart): void {
  rows.fill(0);
  rows.set(from.images.subarray(first * dim, (first + count) * dim));
  rows.set(from.regions.subarray(first * regions * dim, (first + count) * regions * dim), microBatch * dim);
}

function addTo(sum: Float32Array, part: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}

const towerShape = ({ image, shape }: StepSpec, images: number) => ({
  input: { name: image.input.name, dims: [3, image.input.height, image.input.width] },
  images,
  regions: shape.regions,
  map: image.split?.map ?? null,
});

const open = (runtime: StepRuntime, proto: ModelProto, model: TrainableModel | undefined, name: string) =>
  runtime.open(encodeModel(proto), { name, ...(model ? { externalFolder: model.folder } : {}) });

const tensorsOf = (weights: readonly Weight[]): Feeds => Object.fromEntries(weights.map(({ name, dims, data }) => [name, new Tensor('float32', data, dims)]));

function lossFeeds({ shape, loss }: StepSpec, inputs: StepBatch['inputs']): Feeds {
  const float32 = (values: Float32Array | Float64Array) => (values instanceof Float32Array ? values : Float32Array.from(values));
  return Object.fromEntries(loss.inputs(shape).flatMap(({ name, dims }) => (inputs[name] ? [[name, new Tensor('float32', float32(inputs[name]), dims)]] : [])));
}

/** What a graph does not read, it does not take. */
function accepted(session: GraphSession, feeds: Feeds): Feeds {
  return Object.fromEntries(session.inputs.map(({ name }) => [name, feeds[name]!]));
}

function partsOf(results: Record<string, Tensor>, session: GraphSession): Omit<StepResult, 'gradients'> {
  const scalar = (name: string | undefined) => Number((name === undefined ? undefined : results[name]?.data[0]) ?? 0);
  return {
    loss: scalar(session.outputs[0]?.name),
    contrastive: scalar(stepOutputs.contrastive),
    region: scalar(stepOutputs.region),
    alignment: scalar(stepOutputs.alignment),
    ...(stepOutputs.samples in results ? { samples: results[stepOutputs.samples]!.data as Float32Array } : {}),
  };
}
