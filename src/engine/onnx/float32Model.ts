import { dtypeName, dtypeNumbers, type Dtype } from './dtypes';
import * as errors from './errors';
import { loadTensor } from './externalData';
import { float16ToFloat32 } from './float16';
import { maxModelBytes, type Model } from './readModel';
import type { AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from './schema';
import { elementCount, tensorProto } from './tensor';

/**
 * The same model computing in float32 where it computed in float16: weights, constants, casts, inputs and outputs. Names stay, so
 * that float32 weights trained in it go back into the float16 file (see `replaceWeights`, which rounds them). The weights
 * that were float16 are read and held in memory, with twice the bytes; a model without any is returned as it is.
 *
 * Throws RavlError `onnx-weight-type` where most weights are bfloat16 or float64, which no gradient is computed in, and
 * `onnx-float32-too-large` where the weights would pass what one graph holds.
 */
export async function float32Model(model: Model): Promise<Model> {
  const { initializer } = model.proto.graph;
  refuseOtherFloats(model, initializer);
  const halves = initializer.filter(isHalf);
  const bytes = halves.reduce((sum, tensor) => sum + 4 * valuesIn(tensor), 0);
  if (bytes > maxModelBytes) throw errors.float32TooLarge(model.file, bytes);
  return hasHalves(model.proto.graph) ? { ...model, proto: { ...model.proto, graph: await float32Graph(model, model.proto.graph) } } : model;
}

const half = dtypeNumbers.float16;

const isHalf = ({ dataType }: TensorProto) => dataType === half;

const valuesIn = ({ dims }: TensorProto) => elementCount(dims.map(Number)) ?? 0;

/** Tables and single numbers in other types occur in float32 models too, so the type of most values counts. */
function refuseOtherFloats({ file }: Model, initializer: readonly TensorProto[]): void {
  const counts = new Map<Dtype, number>();
  const floats: readonly (Dtype | undefined)[] = ['float32', 'float16', 'bfloat16', 'float64'];
  for (const tensor of initializer) {
    const dtype = dtypeName(tensor.dataType);
    if (dtype && floats.includes(dtype)) counts.set(dtype, (counts.get(dtype) ?? 0) + valuesIn(tensor));
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (most !== 'bfloat16' && most !== 'float64') return;
  const largest = initializer.filter(({ dataType }) => dtypeName(dataType) === most).sort((a, b) => valuesIn(b) - valuesIn(a))[0]!;
  throw errors.weightType(file, largest.name, most);
}

function hasHalves(graph: GraphProto): boolean {
  const values = [...graph.input, ...graph.output, ...graph.valueInfo];
  return graph.initializer.some(isHalf) || values.some(isHalfValue) || graph.node.some((node) => node.attribute.some((each) => isHalfType(each) || attributeTensors(each).some(isHalf) || nested(each).some(hasHalves)));
}

async function float32Graph(model: Model, graph: GraphProto): Promise<GraphProto> {
  return {
    ...graph,
    initializer: await each(graph.initializer, (tensor) => float32Tensor(model, tensor)),
    node: await each(graph.node, (node) => float32Node(model, node)),
    input: graph.input.map(float32Value),
    output: graph.output.map(float32Value),
    valueInfo: graph.valueInfo.map(float32Value),
  };
}

async function float32Node(model: Model, node: NodeProto): Promise<NodeProto> {
  // A decoded node holds what its file leaves out on its prototype, which a copy lacks.
  return { ...node, domain: node.domain, attribute: await each(node.attribute, (attribute) => float32Attribute(model, attribute)) };
}

async function float32Attribute(model: Model, attribute: AttributeProto): Promise<AttributeProto> {
  if (isHalfType(attribute)) return { ...attribute, i: dtypeNumbers.float32 };
  if (attributeTensors(attribute).length === 0 && nested(attribute).length === 0) return attribute;
  return {
    ...attribute,
    ...(attribute.t ? { t: await float32Tensor(model, attribute.t) } : {}),
    ...(attribute.tensors ? { tensors: await each(attribute.tensors, (tensor) => float32Tensor(model, tensor)) } : {}),
    ...(attribute.g ? { g: await float32Graph(model, attribute.g) } : {}),
    ...(attribute.graphs ? { graphs: await each(attribute.graphs, (graph) => float32Graph(model, graph)) } : {}),
  };
}

/** Cast's `to`, and the `dtype` of operators that make values (EyeLike, RandomNormalLike, …). */
const isHalfType = ({ name, i }: AttributeProto) => (name === 'to' || name === 'dtype') && Number(i) === half;

const attributeTensors = ({ t, tensors }: AttributeProto) => [...(t ? [t] : []), ...(tensors ?? [])];

const nested = ({ g, graphs }: AttributeProto) => [...(g ? [g] : []), ...(graphs ?? [])];

async function float32Tensor(model: Model, tensor: TensorProto): Promise<TensorProto> {
  if (!isHalf(tensor)) return tensor;
  const { dims, data } = await loadTensor(model, tensor);
  return tensorProto(tensor.name, dims, float16ToFloat32(data as Uint16Array));
}

const isHalfValue = ({ type }: ValueInfoProto) => type?.tensorType?.elemType === half;

function float32Value(value: ValueInfoProto): ValueInfoProto {
  return isHalfValue(value) ? { ...value, type: { tensorType: { ...value.type!.tensorType, elemType: dtypeNumbers.float32 } } } : value;
}

/** One after the other: a large weight is in memory once. */
async function each<T>(items: readonly T[], change: (item: T) => Promise<T>): Promise<T[]> {
  const changed: T[] = [];
  for (const item of items) changed.push(await change(item));
  return changed;
}
