import type { ModelProto, NodeProto } from '../onnx/schema';

/** What kind of image encoder a graph is, as far as regions care: does it end in a feature map or in tokens? */
export type EncoderFamily = 'cnn' | 'vit' | 'cnn with attention pooling' | 'unknown';

/**
 * A guess from the operators: a CNN has many convolutions with kernels above 1 and no softmax; a ViT a softmax per block
 * and only its patch embedding as convolution; OpenAI's ResNets end in one attention.
 */
export function encoderFamily({ graph }: ModelProto): EncoderFamily {
  const count = (...operators: string[]) => graph.node.filter((node) => operators.includes(node.opType)).length;
  const convolutions = count('Conv', 'ConvInteger', 'QLinearConv', 'FusedConv');
  const attentions = count('Softmax', 'Attention', 'MultiHeadAttention');
  if (attentions === 0) return convolutions > 1 ? 'cnn' : 'unknown';
  if (attentions === 1 && convolutions > 4) return 'cnn with attention pooling';
  return convolutions <= 2 * attentions ? 'vit' : 'unknown';
}

/**
 * Whether a value is an L2 normalisation: LpNormalization, or a division by a root of squares (ReduceL2, or Sqrt above
 * ReduceSum), possibly guarded by Clip, Max or Add and Expand, as exporters write `functional.normalize` and `x / x.norm()`.
 */
export function isNormalised({ graph }: ModelProto, output: string): boolean {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const producer = skip(producers, output, new Set(['Identity', 'Cast']));
  if (producer?.opType === 'LpNormalization') return true;
  if (producer?.opType !== 'Div') return false;
  const norm = skip(producers, producer.input[1] ?? '', new Set(['Identity', 'Cast', 'Clip', 'Max', 'Add', 'Expand', 'Unsqueeze']));
  if (norm?.opType === 'ReduceL2') return true;
  if (norm?.opType !== 'Sqrt' && norm?.opType !== 'Pow') return false;
  const sum = skip(producers, norm.input[0] ?? '', new Set(['Identity', 'Cast', 'Clip', 'Max', 'Add']));
  return sum?.opType === 'ReduceSum' || sum?.opType === 'ReduceSumSquare';
}

function skip(producers: ReadonlyMap<string, NodeProto>, name: string, operators: ReadonlySet<string>): NodeProto | undefined {
  let node = producers.get(name);
  while (node && operators.has(node.opType)) node = producers.get(node.input[0] ?? '');
  return node;
}
