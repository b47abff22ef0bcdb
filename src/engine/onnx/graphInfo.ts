import { dtypeName, type Dtype } from './dtypes';
import type { ModelProto, ValueInfoProto } from './schema';

/** An input or output of a graph. A dim is a number, or the name of a symbolic dimension ('' where unnamed). */
export interface GraphValue {
  readonly name: string;
  /** Undefined for types RaVL does not know, and for what is no tensor. */
  readonly dtype: Dtype | undefined;
  /** Empty for a scalar, and where the graph does not even state the rank. */
  readonly dims: readonly (number | string)[];
}

export interface GraphInfo {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Version of the default operator set. */
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  /** How often each operator occurs, most frequent first; other domains as `domain:Operator`. */
  readonly operators: Readonly<Record<string, number>>;
  /** Whether weights or products are held in integers. */
  readonly quantized: boolean;
}

/** What a model says about itself, without running it. Inputs leave out initializers (listed as inputs before IR version 4). */
export function graphInfo({ proto }: { readonly proto: ModelProto }): GraphInfo {
  const { graph } = proto;
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const operators = histogram(graph.node.map(({ domain, opType }) => (domain && domain !== 'ai.onnx' ? `${domain}:${opType}` : opType)));
  return {
    inputs: graph.input.filter(({ name }) => !weights.has(name)).map(graphValue),
    outputs: graph.output.map(graphValue),
    opset: Number(proto.opsetImport.find(({ domain }) => !domain || domain === 'ai.onnx')?.version ?? 0),
    irVersion: Number(proto.irVersion),
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    operators,
    quantized: Object.keys(operators).some((name) => quantizedOperator.test(name)),
  };
}

const quantizedOperator = /^(?:.*:)?(?:QLinear\w+|QuantizeLinear|DequantizeLinear|DynamicQuantize\w+|MatMulInteger\w*|ConvInteger|MatMulNBits|QAttention|QGemm|DynamicQuantizeMatMul)$/;

export function graphValue({ name, type }: ValueInfoProto): GraphValue {
  const tensor = type?.tensorType;
  // An absent dim_value is 0 in protobufjs; a dim of true length 0 does not occur in a model worth running.
  const dims = tensor?.shape?.dim?.map(({ dimValue, dimParam }) => Number(dimValue ?? 0) || (dimParam ?? '')) ?? [];
  return { name, dtype: dtypeName(tensor?.elemType), dims };
}

function histogram(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
}
