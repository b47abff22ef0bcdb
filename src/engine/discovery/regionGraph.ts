import { node, tensorProto, valueInfo } from '../onnx/build';
import { extractSubgraph } from '../onnx/extractSubgraph';
import { float32Interface } from '../onnx/float32Interface';
import type { ModelProto } from '../onnx/schema';
import type { FeatureMap } from './featureMap';
import { positions } from './sampling';

/** Names of the head's inputs. */
export const headInputs = { features: 'ravl_features', image: 'ravl_region_image', sampling: 'ravl_sampling' } as const;

/**
 * The part of the encoder that runs once a region: features [batch, …map] of a batch of images, the image index of
 * each region [batch] int64 and its sampling matrix S [batch, positions, positions] -> embeddings [batch, dim].
 *
 * Gather picks each region's image, S · map takes the place of the map, and the rest of the encoder runs unchanged.
 * All of it is differentiable, so the same graph serves fine-tuning.
 */
export function headGraph(encoder: ModelProto, map: FeatureMap, { output, dtype }: { output: string; dtype: FloatType }): ModelProto {
  const [batch] = map.dims as [number];
  const head = extractSubgraph(encoder, { inputs: [{ name: map.name, dtype, dims: map.dims }], outputs: [output] });
  const n = positions(map.shape);
  const gathered = 'ravl_gathered';
  const first = node('Gather', [headInputs.features, headInputs.image], [gathered], { axis: 0 });
  if (map.layout === 'tokens') {
    head.graph.node.unshift(first, node('MatMul', [headInputs.sampling, gathered], [map.name]));
  } else {
    // Channels come first, so the product is map · Sᵀ over flattened positions.
    const channels = map.dims[1]!;
    head.graph.initializer.push(
      tensorProto('ravl_flat_shape', [3], BigInt64Array.from([batch, channels, n].map(BigInt))),
      tensorProto('ravl_map_shape', [map.dims.length], BigInt64Array.from(map.dims.map(BigInt))),
    );
    head.graph.node.unshift(
      first,
      node('Reshape', [gathered, 'ravl_flat_shape'], ['ravl_flat']),
      node('Transpose', [headInputs.sampling], ['ravl_sampling_transposed'], { perm: [0, 2, 1] }),
      node('MatMul', ['ravl_flat', 'ravl_sampling_transposed'], ['ravl_sampled']),
      node('Reshape', ['ravl_sampled', 'ravl_map_shape'], [map.name]),
    );
  }
  head.graph.input = [
    valueInfo(headInputs.features, dtype, map.dims),
    valueInfo(headInputs.image, 'int64', [batch]),
    valueInfo(headInputs.sampling, dtype, [batch, n, n]),
  ];
  return dtype === 'float16' ? float32Interface(head, [headInputs.features, headInputs.sampling, output]) : head;
}

/** The part of the encoder that runs once an image: pixels [batch, 3, height, width] -> the feature map, float32 both. */
export function trunkGraph(encoder: ModelProto, map: FeatureMap, input: { name: string; dims: readonly number[]; dtype: FloatType }): ModelProto {
  const trunk = extractSubgraph(encoder, { inputs: [input], outputs: [map.name] });
  return input.dtype === 'float16' ? float32Interface(trunk, [input.name, map.name]) : trunk;
}

type FloatType = 'float32' | 'float16';
