import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Preprocessing } from '../../shared/preprocessing';
import { graphInfo, type GraphValue } from '../onnx/graphInfo';
import type { Model } from '../onnx/readModel';
import type { Checkpoint } from './checkpoint';
import { encoderFamily, isNormalised, type EncoderFamily } from './family';
import { commonFolder } from './layout';

/** Plain data on what was found in a checkpoint, for `ravl inspect` and a run's record. */
export interface CheckpointDescription {
  readonly name: string;
  readonly files: readonly FileDescription[];
  readonly image: EncoderDescription & { readonly height: number; readonly width: number; readonly family: EncoderFamily };
  readonly text: EncoderDescription;
  readonly dim: number;
  readonly logitScale: number | null;
  readonly preprocessing: Preprocessing;
  readonly tokenizer: {
    readonly kind: string;
    readonly vocabulary: number;
    readonly fixedLength: number | null;
    readonly maxLength: number | null;
    readonly padId: number;
  };
  readonly notes: readonly string[];
}

export interface FileDescription {
  readonly role: 'model' | 'image encoder' | 'text encoder' | 'external data' | 'tokenizer' | 'tokenizer config' | 'preprocessor' | 'config';
  /** Relative to the folder of the checkpoint. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface EncoderDescription {
  readonly inputs: readonly GraphValue[];
  readonly output: GraphValue;
  readonly dtype: string;
  readonly opset: number;
  readonly producer: string;
  readonly nodes: number;
  /** Weights of this encoder, counted in values. */
  readonly parameters: number;
  /** Weights are stored as integers; fine for discovery, no base for fine-tuning. */
  readonly quantized: boolean;
  readonly externalData: boolean;
  /** Whether the graph itself ends in an L2 normalisation; RaVL normalises either way. */
  readonly normalised: boolean;
}

/** Describes an open checkpoint. Reads every file once for its SHA-256. Throws what reading a file throws. */
export async function describeCheckpoint(checkpoint: Checkpoint): Promise<CheckpointDescription> {
  const { image, text, tokenizer } = checkpoint;
  const describedImage = describeEncoder(image.model, image.output);
  const describedText = describeEncoder(text.model, text.output);
  return {
    name: checkpoint.name,
    files: await describeFiles(checkpoint),
    image: { ...describedImage, height: image.height, width: image.width, family: encoderFamily(image.model.proto) },
    text: describedText,
    dim: checkpoint.dim,
    logitScale: checkpoint.logitScale,
    preprocessing: checkpoint.preprocessing,
    tokenizer: {
      kind: tokenizer.kind,
      vocabulary: tokenizer.vocabulary,
      fixedLength: tokenizer.fixedLength,
      maxLength: tokenizer.maxLength,
      padId: tokenizer.padId,
    },
    notes: [
      ...checkpoint.notes,
      ...(describedImage.quantized || describedText.quantized
        ? ['The model is quantized: good enough to find weaknesses with, but it cannot be fine-tuned.']
        : []),
    ],
  };
}

function describeEncoder(model: Model, output: string): EncoderDescription {
  const info = graphInfo(model);
  const weights = model.proto.graph.initializer.filter((tensor) => weightTypes.has(tensor.dataType) && tensor.dims.length > 0);
  const result = info.outputs.find((value) => value.name === output)!;
  return {
    inputs: info.inputs,
    output: result,
    dtype: result.dtype ?? 'unknown',
    opset: info.opset,
    producer: info.producer,
    nodes: model.proto.graph.node.length,
    parameters: weights.reduce((sum, { dims }) => sum + dims.reduce<number>((product, dim) => product * Number(dim), 1), 0),
    quantized: info.quantized,
    externalData: model.externalFiles.length > 0,
    normalised: isNormalised(model.proto, output),
  };
}

/** float32, uint8, int8, float16, float64, bfloat16, uint4, int4: what weights are stored in; the rest are shapes and indices. */
const weightTypes = new Set([1, 2, 3, 10, 11, 16, 21, 22]);

async function describeFiles({ layout, image, text }: Checkpoint): Promise<FileDescription[]> {
  const models: [FileDescription['role'], string][] = layout.merged
    ? [['model', layout.vision]]
    : [
        ['image encoder', layout.vision],
        ['text encoder', layout.text],
      ];
  const external = [...new Set([...image.model.externalFiles, ...text.model.externalFiles])];
  const others: [FileDescription['role'], string | null][] = [
    ['tokenizer', layout.tokenizer],
    ['tokenizer config', layout.tokenizerConfig],
    ['preprocessor', layout.preprocessor],
    ['config', layout.config],
  ];
  const all = [...models, ...external.map((file) => ['external data', file] as const), ...others];
  const root = commonFolder(all.flatMap(([, file]) => file ?? []));
  const described: FileDescription[] = [];
  for (const [role, file] of all) {
    if (file !== null) described.push({ role, path: relative(root, file), bytes: (await stat(file)).size, sha256: await sha256(file) });
  }
  return described;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
