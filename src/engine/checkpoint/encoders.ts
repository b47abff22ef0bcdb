import { basename } from 'node:path';
import type { Dtype } from '../onnx/dtypes';
import { extractSubgraph } from '../onnx/extractSubgraph';
import { graphInfo, type GraphValue } from '../onnx/graphInfo';
import type { Model } from '../onnx/readModel';
import { embeddingDim } from './embeddingDim';
import {
  dimensionUnknown,
  imageEncoderMissing,
  imageInputMissing,
  imageOutputMissing,
  textEncoderMissing,
  textInputMissing,
  textOutputMissing,
  valueMissing,
} from './errors';

/** A graph from pixels [batch, 3, height, width] to embeddings [batch, dim], and nothing else. */
export interface ImageEncoder {
  readonly model: Model;
  readonly input: string;
  readonly output: string;
  /** Element type of the input. */
  readonly dtype: 'float32' | 'float16';
  /** null where the graph leaves it open. */
  readonly batch: number | null;
  readonly height: number | null;
  readonly width: number | null;
  readonly dim: number;
}

/** A graph from token ids [batch, length] to embeddings [batch, dim], and nothing else. */
export interface TextEncoder {
  readonly model: Model;
  readonly input: string;
  readonly output: string;
  /** Element type of the token ids and of the inputs that accompany them. */
  readonly dtype: 'int64' | 'int32';
  readonly attentionMask: string | null;
  /** Inputs of zeros (token types) and of 0, 1, 2, … (positions), where the graph asks for them. */
  readonly tokenTypes: string | null;
  readonly positions: string | null;
  readonly batch: number | null;
  readonly length: number | null;
  readonly dim: number;
}

/** Names a person may give where they cannot be told from the graph. */
export interface EncoderNames {
  readonly imageInput?: string;
  readonly imageOutput?: string;
  readonly textInput?: string;
  readonly textOutput?: string;
}

const imageInputNames = ['pixel_values', 'image', 'images', 'input'];
const textInputNames = ['input_ids', 'text', 'tokens', 'input'];
const imageOutputNames = ['image_embeds', 'image_embeddings', 'image_features', 'embeddings', 'embedding', 'pooler_output', 'output'];
const textOutputNames = ['text_embeds', 'text_embeddings', 'text_features', 'embeddings', 'embedding', 'pooler_output', 'output'];

/**
 * The image encoder in a model: its float input of 4 dimensions with 3 channels and its embedding output, by name, else
 * by shape. Whatever else the model computes is cut away.
 * Throws RavlError `checkpoint-image-*`, `checkpoint-name-unknown`, `checkpoint-dim-unknown` or `onnx-subgraph-open`.
 */
export function findImageEncoder(model: Model, names: EncoderNames): ImageEncoder {
  const { inputs, outputs } = graphInfo(model);
  const file = basename(model.file);
  const input = asked(file, 'imageInput', names.imageInput, inputs) ?? byName(inputs.filter(isImage), imageInputNames);
  if (!input) throw inputs.some(isTokens) ? imageEncoderMissing(file) : imageInputMissing(file, labels(inputs));
  if (!isImage(input)) throw imageInputMissing(file, labels(inputs));
  const output = asked(file, 'imageOutput', names.imageOutput, outputs) ?? embedding(outputs, imageOutputNames, /text|token/i);
  if (!output) throw imageOutputMissing(file, labels(outputs));
  return {
    model: alone(model, [input], output, inputs, outputs),
    input: input.name,
    output: output.name,
    dtype: input.dtype === 'float16' ? 'float16' : 'float32',
    batch: fixed(input.dims[0]),
    height: fixed(input.dims[2]),
    width: fixed(input.dims[3]),
    dim: dimOf(model, output),
  };
}

/** The text encoder in a model, likewise; the integer inputs that accompany the token ids are told by their names. */
export function findTextEncoder(model: Model, names: EncoderNames): TextEncoder {
  const { inputs, outputs } = graphInfo(model);
  const file = basename(model.file);
  const input = asked(file, 'textInput', names.textInput, inputs) ?? byName(inputs.filter(isTokens), textInputNames);
  if (!input) throw inputs.some(isImage) ? textEncoderMissing(file) : textInputMissing(file, labels(inputs));
  if (!isInteger(input)) throw textInputMissing(file, labels(inputs));
  const output = asked(file, 'textOutput', names.textOutput, outputs) ?? embedding(outputs, textOutputNames, /image|pixel|visual/i);
  if (!output) throw textOutputMissing(file, labels(outputs));

  const others = inputs.filter(isInteger).filter((value) => value !== input && companions.test(value.name));
  const text = alone(model, [input, ...others], output, inputs, outputs);
  // Cutting drops the companions that this encoder does not read, and onnxruntime refuses to be fed those.
  const read = new Set(graphInfo(text).inputs.map(({ name }) => name));
  const companion = (pattern: RegExp) => others.find(({ name }) => pattern.test(name) && read.has(name))?.name ?? null;
  return {
    model: text,
    input: input.name,
    output: output.name,
    dtype: input.dtype === 'int32' ? 'int32' : 'int64',
    attentionMask: companion(/mask/i),
    tokenTypes: companion(/token_type/i),
    positions: companion(/position/i),
    batch: fixed(input.dims[0]),
    length: fixed(input.dims[1]),
    dim: dimOf(model, output),
  };
}

const companions = /mask|token_type|position/i;

type Typed = GraphValue & { readonly dtype: Dtype };

function isImage(value: GraphValue): value is Typed {
  // Exports with an open channel axis exist; a fixed one has to be 3.
  return isFloat(value) && value.dims.length === 4 && (fixed(value.dims[1]) ?? 3) === 3;
}

function isFloat({ dtype }: GraphValue): boolean {
  return dtype === 'float32' || dtype === 'float16';
}

function isInteger(value: GraphValue): value is Typed {
  return value.dtype === 'int64' || value.dtype === 'int32';
}

function isTokens(value: GraphValue): value is Typed {
  return isInteger(value) && value.dims.length === 2 && !companions.test(value.name);
}

function asked(file: string, key: keyof EncoderNames, name: string | undefined, values: readonly GraphValue[]): GraphValue | undefined {
  if (name === undefined) return undefined;
  const value = values.find((value) => value.name === name);
  if (!value) throw valueMissing(file, key, name, labels(values));
  return value;
}

function byName(values: readonly GraphValue[], usual: readonly string[]): GraphValue | undefined {
  for (const name of usual) {
    const value = values.find((value) => value.name === name);
    if (value) return value;
  }
  return values[0];
}

/** By a usual name, whose shape some exporters leave open, else the first [batch, dim] that is not the other encoder's. */
function embedding(outputs: readonly GraphValue[], usual: readonly string[], others: RegExp): GraphValue | undefined {
  const floats = outputs.filter((value) => isFloat(value) && (value.dims.length === 2 || value.dims.length === 0));
  const fitting = floats.filter(({ name, dims }) => usual.includes(name) || (fixed(dims[1]) !== null && !/logit/i.test(name) && !others.test(name)));
  return byName(fitting, usual);
}

function dimOf(model: Model, output: GraphValue): number {
  const dim = output.dims.length === 2 || output.dims.length === 0 ? (fixed(output.dims[1]) ?? embeddingDim(model.proto, output.name)) : null;
  if (dim === null || !isFloat(output)) throw dimensionUnknown(basename(model.file), output.name);
  return dim;
}

/** The model cut down to one encoder; the same object where there is nothing to cut. */
function alone(model: Model, wanted: readonly Typed[], output: GraphValue, inputs: readonly GraphValue[], outputs: readonly GraphValue[]): Model {
  if (inputs.length === wanted.length && outputs.length === 1) return model;
  return { ...model, proto: extractSubgraph(model.proto, { inputs: wanted, outputs: [output.name] }) };
}

function labels(values: readonly GraphValue[]): string[] {
  return values.map(({ name, dtype, dims }) => `${name}: ${dtype ?? 'no tensor'} [${dims.map((dim) => dim || '?').join(', ')}]`);
}

function fixed(dim: number | string | undefined): number | null {
  return typeof dim === 'number' && dim > 0 ? dim : null;
}
