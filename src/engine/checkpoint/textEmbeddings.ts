import { basename } from 'node:path';
import type { Device } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { float16ToFloat32 } from '../onnx/float16';
import { encodeModel } from '../onnx/model';
import { openCheckedSession } from '../runtime/device';
import { Tensor, type Feeds, type GraphSession } from '../runtime/session';
import type { Checkpoint } from './checkpoint';
import type { TextEncoder } from './encoders';
import { dimensionUnknown, embeddingBroken } from './errors';
import type { TokenBatch } from './tokenizer';

/** Texts a batch: text encoders are small beside image encoders, and more brings nothing. */
const batchSize = 64;

/**
 * L2-normalised text embeddings [texts, dim], row by row in the order given; equal texts are embedded once.
 * Throws `checkpoint-text-embedding` for a text whose embedding is zero or not finite, `device-*` and `runtime-*`, and
 * between batches `signal.reason` once `signal` is aborted.
 */
export async function embedTexts(checkpoint: Checkpoint, device: Device, texts: readonly string[], report: Report, signal?: AbortSignal): Promise<Float32Array> {
  const { dim } = checkpoint;
  const distinct = [...new Set(texts)];
  const embedded = await embedDistinct(checkpoint, device, distinct, report, signal);
  if (distinct.length === texts.length) return embedded;
  const rows = new Map(distinct.map((text, row) => [text, row * dim]));
  const all = new Float32Array(texts.length * dim);
  for (const [i, text] of texts.entries()) all.set(embedded.subarray(rows.get(text)!, rows.get(text)! + dim), i * dim);
  return all;
}

/**
 * Class embeddings [classes, dim]: for each class the mean of its L2-normalised prompt embeddings, normalised again
 * (prompt ensemble; RaVL's zero-shot scores). `{}` in a prompt stands for the class name, wherever it occurs.
 */
export async function classEmbeddings(
  checkpoint: Checkpoint,
  device: Device,
  classes: readonly string[],
  prompts: readonly string[],
  report: Report,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { dim } = checkpoint;
  const texts = classes.flatMap((name) => prompts.map((prompt) => prompt.replaceAll('{}', () => name)));
  const embedded = await embedTexts(checkpoint, device, texts, report, signal);
  const means = new Float32Array(classes.length * dim);
  for (const [c, name] of classes.entries()) {
    const mean = means.subarray(c * dim, (c + 1) * dim);
    for (let p = 0; p < prompts.length; p++) {
      const row = (c * prompts.length + p) * dim;
      for (let d = 0; d < dim; d++) mean[d]! += embedded[row + d]! / prompts.length;
    }
    normalise(mean, name);
  }
  return means;
}

async function embedDistinct(checkpoint: Checkpoint, device: Device, texts: readonly string[], report: Report, signal?: AbortSignal): Promise<Float32Array> {
  const { text: encoder, tokenizer, dim } = checkpoint;
  const { model } = encoder;
  const embeddings = new Float32Array(texts.length * dim);
  const size = encoder.batch ?? batchSize;
  let session: GraphSession | undefined;
  try {
    for (let start = 0; start < texts.length; start += size) {
      signal?.throwIfAborted();
      const batch = texts.slice(start, start + size);
      const feeds = textFeeds(encoder, tokenizer.encode(filled(batch, encoder.batch)));
      session ??= (await openCheckedSession(encodeModel(model.proto), device, feeds, report, { externalFolder: model.folder, name: basename(model.file) })).session;
      const values = floats((await session.run(feeds))[encoder.output]!);
      if (values.length !== (encoder.batch ?? batch.length) * dim) throw dimensionUnknown(basename(model.file), encoder.output);
      embeddings.set(values.subarray(0, batch.length * dim), start * dim);
      for (const [i, text] of batch.entries()) normalise(embeddings.subarray((start + i) * dim, (start + i + 1) * dim), text);
      report({ type: 'progress', phase: 'text', done: start + batch.length, total: texts.length, unit: 'texts' });
    }
  } finally {
    await session?.release();
  }
  return embeddings;
}

/** Node 24 hands float16 out as Float16Array, Node 20 and 22 as the bits. */
function floats({ type, data }: Tensor): Float32Array {
  if (type !== 'float16') return data as Float32Array;
  return data instanceof Uint16Array ? float16ToFloat32(data) : Float32Array.from(data as unknown as ArrayLike<number>);
}

/** Divides a vector by its L2 norm in place. */
function normalise(vector: Float32Array, text: string): void {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (!Number.isFinite(sum)) throw embeddingBroken(text, 'not finite');
  if (sum === 0) throw embeddingBroken(text, 'zero');
  const norm = Math.sqrt(sum);
  for (let d = 0; d < vector.length; d++) vector[d]! /= norm;
}

/** A graph with a fixed batch axis takes exactly that many texts: the last ones are repeated. */
function filled(texts: readonly string[], batch: number | null): readonly string[] {
  return batch === null ? texts : Array.from({ length: batch }, (_, i) => texts[Math.min(i, texts.length - 1)]!);
}

/** The inputs of a text encoder for a batch of token ids: ids, and the mask, token types and positions where it asks for them. */
export function textFeeds(encoder: TextEncoder, { inputIds, attentionMask, dims }: TokenBatch): Feeds {
  const tensor = (values: BigInt64Array): Tensor =>
    encoder.dtype === 'int64' ? new Tensor('int64', values, dims) : new Tensor('int32', Int32Array.from(values, Number), dims);
  const feeds: Record<string, Tensor> = { [encoder.input]: tensor(inputIds) };
  if (encoder.attentionMask !== null) feeds[encoder.attentionMask] = tensor(attentionMask);
  if (encoder.tokenTypes !== null) feeds[encoder.tokenTypes] = tensor(new BigInt64Array(inputIds.length));
  if (encoder.positions !== null) feeds[encoder.positions] = tensor(inputIds.map((_, i) => BigInt(i % dims[1])));
  return feeds;
}
