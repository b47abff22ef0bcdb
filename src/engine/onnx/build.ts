import { dtypeNumbers, type Dtype } from './dtypes';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from './schema';

export { tensorProto } from './tensor';

/** An attribute's value. Whole numbers are INT(S), others FLOAT(S); write { float } or { floats } for whole-numbered floats. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | TensorProto
  | GraphProto;

/** A node of the default ONNX domain, named after its first output. Leave an optional input out as ''. */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  return {
    opType,
    name: outputs[0] ?? '',
    domain: '',
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  };
}

/** The node with other values. Decoded messages keep absent fields on their prototype, which a spread copy would lose. */
export function rewired({ opType, name, domain, attribute }: NodeProto, input: readonly string[], output: readonly string[]): NodeProto {
  return { opType, name, domain, attribute, input: [...input], output: [...output] };
}

/** A graph input or output: dims are numbers or names of symbolic dimensions. */
export function valueInfo(name: string, dtype: Dtype, dims: readonly (number | string)[]): ValueInfoProto {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: dtypeNumbers[dtype], shape: { dim } } } };
}

/** A whole model. IR version 8 and opset 17 are read by every onnxruntime since 1.12 and know LayerNormalization. */
export function model(parts: {
  readonly nodes: readonly NodeProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly initializers?: readonly TensorProto[];
  readonly opset?: number;
}): ModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: parts.opset ?? 17 }],
    producerName: 'ravl',
    producerVersion: '',
    graph: {
      name: 'graph',
      node: [...parts.nodes],
      initializer: [...(parts.initializers ?? [])],
      input: [...parts.inputs],
      output: [...parts.outputs],
      valueInfo: [],
    },
    metadataProps: [],
  };
}

/** AttributeProto.AttributeType numbers. */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const TENSOR = 4;
const GRAPH = 5;
const FLOATS = 6;
const INTS = 7;
const STRINGS = 8;

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return Number.isInteger(value) ? { name, type: INT, i: value } : { name, type: FLOAT, f: value };
  if (typeof value === 'string') return { name, type: STRING, s: utf8.encode(value) };
  if (isList(value)) {
    if (value.length > 0 && typeof value[0] === 'string') return { name, type: STRINGS, strings: (value as string[]).map((s) => utf8.encode(s)) };
    const numbers = [...(value as number[])];
    return numbers.every(Number.isInteger) ? { name, type: INTS, ints: numbers } : { name, type: FLOATS, floats: numbers };
  }
  if ('float' in value) return { name, type: FLOAT, f: value.float };
  if ('floats' in value) return { name, type: FLOATS, floats: [...value.floats] };
  return 'dataType' in value ? { name, type: TENSOR, t: value } : { name, type: GRAPH, g: value };
}

const utf8 = new TextEncoder();

function isList(value: AttributeValue): value is readonly number[] | readonly string[] {
  return Array.isArray(value);
}
