/** The training images as a step wants them: pixels, regions with their kinds, caption and class embeddings, masks. */
import type { Box } from '../../shared/boxes';
import type { MitigationConfig } from '../../shared/config';
import type { TokenBatch, Tokenizer } from '../checkpoint/tokenizer';
import { batchMasks } from './batchMasks';
import type { ImageStore } from './imageStore';
import { lossInputs } from './loss';
import type { StepBatch } from './trainingStep';

export interface TrainingData {
  /** [images] by index. */
  readonly store: ImageStore;
  readonly boxes: readonly (readonly Box[])[];
  readonly labels: Int32Array;
  /** [images, regions] kinds (see batchMasks.ts). */
  readonly kinds: Uint8Array;
  readonly regions: number;
  readonly classes: number;
  readonly text: FrozenText | TrainedText;
}

/** Embeddings computed once: [distinct captions, dim] with the row of every image, and [classes, dim]. */
export interface FrozenText {
  readonly captions: Float32Array;
  readonly captionRow: Int32Array;
  readonly classes: Float32Array;
  readonly dim: number;
}

/** Texts to be encoded in every step: the caption of every image, and the prompts of every class. */
export interface TrainedText {
  readonly tokenizer: Tokenizer;
  readonly captions: readonly string[];
  readonly prompts: readonly string[];
  /** The text with the most tokens, which all others are padded to. */
  readonly longest: string;
  /** Its number of tokens. */
  readonly length: number;
}

/** The batch of the given images. */
export async function loadBatch(data: TrainingData, indices: Int32Array, { labels: count, reduction }: Pick<MitigationConfig, 'labels' | 'reduction'>): Promise<StepBatch> {
  const { regions, classes } = data;
  const pixels = await data.store.load(indices);
  const images = pixels.map((each, i) => ({ pixels: each, boxes: regions > 0 ? data.boxes[indices[i]!]! : [] }));
  const kinds = new Uint8Array(indices.length * regions);
  indices.forEach((image, i) => kinds.set(data.kinds.subarray(image * regions, (image + 1) * regions), i * regions));
  const masks = regions > 0 ? batchMasks({ labels: Int32Array.from(indices, (image) => data.labels[image]!), kinds, regions, classes }, count, reduction) : {};
  if ('tokenizer' in data.text) return { images, inputs: masks, tokens: tokensOf(data.text, indices) };
  const { captions, captionRow, classes: classRows, dim } = data.text;
  const rows = new Float32Array(indices.length * dim);
  indices.forEach((image, i) => rows.set(captions.subarray(captionRow[image]! * dim, (captionRow[image]! + 1) * dim), i * dim));
  return { images, inputs: { ...masks, [lossInputs.captions]: rows, [lossInputs.classes]: classRows } };
}

/** All texts of a step, padded to the longest text there is: the last row only sees to that. */
function tokensOf({ tokenizer, captions, prompts, longest }: TrainedText, indices: Int32Array): TokenBatch {
  return withoutLast(tokenizer.encode([...Array.from(indices, (image) => captions[image]!), ...prompts, longest]));
}

export function withoutLast({ inputIds, attentionMask, dims: [texts, length] }: TokenBatch): TokenBatch {
  const end = (texts - 1) * length;
  return { inputIds: inputIds.subarray(0, end), attentionMask: attentionMask.subarray(0, end), dims: [texts - 1, length] };
}

/** The text with the most tokens, and how many. */
export function longestText(tokenizer: Tokenizer, texts: readonly string[]): { text: string; length: number } {
  const block = 256;
  let longest = { text: '', length: 0 };
  for (let from = 0; from < texts.length; from += block) {
    const part = texts.slice(from, from + block);
    const { attentionMask, dims } = tokenizer.encode(part);
    part.forEach((text, i) => {
      const tokens = attentionMask.subarray(i * dims[1], (i + 1) * dims[1]).reduce((sum, bit) => sum + Number(bit), 0);
      if (tokens > longest.length) longest = { text, length: tokens };
    });
  }
  return { ...longest, length: tokenizer.encode([longest.text]).dims[1] };
}
