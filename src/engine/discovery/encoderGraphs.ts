import type { EmbeddingConfig } from '../../shared/config';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { cutPoints } from '../onnx/cutPoints';
import { float32Interface } from '../onnx/float32Interface';
import { encodeModel } from '../onnx/model';
import { staticGraph, type StaticGraph } from '../runtime/staticGraph';
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
  const folded = await staticGraph(image.model, { [image.input]: dims });
  const chosen = chooseFeatureMap(folded, image, config);
  if (chosen === null) return null;
  const trunk = trunkGraph(folded.proto, chosen.map, { name: image.input, dims, dtype: image.dtype });
  const head = headGraph(folded.proto, chosen.map, image);
  return { ...chosen, trunk: encodeModel(trunk), head: encodeModel(head) };
}

/** Where regions are read from in a folded image encoder; null where mode `auto` means crops. Throws `discovery-feature-map`. */
export function chooseFeatureMap(
  { proto, shapes }: StaticGraph,
  ends: { readonly input: string; readonly output: string },
  config: EmbeddingConfig,
): { mode: SplitEncoder['mode']; map: FeatureMap } | null {
  if (config.mode === 'crop') return null;
  const cuts = cutPoints(proto, shapes, ends.input, ends.output).flatMap(({ name, dims }) => (dims ? [{ name, dims }] : []));
  const structure: EncoderStructure = { family: encoderFamily(cuts), cuts };
  if (config.mode === 'auto' && config.featureMap === undefined && structure.family === 'unknown') return null;
  const mode = config.mode === 'tokens' ? 'tokens' : 'roi-align';
  return { mode, map: findFeatureMap(structure, mode, config.featureMap) };
}

/** The whole image encoder as ONNX bytes with float32 inputs and outputs; weights in external files stay there. */
export function wholeEncoder({ image }: Checkpoint): Uint8Array {
  const { proto } = image.model;
  return encodeModel(image.dtype === 'float16' ? float32Interface(proto, [image.input, image.output]) : proto);
}
