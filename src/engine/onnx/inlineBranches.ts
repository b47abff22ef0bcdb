import { node as newNode } from './build';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './schema';
import { readTensor } from './tensor';

/**
 * The model with every `If` whose condition is a constant replaced by the branch that is taken, nested ones too; the same
 * object where there is none. torch.onnx writes `squeeze` of an axis of unknown length as an If; once shapes are fixed (see
 * staticGraph) its condition is a constant. Values inside a branch are renamed after the If, so that no two branches clash.
 */
export function inlineBranches(proto: ModelProto): ModelProto {
  const { graph } = proto;
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  if (!graph.node.some((node) => takenBranch(node, constants))) return proto;
  const added: TensorProto[] = [];
  const node = graph.node.flatMap((each) => {
    const branch = takenBranch(each, constants);
    return branch ? inlined(each, branch, added) : [each];
  });
  return inlineBranches({ ...proto, graph: { ...graph, node, initializer: [...graph.initializer, ...added] } });
}

function takenBranch(node: NodeProto, constants: ReadonlyMap<string, TensorProto>): GraphProto | undefined {
  const condition = node.opType === 'If' ? constants.get(node.input[0] ?? '') : undefined;
  if (!condition || condition.dataLocation === 1) return undefined;
  const taken = readTensor(condition).data[0] ? 'then_branch' : 'else_branch';
  return node.attribute.find(({ name }) => name === taken)?.g;
}

/** The nodes of a branch, its outputs under the names of the If's; its initializers are put into `added`. */
function inlined(site: NodeProto, branch: GraphProto, added: TensorProto[]): NodeProto[] {
  const own = [...branch.initializer.map(({ name }) => name), ...branch.node.flatMap(({ output }) => output)].filter((name) => name !== '');
  const names = new Map(own.map((name) => [name, `${site.output[0]}:${name}`]));
  const nodes = renamed(branch.node, names);
  added.push(...branch.initializer.map((tensor) => ({ ...tensor, name: names.get(tensor.name)! })));
  // An output may be a value from outside, or one that other nodes read as well.
  const ends = site.output.flatMap((name, index) => {
    const inner = branch.output[index]?.name;
    return name === '' || inner === undefined ? [] : [newNode('Identity', [names.get(inner) ?? inner], [name])];
  });
  return [...nodes, ...ends];
}

/** Nodes with other names for some values, in their nested graphs too: those may read them. */
function renamed(nodes: readonly NodeProto[], names: ReadonlyMap<string, string>): NodeProto[] {
  const each = (name: string) => names.get(name) ?? name;
  const within = (graph: GraphProto): GraphProto => ({
    ...graph,
    node: renamed(graph.node, names),
    output: graph.output.map((value) => ({ ...value, name: each(value.name) })),
  });
  return nodes.map((node) => ({
    ...node,
    // A decoded node holds what its file leaves out on its prototype, which a copy lacks.
    domain: node.domain,
    name: each(node.output[0] ?? node.name),
    input: node.input.map(each),
    output: node.output.map(each),
    attribute: node.attribute.map((attribute) => ({
      ...attribute,
      ...(attribute.g ? { g: within(attribute.g) } : {}),
      ...(attribute.graphs ? { graphs: attribute.graphs.map(within) } : {}),
    })),
  }));
}
