import { loadTensor } from '../../onnx/externalData';
import { nodeInputs } from '../../onnx/extractSubgraph';
import type { GraphProto, NodeProto } from '../../onnx/schema';
import { readTensor, type DenseTensor } from '../../onnx/tensor';
import { formUnsupported } from './errors';
import type { TensorFlow, TfTensor } from './operation';
import { upload } from './values';

export interface Constants {
  /** On the backend; whoever asked for them disposes of them. */
  readonly weights: Map<string, TfTensor>;
  /** The numbers of small ones, such as sizes and axes, which operators read here. */
  readonly numbers: ReadonlyMap<string, readonly number[]>;
}

/** Initializers and Constant nodes, as far as something reads them. Throws RavlError `onnx-external-*`, `onnx-tensor-malformed`. */
export async function loadConstants(tf: TensorFlow, file: string, graph: GraphProto, folder: string): Promise<Constants> {
  const read = new Set([...graph.node.flatMap(nodeInputs), ...graph.output.map(({ name }) => name)]);
  const weights = new Map<string, TfTensor>();
  const numbers = new Map<string, number[]>();
  const add = (name: string, tensor: DenseTensor) => {
    if (tensor.data.length <= longestNumbers && !tensor.dtype.includes('float16')) numbers.set(name, Array.from(tensor.data, Number));
    weights.set(name, upload(tf, file, name, tensor.dtype, tensor));
  };
  try {
    for (const proto of graph.initializer) if (read.has(proto.name)) add(proto.name, await loadTensor({ folder }, proto));
    for (const node of graph.node) if (node.opType === 'Constant' && read.has(node.output[0]!)) add(node.output[0]!, constantOf(file, node));
    return { weights, numbers };
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
}

/** Longer constants are never sizes, axes or borders. */
const longestNumbers = 64;

/** The value of a Constant node, in whichever attribute it lies (ONNX Constant, opset 13). */
function constantOf(file: string, node: NodeProto): DenseTensor {
  const { name, t, f, i, floats, ints } = node.attribute[0]!;
  if (name === 'value_float') return { dtype: 'float32', dims: [], data: Float32Array.of(f!) };
  if (name === 'value_int') return { dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(Number(i))) };
  if (name === 'value_floats') return { dtype: 'float32', dims: [floats!.length], data: Float32Array.from(floats!) };
  if (name === 'value_ints') return { dtype: 'int64', dims: [ints!.length], data: BigInt64Array.from(ints!.map((value) => BigInt(Number(value)))) };
  if (!t) throw formUnsupported(file, node, name);
  return readTensor(t);
}
