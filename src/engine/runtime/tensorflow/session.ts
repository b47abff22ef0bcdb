/**
 * ONNX graphs on TensorFlow.js: node by node, each operator a few calls of its API (see operators.ts), so that whatever
 * backend it was given computes, TensorFlow's own on a GPU first of all. One graph, differentiated as ONNX, thus trains on
 * onnxruntime and on TensorFlow alike. Values live on the backend from their node to their last reader.
 */
import { RavlError } from '../../../shared/errors';
import { topologicalOrder } from '../../onnx/cutPoints';
import { dtypeName, type Dtype } from '../../onnx/dtypes';
import { parseModel } from '../../onnx/readModel';
import type { NodeProto, ValueInfoProto } from '../../onnx/schema';
import { inputMismatch, nodeFailed, outOfMemory, tidy } from '../errors';
import type { Feeds, GraphSession, SessionValue, Tensor } from '../session';
import { loadConstants } from './constants';
import { operatorMissing } from './errors';
import { operation, type OperationSite, type Operator, type TensorFlow, type TfTensor } from './operation';
import { operators } from './operators';
import { download, upload } from './values';

export interface TensorFlowOptions {
  /** Folder that the external data of the model lies in. */
  readonly externalFolder?: string;
  /** What messages call the model. */
  readonly name?: string;
}

/** A node with its operator, and the values that nothing reads after it. */
interface Step {
  readonly node: NodeProto;
  readonly operator: Operator;
  readonly site: OperationSite;
  readonly last: readonly string[];
}

/**
 * Opens an ONNX model on the current backend of TensorFlow.js (see `loadTensorFlow`). Weights are loaded once. Outputs come
 * in the types that the graph declares, int64 and float32 where it declares none.
 * Throws RavlError `runtime-kernel-missing` for an operator, or a form of it, that is not there, `onnx-*` for a damaged model, and
 * from `run` `runtime-input-mismatch`, `runtime-node-failed`, `runtime-out-of-memory`.
 */
export async function openTensorFlowSession(model: Uint8Array, tf: TensorFlow, options: TensorFlowOptions = {}): Promise<GraphSession> {
  const { name = 'the model', externalFolder = '' } = options;
  const { graph, opsetImport } = parseModel(model, name);
  const ends = graph.output;
  const opset = Number(opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 1);
  const order = topologicalOrder(graph.node);
  const computed = order.filter(({ opType }) => opType !== 'Constant');
  const found = computed.map(operatorOf(name));
  await tf.ready();

  const { weights, numbers } = await loadConstants(tf, name, graph, externalFolder);
  const last = lastReaders(computed, ends);
  const steps = computed.map((node, index): Step => {
    return { node, operator: found[index]!, site: { tf, node, opset, file: name, constants: numbers }, last: last[index]! };
  });
  const inputs = graph.input.filter((input) => !weights.has(input.name)).map(sessionValue);
  const outputs = ends.map(sessionValue);
  return {
    inputs,
    outputs,
    device: 'tensorflow',
    async run(feeds) {
      const values = new Map<string, TfTensor>();
      try {
        for (const input of inputs) values.set(input.name, upload(tf, name, input.name, input.dtype, checkedFeed(name, input, feeds)));
        const lent = [...weights.values(), ...values.values()].map(({ dataId }) => dataId);
        for (const step of steps) compute(step, values, weights);
        return await results(name, ends, (value) => values.get(value) ?? weights.get(value)!, new Set(lent));
      } finally {
        for (const value of values.values()) value.dispose();
      }
    },
    release() {
      for (const weight of weights.values()) weight.dispose();
      weights.clear();
      return Promise.resolve();
    },
  };
}

function operatorOf(file: string): (node: NodeProto) => Operator {
  return (node) => {
    const operator = node.domain === '' || node.domain === 'ai.onnx' ? operators[node.opType] : undefined;
    if (!operator) throw operatorMissing(file, node);
    return operator;
  };
}

/** For each node, the values that no later node reads; outputs of the graph are read at the end. */
function lastReaders(nodes: readonly NodeProto[], ends: readonly ValueInfoProto[]): string[][] {
  const seen = new Set(ends.map(({ name }) => name));
  return nodes
    .toReversed()
    .map((node) => {
      const last = [...new Set([...node.input, ...node.output])].filter((name) => name !== '' && !seen.has(name));
      for (const name of last) seen.add(name);
      return last;
    })
    .reverse();
}

/** Computes a node, keeps its outputs and lets go of what it was the last to read. */
function compute({ node, operator, site, last }: Step, values: Map<string, TfTensor>, weights: ReadonlyMap<string, TfTensor>): void {
  const inputs = node.input.map((name) => (name === '' ? undefined : (values.get(name) ?? weights.get(name))));
  try {
    const outputs = site.tf.tidy(() => {
      const made = operator(operation(site, inputs));
      // A value of its own for every name, so that each is disposed of by itself.
      return (Array.isArray(made) ? made : [made]).map((value) => (inputs.includes(value) ? value.clone() : value));
    });
    outputs.forEach((value, index) => {
      if (node.output[index]) values.set(node.output[index], value);
      else value.dispose();
    });
  } catch (error) {
    throw translated(error, site.file, node);
  }
  for (const name of last) {
    values.get(name)?.dispose();
    values.delete(name);
  }
}

function translated(error: unknown, file: string, node: NodeProto): unknown {
  if (error instanceof RavlError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (/\bOOM\b|out of memory|allocation failed|resource.?exhausted/i.test(text)) return outOfMemory(file, error);
  return nodeFailed(file, node.opType, node.name || node.output[0]!, tidy(text), error);
}

type DataId = TfTensor['dataId'];

/** A reshape shares the memory of what it reshapes: no two results may, nor a result and what is `lent`, weights and feeds. */
async function results(file: string, ends: readonly ValueInfoProto[], valueOf: (name: string) => TfTensor, lent: Set<DataId>) {
  const named: Record<string, Tensor> = {};
  for (const { name, type } of ends) {
    const value = valueOf(name);
    const data = await value.data<'float32' | 'int32' | 'bool'>();
    const declared = dtypeName(type?.tensorType?.elemType) ?? undeclared[value.dtype as keyof typeof undeclared];
    named[name] = download(file, name, declared as Tensor.Type, value.shape, lent.has(value.dataId) ? data.slice() : data);
    lent.add(value.dataId);
  }
  return named;
}

const undeclared = { float32: 'float32', int32: 'int64', bool: 'bool' } as const satisfies Record<string, Dtype>;

function checkedFeed(file: string, { name, dtype, dims }: SessionValue, feeds: Feeds): Tensor {
  const mismatch = (what: string) => inputMismatch(file, what, undefined);
  const feed = feeds[name];
  if (!feed) throw mismatch(`nothing is fed to "${name}"`);
  if (feed.type !== dtype) throw mismatch(`"${name}" is ${feed.type} where the model takes ${dtype}`);
  if (feed.dims.length !== dims.length) throw mismatch(`"${name}" has ${feed.dims.length} axes where the model takes ${dims.length}`);
  const wrong = dims.findIndex((size, axis) => typeof size === 'number' && size !== feed.dims[axis]);
  if (wrong >= 0) throw mismatch(`axis ${wrong} of "${name}" has length ${feed.dims[wrong]} where the model takes ${dims[wrong]}`);
  return feed;
}

function sessionValue({ name, type }: ValueInfoProto): SessionValue {
  const dims = (type?.tensorType?.shape?.dim ?? []).map(({ dimValue, dimParam }) => dimParam || Number(dimValue ?? 0) || '');
  return { name, dtype: (dtypeName(type?.tensorType?.elemType) ?? 'float32') as Tensor.Type, dims };
}
