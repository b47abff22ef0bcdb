import { graphCyclic, valueMissing } from './errors';
import { nodeInputs } from './extractSubgraph';
import type { ModelProto, NodeProto } from './schema';

/** A value that every path from the input to the output passes through. */
export interface CutPoint {
  readonly name: string;
  /** Undefined where the shape is not known. */
  readonly dims: readonly number[] | undefined;
}

/**
 * The values of a graph that every path from `input` to `output` passes through (the dominators of `output`), in
 * topological order, `input` and `output` included; empty where no path leads from one to the other.
 *
 * Cutting the graph at one of them leaves two parts that share nothing but this value and the weights: that is how the
 * feature map of an encoder is found. Shapes come from `staticGraph`, which also folds away the Shape chains that
 * would otherwise be paths of their own.
 *
 * Only values on some path count. In any topological order of those, a value is a dominator exactly when no edge leads
 * from before it to after it, so one sweep is enough: O(nodes + edges).
 * Throws RavlError `onnx-value-missing` for an unknown name, `onnx-graph-cyclic`.
 */
export function cutPoints(proto: ModelProto, shapes: ReadonlyMap<string, readonly number[]>, input: string, output: string): CutPoint[] {
  const nodes = topologicalOrder(proto.graph.node);
  const names = new Set([...proto.graph.input.map(({ name }) => name), ...nodes.flatMap((node) => node.output)]);
  for (const name of [input, output]) if (!names.has(name)) throw valueMissing(name, proto.graph.output.map((value) => value.name));

  const onPath = valuesBetween(nodes, input, output);
  if (!onPath.has(output)) return [];
  const order = [input, ...nodes.flatMap((node) => node.output.filter((name) => name !== input && onPath.has(name)))];
  const position = new Map(order.map((name, index) => [name, index]));
  const furthest = furthestReader(nodes, position);

  const cuts: CutPoint[] = [];
  let reach = 0;
  order.forEach((name, index) => {
    if (reach <= index) cuts.push({ name, dims: shapes.get(name) });
    reach = Math.max(reach, furthest[index]!);
  });
  return cuts;
}

/** Nodes ordered so that every value is written before it is read; stable. ONNX asks for this order, faulty writers do not keep it. */
export function topologicalOrder(nodes: readonly NodeProto[]): NodeProto[] {
  const written = new Set<string>();
  const own = new Set(nodes.flatMap((node) => node.output));
  const order: NodeProto[] = [];
  let waiting = [...nodes];
  while (waiting.length > 0) {
    const later: NodeProto[] = [];
    for (const node of waiting) {
      if (nodeInputs(node).every((name) => !own.has(name) || written.has(name))) {
        order.push(node);
        for (const name of node.output) written.add(name);
      } else later.push(node);
    }
    if (later.length === waiting.length) throw graphCyclic();
    waiting = later;
  }
  return order;
}

function valuesBetween(nodes: readonly NodeProto[], input: string, output: string): Set<string> {
  const after = new Set([input]);
  for (const node of nodes) if (nodeInputs(node).some((name) => after.has(name))) for (const name of node.output) if (name) after.add(name);
  const before = new Set([output]);
  for (const node of [...nodes].reverse()) if (node.output.some((name) => before.has(name))) for (const name of nodeInputs(node)) before.add(name);
  return new Set([...after].filter((name) => before.has(name)));
}

/** For each value on a path, the last position among the values computed from it directly. */
function furthestReader(nodes: readonly NodeProto[], position: ReadonlyMap<string, number>): Int32Array {
  const furthest = new Int32Array(position.size);
  for (const node of nodes) {
    const last = Math.max(...node.output.map((name) => position.get(name) ?? 0));
    for (const name of nodeInputs(node)) {
      const from = position.get(name);
      if (from !== undefined) furthest[from] = Math.max(furthest[from]!, last);
    }
  }
  return furthest;
}
