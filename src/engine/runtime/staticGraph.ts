import { InferenceSession, Tensor } from 'onnxruntime-node';
import { topologicalOrder } from '../onnx/cutPoints';
import { dtypeName, type Dtype } from '../onnx/dtypes';
import { valueMissing } from '../onnx/errors';
import { extractSubgraph, nodeInputs } from '../onnx/extractSubgraph';
import { inlineBranches } from '../onnx/inlineBranches';
import { encodeModel } from '../onnx/model';
import type { ModelProto, NodeProto } from '../onnx/schema';
import { elementCount, tensorProto, type TensorData } from '../onnx/tensor';
import { translateError } from './errors';
import { sessionOptions } from './session';

export interface StaticGraph {
  /** The folded graph; its larger weights stay references into the folder of the model, as in the model itself. */
  readonly proto: ModelProto;
  /** Shape of every value whose shape is fixed: inputs, outputs and all between. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * The model with the given inputs fixed to the given dims and everything folded that follows from those dims alone: no
 * Shape or Gather chains and no If on a shape remain between an image input and its embedding, only what depends on the pixels. Every other
 * node, every name, type and weight stays as it is, so the result serves training as well as inference.
 *
 * onnxruntime computes the folded values and the shapes, by its own rules for every operator it runs. Weights on disk
 * (see `readModel`), and what is computed from them, are not folded and not loaded.
 * Throws RavlError `onnx-value-missing` for an unknown input, `runtime-*` where onnxruntime refuses the model.
 */
export async function staticGraph(
  model: { readonly proto: ModelProto; readonly folder?: string },
  inputs: Readonly<Record<string, readonly number[]>>,
): Promise<StaticGraph> {
  const proto = await foldAll(withFixedInputs(model.proto, inputs), model.folder);
  return { proto, shapes: await valueShapes(proto, model.folder) };
}

function withFixedInputs(proto: ModelProto, inputs: Readonly<Record<string, readonly number[]>>): ModelProto {
  const { graph } = proto;
  for (const name of Object.keys(inputs)) {
    if (!graph.input.some((input) => input.name === name)) throw valueMissing(name, graph.output.map((value) => value.name));
  }
  const input = graph.input.map((info) => {
    const dims = inputs[info.name];
    const elemType = info.type?.tensorType?.elemType;
    return dims ? { name: info.name, type: { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } } } : info;
  });
  // The stated shapes of other values may be those of another batch size.
  const output = graph.output.map(({ name, type }) => {
    const elemType = type?.tensorType?.elemType;
    // onnxruntime infers the type of an output that is only named.
    return elemType ? { name, type: { tensorType: { elemType } } } : { name };
  });
  return { ...proto, graph: { ...graph, input, output, valueInfo: [] } };
}

/** A branch put in the place of its If may hold more to fold. */
async function foldAll(proto: ModelProto, folder: string | undefined): Promise<ModelProto> {
  const folded = await fold(proto, folder);
  const straight = inlineBranches(folded);
  return straight === folded ? folded : foldAll(straight, folder);
}

async function fold(proto: ModelProto, folder: string | undefined): Promise<ModelProto> {
  const { graph } = proto;
  const { kept, constants } = splitConstants(proto);
  if (constants.length === 0) return proto;
  const values = await evaluate(proto, constants, folder);
  const initializer = constants.map((name) => {
    const { dims, data, type } = values[name]!;
    return tensorProto(name, dims, data as TensorData, type as Dtype);
  });
  const folded = { ...proto, graph: { ...graph, node: kept, initializer: [...graph.initializer, ...initializer] } };
  const ends = graph.input.map(({ name, type }) => ({
    name,
    dtype: dtypeName(type?.tensorType?.elemType ?? 0) ?? 'float32',
    dims: (type?.tensorType?.shape?.dim ?? []).map(({ dimValue, dimParam }) => (dimParam ? dimParam : Number(dimValue ?? 0))),
  }));
  // Drops the initializers that only folded nodes read.
  return extractSubgraph(folded, { inputs: ends, outputs: graph.output.map(({ name }) => name) });
}

/** The nodes that have to stay, and the values they (or the outputs) read from nodes that need not. */
function splitConstants({ graph }: ModelProto): { kept: NodeProto[]; constants: string[] } {
  const open = new Set(graph.input.map(({ name }) => name));
  // A large weight is no constant to fold: its transpose, say, would be a second copy of it.
  for (const { name, dataLocation } of graph.initializer) if (dataLocation === 1) open.add(name);
  const kept: NodeProto[] = [];
  const folded = new Set<string>();
  for (const node of topologicalOrder(graph.node)) {
    const foldable = node.opType === 'Shape' || node.opType === 'Size' || nodeInputs(node).every((name) => !open.has(name));
    if (foldable && !node.opType.startsWith('Random')) for (const name of node.output) folded.add(name);
    else {
      kept.push(node);
      for (const name of node.output) open.add(name);
    }
  }
  const read = new Set([...kept.flatMap(nodeInputs), ...graph.output.map(({ name }) => name)]);
  return { kept, constants: [...folded].filter((name) => name !== '' && read.has(name)) };
}

/** With fixed dims onnxruntime folds Shape itself when it loads the graph, so hardly anything is left to run. */
async function evaluate(proto: ModelProto, names: readonly string[], folder: string | undefined): Promise<Record<string, Tensor>> {
  const { graph } = proto;
  const session = await open({ ...proto, graph: { ...graph, output: names.map((name) => ({ name })) } }, folder, { graphOptimizationLevel: 'basic' });
  try {
    return (await session.run(Object.fromEntries(session.inputMetadata.flatMap((input) => (input.isTensor ? [[input.name, zeros(input)]] : []))))) as Record<string, Tensor>;
  } catch (error) {
    throw translateError(error, 'the model', 'cpu', 'run');
  } finally {
    await session.release();
  }
}

/** Inputs whose dims were not given are one element long along each open axis. */
function zeros({ type, shape }: InferenceSession.TensorValueMetadata): Tensor {
  const dims = shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
  const count = elementCount(dims) ?? 0;
  if (type === 'float16') return new Tensor('float16', new Uint16Array(count), dims);
  if (type === 'int64') return new Tensor('int64', new BigInt64Array(count), dims);
  if (type === 'int32') return new Tensor('int32', new Int32Array(count), dims);
  if (type === 'bool') return new Tensor('bool', new Uint8Array(count), dims);
  return new Tensor('float32', new Float32Array(count), dims);
}

async function valueShapes(proto: ModelProto, folder: string | undefined): Promise<Map<string, readonly number[]>> {
  const { graph } = proto;
  const outputs = new Set(graph.output.map(({ name }) => name));
  // onnxruntime infers type and shape of an output that is only named.
  const others = graph.node.flatMap(({ output }) => output.filter((name) => name !== '' && !outputs.has(name)).map((name) => ({ name })));
  const session = await open({ ...proto, graph: { ...graph, output: [...graph.output, ...others] } }, folder, { graphOptimizationLevel: 'disabled' });
  const shapes = new Map<string, readonly number[]>();
  for (const value of [...session.inputMetadata, ...session.outputMetadata]) {
    if (value.isTensor && value.shape.every((dim) => typeof dim === 'number')) shapes.set(value.name, value.shape as number[]);
  }
  await session.release();
  return shapes;
}

async function open(proto: ModelProto, externalFolder: string | undefined, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(encodeModel(proto), { ...sessionOptions({ externalFolder }), ...options });
  } catch (error) {
    throw translateError(error, 'the model', 'cpu', 'load');
  }
}

/** Whether any weight or input of a graph is float16: such a model computes in half precision where the device does. */
export function usesFloat16({ graph }: ModelProto): boolean {
  const types = [...graph.initializer.map(({ dataType }) => dataType), ...graph.input.map(({ type }) => type?.tensorType?.elemType)];
  return types.some((type) => dtypeName(type) === 'float16');
}
