/**
 * Reverse-mode automatic differentiation of ONNX graphs (Baydin et al. 2018, arXiv 1502.05767, section 3.2). The backward pass is
 * made of ordinary ONNX operators, in the model's own opset, so that whatever runs the model runs its training as well.
 *
 * The walk: from the trainable values forward, to see what depends on them; from the loss backward, one rule a node (see
 * rules.ts), adding up the gradients of values used several times; then whatever no gradient reads is dropped. Shapes are
 * known beforehand (see staticGraph), which makes every broadcast, reshape and window a constant of the graph.
 * Left out on purpose: second derivatives and control flow (If, Loop, Scan).
 */
import { node as newNode, valueInfo } from '../onnx/build';
import { topologicalOrder } from '../onnx/cutPoints';
import { valueMissing } from '../onnx/errors';
import { extractSubgraph, nodeInputs } from '../onnx/extractSubgraph';
import type { ModelProto, NodeProto } from '../onnx/schema';
import { graphBuilder, isFloating, product, type Builder, type Value } from './builder';
import * as errors from './errors';
import { ruleSite, type Lowering } from './rule';
import { piecewiseConstant, rules } from './rules';
import { valueTypes } from './valueTypes';

/**
 * The graph that computes the loss and its gradients. Its outputs are `loss` and then, in the order of `wrt`, the gradient of
 * each of these, in its shape and named `gradientName(name)`, and then the values named in `also`. Those of `wrt` that were
 * initializers become graph inputs; the other inputs stay as far as they are read. A value that the loss does not depend on has gradient 0.
 *
 * `proto` and `shapes` as `staticGraph` returns them (see `trainableInputs` for weights it would fold); `loss` a float32 or float64 value of one element; `wrt` inputs or initializers.
 * `lowering` names the provider that will run the graph, where operators differ.
 *
 * Throws RavlError `autodiff-no-rule` (an operator without a rule), `autodiff-unsupported` (one in a form its rule does not
 * cover), `autodiff-not-float32`, `autodiff-loss-not-scalar`, `autodiff-shape-unknown`, `autodiff-opset`, `onnx-value-missing`.
 */
export function differentiate(
  proto: ModelProto,
  shapes: ReadonlyMap<string, readonly number[]>,
  { loss, wrt, also = [], lowering = 'cpu' }: { readonly loss: string; readonly wrt: readonly string[]; readonly also?: readonly string[]; readonly lowering?: Lowering },
): ModelProto {
  const opset = Number(proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 1);
  if (opset < 11) throw errors.opsetTooOld(opset);
  const order = topologicalOrder(proto.graph.node);
  const value = valueTable(proto, shapes, order);
  for (const name of [loss, ...wrt]) floating(value(name));
  if (product(value(loss).dims) !== 1) throw errors.lossNotScalar(loss, value(loss).dims);

  // What else the model computes may well have no gradient.
  const before = readBefore(order, [loss, ...also]);
  const nodes = order.filter(({ output }) => output.some((name) => before.has(name)));
  const g = graphBuilder(opset, freePrefix(proto));
  const gradients = backward(g, { proto, nodes, value, loss, wrt, lowering });
  nameGradients(g, wrt, wrt.map((name) => gradients.get(name) ?? g.filled(value(name).dims, 0, value(name).dtype)));
  return assemble({ ...proto, graph: { ...proto.graph, node: nodes } }, g, value, loss, wrt, also);
}

/** Name of the output that holds the gradient of a value. */
export const gradientName = (name: string) => `gradient:${name}`;

/** The gradient of each of `wrt` that the loss depends on. */
function backward(
  g: Builder,
  { proto, nodes, value, loss, wrt, lowering }: {
    readonly proto: ModelProto;
    readonly nodes: readonly NodeProto[];
    readonly value: (name: string) => Value;
    readonly loss: string;
    readonly wrt: readonly string[];
    readonly lowering: Lowering;
  },
): Map<string, Value> {
  const active = dependents(nodes, wrt, value);
  const trainable = new Set(wrt);
  const initializers = new Map(proto.graph.initializer.filter(({ name }) => !trainable.has(name)).map((tensor) => [tensor.name, tensor]));
  const gradients = new Map<string, Value>();
  gradients.set(loss, g.filled(value(loss).dims, 1, value(loss).dtype));
  for (const node of [...nodes].reverse()) {
    const dys = node.output.map((name) => (active.has(name) ? gradients.get(name) : undefined));
    if (dys.every((dy) => dy === undefined)) continue;
    // A copy of a decoded node lacks the domain that its file left out.
    const rule = !node.domain || node.domain === 'ai.onnx' ? rules[node.opType] : undefined;
    const weights = upstream(nodes, node, trainable);
    if (!rule) throw errors.noRule(node, weights());
    const found = rule(ruleSite({ g, node, lowering, dys, value, initializers, weights }));
    node.input.forEach((name, index) => {
      const gradient = found[index];
      if (!gradient || !active.has(name)) return;
      const sum = gradients.get(name);
      gradients.set(name, sum ? g.add(sum, gradient) : gradient);
    });
  }
  return gradients;
}

/** The trainable values and all floating values computed from them. */
function dependents(nodes: readonly NodeProto[], wrt: readonly string[], value: (name: string) => Value): Set<string> {
  const active = new Set(wrt);
  for (const node of nodes) {
    if (piecewiseConstant.has(node.opType) || !nodeInputs(node).some((name) => active.has(name))) continue;
    for (const name of node.output) if (name !== '' && /float/.test(value(name).dtype)) active.add(floating(value(name)).name);
  }
  return active;
}

/** Looked up only when an error has to name them. */
function upstream(nodes: readonly NodeProto[], node: NodeProto, trainable: ReadonlySet<string>): () => string[] {
  return () => {
    const read = readBefore(nodes, nodeInputs(node));
    return [...trainable].filter((name) => read.has(name));
  };
}

/** The given values and all that they are computed from. */
function readBefore(nodes: readonly NodeProto[], values: readonly string[]): Set<string> {
  const read = new Set(values);
  for (const node of [...nodes].reverse()) if (node.output.some((name) => read.has(name))) for (const name of nodeInputs(node)) read.add(name);
  return read;
}

/** Dims and element type by name. Throws where a name is unknown or a shape is not fixed. */
function valueTable(proto: ModelProto, shapes: ReadonlyMap<string, readonly number[]>, nodes: readonly NodeProto[]): (name: string) => Value {
  const types = valueTypes(proto, nodes);
  const weights = new Map(proto.graph.initializer.map(({ name, dims }) => [name, dims.map(Number)]));
  return (name) => {
    const dtype = types.get(name);
    if (dtype === undefined) throw valueMissing(name, proto.graph.output.map((output) => output.name));
    const dims = weights.get(name) ?? shapes.get(name);
    if (!dims) throw errors.shapeUnknown(name);
    return { name, dims, dtype };
  };
}

function floating(value: Value): Value {
  if (!isFloating(value)) throw errors.notTrainable(value.name, value.dtype);
  return value;
}

/** Renames each gradient after its value; one that serves two values is copied for the second. */
function nameGradients(g: Builder, wrt: readonly string[], gradients: readonly Value[]): void {
  const renamed = new Map<string, string>();
  wrt.forEach((name, index) => {
    const gradient = gradients[index]!;
    if (renamed.has(gradient.name)) g.nodes.push(newNode('Identity', [gradient.name], [gradientName(name)]));
    else renamed.set(gradient.name, gradientName(name));
  });
  for (const each of g.nodes) {
    each.input = each.input.map((name) => renamed.get(name) ?? name);
    each.output = each.output.map((name) => renamed.get(name) ?? name);
  }
}

function assemble(proto: ModelProto, g: Builder, value: (name: string) => Value, loss: string, wrt: readonly string[], also: readonly string[]): ModelProto {
  const { graph } = proto;
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const given = graph.input.filter(({ name }) => !weights.has(name) && !wrt.includes(name)).map(({ name }) => value(name));
  const trained = wrt.map(value);
  const whole = {
    ...proto,
    graph: { ...graph, node: [...graph.node, ...g.nodes], initializer: [...graph.initializer, ...g.initializers], valueInfo: [] },
  };
  const needed = extractSubgraph(whole, { inputs: [...given, ...trained], outputs: [loss, ...wrt.map(gradientName), ...also] });
  const info = ({ name, dtype, dims }: Value) => valueInfo(name, dtype, dims);
  const read = new Set(needed.graph.input.map(({ name }) => name));
  return {
    ...needed,
    graph: {
      ...needed.graph,
      // A trainable value stays an input even where nothing reads it, so that a trainer can feed all of them.
      input: [...given.filter(({ name }) => read.has(name)), ...trained].map(info),
      output: [value(loss), ...trained.map((weight) => ({ ...weight, name: gradientName(weight.name) })), ...also.map(value)].map(info),
    },
  };
}

/** A start of names that no value of the graph has. */
function freePrefix({ graph }: ModelProto): string {
  const names = [...graph.input, ...graph.initializer].map(({ name }) => name).concat(graph.node.flatMap(({ output }) => output));
  let prefix = 'backward:';
  while (names.some((name) => name.startsWith(prefix))) prefix += ':';
  return prefix;
}
