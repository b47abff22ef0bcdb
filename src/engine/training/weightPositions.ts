/**
 * Which initializers of a graph are weights, told by where operators read them: the names of an exported graph say little,
 * and it holds other constants as well, such as shapes, bounds, statistics, attention masks, and the mean and
 * deviation of pixels.
 *
 * A value that follows from initializers alone is as good as the initializer it comes from, as long as the way there is one
 * of `passing`: a transposed matrix, a class token repeated over the batch. Every reader of an initializer, or of what
 * follows from it, has to read it as a weight; one that does not is enough to leave it as it is.
 */
import { topologicalOrder } from '../onnx/cutPoints';
import { nodeInputs } from '../onnx/extractSubgraph';
import type { ModelProto, NodeProto } from '../onnx/schema';

/** Initializers that are read as weights, in the order the graph first reads them, with the operators that combine them with data. */
export function weightReaders({ graph }: ModelProto): Map<string, ReadonlySet<string>> {
  const nodes = topologicalOrder(graph.node);
  const initializers = new Set(graph.initializer.map(({ name }) => name));
  const flow = dataFlow(nodes, graph.input.map(({ name }) => name).filter((name) => !initializers.has(name)));
  const readers = new Map<string, Reading[]>();
  for (const node of nodes) {
    for (const name of new Set(nodeInputs(node))) {
      // What a nested graph reads from outside is at no position of its own.
      const positions = node.input.flatMap((input, position) => (input === name ? [position] : []));
      readers.set(name, [...(readers.get(name) ?? []), ...(positions.length > 0 ? positions : [-1]).map((position) => ({ node, position }))]);
    }
  }
  const found = new Map<string, ReadonlySet<string>>();
  for (const name of readers.keys()) {
    if (!initializers.has(name)) continue;
    const operators = readAsWeight(name, readers, flow);
    if (operators && operators.size > 0) found.set(name, operators);
  }
  return found;
}

interface Reading {
  readonly node: NodeProto;
  readonly position: number;
}

interface DataFlow {
  /** Values that depend on an input of the graph by more than its shape. */
  readonly data: ReadonlySet<string>;
  /** Of those, the ones that no weight has touched: pixels, scaled and shifted at most. */
  readonly raw: ReadonlySet<string>;
}

function dataFlow(nodes: readonly NodeProto[], inputs: readonly string[]): DataFlow {
  const [data, raw] = [new Set(inputs), new Set(inputs)];
  for (const node of nodes) {
    const read = nodeInputs(node).filter((name) => data.has(name));
    if (read.length === 0 || node.opType === 'Shape' || node.opType === 'Size') continue;
    const untouched = read.every((name) => raw.has(name)) && !learned.has(node.opType) && !(node.opType === 'Gather' && !data.has(node.input[0]!));
    for (const name of node.output) {
      data.add(name);
      if (untouched) raw.add(name);
    }
  }
  return { data, raw };
}

/** The operators that read a value, or what follows from it alone, as a weight; null where some read it otherwise. */
function readAsWeight(name: string, readers: ReadonlyMap<string, readonly Reading[]>, { data, raw }: DataFlow): Set<string> | null {
  const operators = new Set<string>();
  const open = [name];
  const seen = new Set(['']);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    seen.add(value);
    for (const { node, position } of readers.get(value) ?? []) {
      if (node.domain !== '' && node.domain !== 'ai.onnx') return null;
      const read = node.input.filter((input) => data.has(input));
      if (read.length === 0) {
        if (!passes(node, position)) return null;
        open.push(...node.output.filter((output) => !seen.has(output)));
      } else {
        if (!(weightInputs[node.opType]?.(position) ?? false)) return null;
        if (combining.has(node.opType) && read.every((input) => raw.has(input))) return null;
        operators.add(node.opType);
      }
    }
  }
  return operators;
}

/** Whether what follows from a weight through this node is still one. A type without gradients ends it. */
function passes({ opType, attribute }: NodeProto, position: number): boolean {
  if (opType === 'Cast' && ![1, 11].includes(Number(attribute.find(({ name }) => name === 'to')?.i))) return false;
  return passing.has(opType) ? position === 0 : combining.has(opType) || products.has(opType) || (opType === 'Gather' && position === 0);
}

const passing = new Set(['Transpose', 'Reshape', 'Unsqueeze', 'Squeeze', 'Identity', 'Cast', 'Expand', 'Slice', 'Tile', 'Split', 'Flatten']);
/** Before the first weight these make pixels of pixels. */
const combining = new Set(['Add', 'Sub', 'Mul', 'Div', 'Concat']);
const products = new Set(['Gemm', 'MatMul', 'Einsum']);
const learned = new Set([...products, 'Conv', 'ConvTranspose']);

const each = (opTypes: Iterable<string>, at: (position: number) => boolean) => Object.fromEntries([...opTypes].map((opType) => [opType, at]));

/** Positions at which an operator that works on data reads a weight. Running means and variances of BatchNormalization are none. */
const weightInputs: Readonly<Record<string, (position: number) => boolean>> = {
  ...each([...combining, ...products], (position) => position >= 0),
  ...each(
    ['Conv', 'ConvTranspose', 'BatchNormalization', 'LayerNormalization', 'GroupNormalization', 'InstanceNormalization'],
    (position) => position === 1 || position === 2,
  ),
  PRelu: (position) => position === 1,
  Gather: (position) => position === 0,
};
