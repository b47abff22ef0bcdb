import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { node, tensorProto, type AttributeValue } from '../onnx/build';
import type { NodeProto, TensorProto } from '../onnx/schema';
import { seededRandom, type Stream } from './random';

/** Collects the nodes and weights of one encoder. */
export interface GraphWriter {
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  /** Adds a node with one output and returns that output's name. */
  op(opType: string, inputs: readonly string[], output: string, attributes?: Readonly<Record<string, AttributeValue>>): string;
  /** Adds a float32 weight, uniform in ±sqrt(6 / fanIn): variance 2 / fanIn, as ReLU asks for (He et al. 2015). Returns its name. */
  weight(name: string, dims: readonly number[], fanIn: number): string;
  /** Adds a float32 weight with one value throughout. */
  filled(name: string, dims: readonly number[], value: number): string;
  /** Adds an int64 constant. */
  ints(name: string, values: readonly number[]): string;
}

export function graphWriter(seed: number, stream: Stream): GraphWriter {
  const random = seededRandom(seed, stream);
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const add = (name: string, dims: readonly number[], data: Float32Array | BigInt64Array): string => {
    initializers.push(tensorProto(name, dims, data));
    return name;
  };
  const sized = (dims: readonly number[]) => new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  return {
    nodes,
    initializers,
    op(opType, inputs, output, attributes = {}) {
      nodes.push(node(opType, inputs, [output], attributes));
      return output;
    },
    weight(name, dims, fanIn) {
      const bound = Math.sqrt(6 / fanIn);
      return add(name, dims, sized(dims).map(() => (2 * uniformFloat64(random) - 1) * bound));
    },
    filled: (name, dims, value) => add(name, dims, sized(dims).fill(value)),
    ints: (name, values) => add(name, [values.length], BigInt64Array.from(values, BigInt)),
  };
}
