import { valueInfo } from './build';
import type { Dtype } from './dtypes';
import { subgraphOpen, valueMissing } from './errors';
import type { GraphProto, ModelProto, NodeProto } from './schema';

export interface SubgraphInput {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
}

/**
 * The part of a model that computes `outputs` from `inputs`, both any values of its graph: nodes and initializers that
 * are not needed are left out, the order of the nodes stays. Inputs that nothing needs are left out as well.
 *
 * Throws RavlError `onnx-value-missing` for an unknown name, `onnx-subgraph-open` where an output also depends on an
 * input of the whole graph that is not given.
 */
export function extractSubgraph(
  proto: ModelProto,
  { inputs, outputs }: { readonly inputs: readonly SubgraphInput[]; readonly outputs: readonly string[] },
): ModelProto {
  const { graph } = proto;
  const known = namedValues(graph);
  for (const name of [...outputs, ...inputs.map((input) => input.name)]) {
    if (!known.has(name)) throw valueMissing(name, graph.output.map((value) => value.name));
  }
  const { nodes, values } = needed(graph, outputs, new Set(inputs.map(({ name }) => name)));
  const initializer = graph.initializer.filter(({ name }) => values.has(name) && !inputs.some((input) => input.name === name));
  const weights = new Set(initializer.map(({ name }) => name));
  const given = new Set(inputs.map(({ name }) => name));
  const open = graph.input.find(({ name }) => values.has(name) && !weights.has(name) && !given.has(name));
  if (open) throw subgraphOpen(outputs.join(', '), open.name);
  const infos = new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name, info]));
  return {
    ...proto,
    graph: {
      ...graph,
      node: graph.node.filter((node) => nodes.has(node)),
      initializer,
      input: inputs.filter(({ name }) => values.has(name)).map(({ name, dtype, dims }) => valueInfo(name, dtype, dims)),
      // onnxruntime infers the type of an output that is only named.
      output: outputs.map((name) => infos.get(name) ?? { name }),
      valueInfo: graph.valueInfo.filter(({ name }) => values.has(name) && !given.has(name)),
    },
  };
}

/** Values a node reads, those that its nested graphs (If, Loop) take from outside included. */
export function nodeInputs(node: NodeProto): string[] {
  const nested = node.attribute.flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])]);
  return [...node.input.filter((name) => name !== ''), ...nested.flatMap(outerValues)];
}

function outerValues(graph: GraphProto): string[] {
  const own = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const node of graph.node) for (const name of node.output) own.add(name);
  return [...graph.node.flatMap(nodeInputs), ...graph.output.map(({ name }) => name)].filter((name) => !own.has(name));
}

function namedValues(graph: GraphProto): Set<string> {
  return new Set([...graph.input.map(({ name }) => name), ...graph.initializer.map(({ name }) => name), ...graph.node.flatMap(({ output }) => output)]);
}

/** Walks back from the outputs and stops at the inputs. */
function needed(graph: GraphProto, outputs: readonly string[], stops: ReadonlySet<string>): { nodes: Set<NodeProto>; values: Set<string> } {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const nodes = new Set<NodeProto>();
  const values = new Set<string>();
  const open = [...outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (values.has(name)) continue;
    values.add(name);
    const node = stops.has(name) ? undefined : producers.get(name);
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    open.push(...nodeInputs(node));
  }
  return { nodes, values };
}
