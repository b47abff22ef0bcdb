import type { EmbeddingConfig } from '../../shared/config';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { cutPoints } from '../onnx/cutPoints';
import { float32Interface } from '../onnx/float32Interface';
import { encodeModel } from '../onnx/model';
import type { ModelProto } from '../onnx/schema';
import { staticGraph } from '../runtime/staticGraph';
import { encoderFamily, findFeatureMap, type EncoderStructure, type FeatureMap } from './featureMap';
import { headGraph, trunkGraph } from './regionGraph';

/** The image encoder cut in two at a feature map, as ONNX bytes with a fixed batch and float32 inputs and outputs. */
export interface SplitEncoder {
  readonly mode: 'roi-align' | 'tokens';
  readonly map: FeatureMap;
  readonly trunk: Uint8Array;
  readonly head: Uint8Array;
}

/**
 * Cuts the image encoder for roi-align or tokens. null in mode `auto` when it is neither a CNN nor a ViT.
 * Throws `discovery-feature-map` when the asked mode or value is not to be had.
 */
export async function splitEncoder(checkpoint: Checkpoint, config: EmbeddingConfig, batch: number): Promise<SplitEncoder | null> {
  const { image } = checkpoint;
  const dims = [batch, 3, image.height, image.width];
  const { proto, shapes } = await staticGraph(image.model, { [image.input]: dims });
  const structure = encoderStructure(proto, shapes, image);
  if (config.mode === 'auto' && config.featureMap === undefined && structure.family === 'unknown') return null;
  const mode = config.mode === 'tokens' ? 'tokens' : 'roi-align';
  const map = findFeatureMap(structure, mode, config.featureMap);
  const trunk = trunkGraph(proto, map, { name: image.input, dims, dtype: image.dtype });
  const head = headGraph(proto, map, image);
  return { mode, map, trunk: encodeModel(trunk), head: encodeModel(head) };
}

/** The whole image encoder as ONNX bytes with float32 inputs and outputs; weights in external files stay there. */
export function wholeEncoder({ image }: Checkpoint): Uint8Array {
  const { proto } = image.model;
  return encodeModel(image.dtype === 'float16' ? float32Interface(proto, [image.input, image.output]) : proto);
}

function encoderStructure(proto: ModelProto, shapes: ReadonlyMap<string, readonly number[]>, image: { input: string; output: string }): EncoderStructure {
  const cuts = cutPoints(proto, shapes, image.input, image.output).flatMap(({ name, dims }) => (dims ? [{ name, dims }] : []));
  return { family: encoderFamily(cuts), cuts };
}
