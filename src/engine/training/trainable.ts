import { basename } from 'node:path';
import type { TrainingConfig } from '../../shared/config';
import { loadTensor } from '../onnx/externalData';
import { extractSubgraph } from '../onnx/extractSubgraph';
import { graphInfo } from '../onnx/graphInfo';
import type { Model } from '../onnx/readModel';
import type { ModelProto, TensorProto } from '../onnx/schema';
import { findBlocks } from './blocks';
import * as errors from './errors';
import { weightReaders } from './weightPositions';

export interface TrainableWeights {
  /** Initializers, in the order the graph first reads them. */
  readonly names: readonly string[];
  /** Those that weight decay applies to: matrices and kernels, but no biases, scales or single tokens. */
  readonly decay: ReadonlySet<string>;
}

/** The ends of an encoder in its graph. */
export interface EncoderEnds {
  readonly input: string;
  readonly output: string;
  /** Dims of the input, with any batch size; `lastBlocks` needs them. */
  readonly dims: readonly number[];
}

/**
 * Which initializers of an encoder are trained: float32 weights of more than one value (see weightPositions.ts), of those the
 * ones `choice` asks for. Fixed attention masks, told by their values, are left out.
 *
 * Throws RavlError `checkpoint-quantized`, `checkpoint-nothing-trainable`, `config-last-blocks` where there are fewer blocks,
 * `config-trainable-names` for a pattern that is wrong or fits no weight, `config-nothing-trainable` where the choice
 * leaves none, and what `staticGraph` throws.
 */
export async function selectTrainable(
  model: Pick<Model, 'proto' | 'folder' | 'file'>,
  ends: EncoderEnds,
  choice: TrainingConfig['trainable'],
): Promise<TrainableWeights> {
  const file = basename(model.file);
  const info = graphInfo(model);
  const inputs = info.inputs.map(({ name, dtype = 'float32', dims }) => ({ name, dtype, dims }));
  const encoder = { folder: model.folder, proto: extractSubgraph(model.proto, { inputs, outputs: [ends.output] }) };
  if (graphInfo(encoder).quantized) throw errors.quantizedModel(file);

  const weights = await weightsOf(encoder);
  if (weights.size === 0) throw errors.nothingTrainable(file);
  const all = [...weights.keys()];
  const { names: patterns, lastBlocks } = choice === 'all' ? {} : choice;
  let names = patterns ? matching(all, patterns, file) : all;
  if (lastBlocks !== undefined) {
    const blocks = await findBlocks(encoder, ends, all);
    if (lastBlocks > blocks.starts.length) throw errors.tooFewBlocks(file, lastBlocks, blocks.starts.length);
    const later = blocks.weightsFrom(blocks.starts.at(-lastBlocks)!);
    names = names.filter((name) => later.has(name));
  }
  if (names.length === 0) throw errors.nothingChosen(file, lastBlocks ?? 0, patterns ?? []);
  return { names, decay: new Set(names.filter((name) => isMatrix(weights.get(name)!))) };
}

async function weightsOf(model: { readonly proto: ModelProto; readonly folder: string }): Promise<Map<string, TensorProto>> {
  const tensors = new Map(model.proto.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const weights = new Map<string, TensorProto>();
  for (const [name, operators] of weightReaders(model.proto)) {
    const tensor = tensors.get(name)!;
    const dims = tensor.dims.map(Number);
    if (tensor.dataType !== float32 || dims.length === 0 || dims.every((size) => size === 1)) continue;
    // Masks are added or multiplied; kernels and matrices, which are large, need not be read.
    if ([...operators].some((opType) => elementwise.has(opType)) && (await isMask(model, tensor))) continue;
    weights.set(name, tensor);
  }
  return weights;
}

const float32 = 1;
const elementwise = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** No learned values are as low as -10,000, or infinite, or 0 but for a few of -100 (Swin's windows). */
async function isMask(model: { readonly folder: string }, tensor: TensorProto): Promise<boolean> {
  const data = (await loadTensor(model, tensor)).data as Float32Array;
  if (data.some((value) => !(value > -1e4 && value < Infinity))) return true;
  return data.some((value) => value !== 0) && data.every((value) => value === 0 || value <= -100);
}

function matching(names: readonly string[], patterns: readonly string[], file: string): string[] {
  const tests = patterns.map((pattern) => {
    const test = compiled(pattern);
    if (!names.some((name) => test.test(name))) throw errors.patternFitsNothing(pattern, file, names);
    return test;
  });
  return names.filter((name) => tests.some((test) => test.test(name)));
}

function compiled(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw errors.patternInvalid(pattern, error);
  }
}

/** A [1, 1, d] token or a [d, 1, 1] scale is a vector, whatever its rank. */
const isMatrix = ({ dims }: TensorProto) => dims.filter((size) => Number(size) > 1).length >= 2;
