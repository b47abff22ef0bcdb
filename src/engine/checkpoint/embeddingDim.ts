import type { ModelProto } from '../onnx/schema';

/**
 * Length of the last axis of a graph value whose shape the exporter left open (`Divimage_embeds_dim_1`): walks back
 * through operators that keep the last axis to the projection, whose weight tells it. ONNX MatMul, Gemm, LayerNormalization,
 * with quantized and transposed weights. null where that does not lead to a weight.
 */
export function embeddingDim({ graph }: ModelProto, value: string): number | null {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor.dims.map(Number)]));

  /** Shape of a weight, seen through what exporters put between it and its use. */
  const shapeOf = (name: string | undefined): readonly number[] | null => {
    if (name === undefined) return null;
    const own = weights.get(name);
    if (own) return own;
    const node = producers.get(name);
    if (node?.opType === 'Transpose') return shapeOf(node.input[0])?.toReversed() ?? null;
    return node && sameShape.has(node.opType) ? shapeOf(node.input[0]) : null;
  };
  const seen = new Set<string>();
  const walk = (name: string | undefined): number | null => {
    if (name === undefined || seen.has(name)) return null;
    seen.add(name);
    const node = producers.get(name);
    if (!node) return null;
    switch (node.opType) {
      case 'MatMul':
      case 'MatMulInteger':
      case 'DynamicQuantizeMatMul':
        return shapeOf(node.input[1])?.at(-1) ?? null;
      case 'Gemm': {
        const transposed = node.attribute.some(({ name, i }) => name === 'transB' && Number(i) === 1);
        return shapeOf(node.input[1])?.at(transposed ? 0 : -1) ?? null;
      }
      case 'LayerNormalization':
        return shapeOf(node.input[1])?.at(-1) ?? null;
      default:
        if (!sameLastAxis.has(node.opType)) return null;
        for (const input of node.input) {
          const dim = walk(input);
          if (dim !== null) return dim;
        }
        return null;
    }
  };
  return walk(value);
}

const sameShape = new Set(['Identity', 'Cast', 'DequantizeLinear']);
/** Elementwise operators, and those that only touch the other axes where they occur above a [batch, dim] value. */
const sameLastAxis = new Set(['Identity', 'Cast', 'Add', 'Sub', 'Mul', 'Div', 'Tanh', 'Relu', 'LpNormalization', 'Squeeze', 'Gather', 'GatherND']);
