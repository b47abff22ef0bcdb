import { trainableInputs } from '../autodiff/trainableInputs';
import { cutPoints, topologicalOrder } from '../onnx/cutPoints';
import { extractSubgraph, nodeInputs } from '../onnx/extractSubgraph';
import type { ModelProto, NodeProto } from '../onnx/schema';
import { staticGraph } from '../runtime/staticGraph';

/** Where blocks start, first to last, and the graph they were found in. */
export interface Blocks {
  readonly starts: readonly string[];
  /** Which of the weights are read only by what comes after the start of a block: before it, nothing changes with them. */
  weightsFrom(start: string): Set<string>;
}

/**
 * The blocks of an encoder, by its structure: exporters rename weights, and no two name blocks alike. Cut points divide the
 * graph into segments, and a block is
 * - a segment with a Softmax (attention), or with a convolution that is added to a shortcut (residual); a transformer's
 *   perceptron belongs to the attention before it;
 * - without any attention, a segment whose sum of two branches has a convolution or matrix product in it;
 * - without those as well, a segment with a convolution.
 *
 * @param weights initializers, which are kept from being folded into constants
 * Throws what `staticGraph` throws.
 */
export async function findBlocks(
  model: { readonly proto: ModelProto; readonly folder: string },
  { input, output, dims }: { readonly input: string; readonly output: string; readonly dims: readonly number[] },
  weights: readonly string[],
): Promise<Blocks> {
  const { proto, shapes } = await staticGraph({ proto: trainableInputs(model.proto, weights), folder: model.folder }, { [input]: dims });
  const segments = segmentsOf(proto, input, cutPoints(proto, shapes, input, output).map(({ name }) => name));
  const read = (inputs: readonly string[], end: string) => {
    const ends = inputs.map((name) => ({ name, dtype: 'float32' as const, dims: [] }));
    return new Set(extractSubgraph(proto, { inputs: ends, outputs: [end] }).graph.input.map(({ name }) => name));
  };
  const given = proto.graph.input.map(({ name }) => name);
  return {
    starts: blocksAmong(segments).map(({ start }) => start),
    weightsFrom(start) {
      const before = read(given, start);
      return new Set([...read([...new Set([...given, start])], output)].filter((name) => weights.includes(name) && !before.has(name)));
    },
  };
}

interface Segment {
  /** The cut point it starts from. */
  readonly start: string;
  readonly operators: Set<string>;
  /** Whether two branches of it are added up. */
  joins: boolean;
}

/** What lies between one cut point and the next, the next included. */
function segmentsOf({ graph }: ModelProto, input: string, cuts: readonly string[]): Segment[] {
  const next = (start: string): Segment => ({ start, operators: new Set(), joins: false });
  const after = new Set(cuts);
  const active = new Set([input]);
  const segments = [next(input)];
  for (const node of topologicalOrder(graph.node)) {
    const read = new Set(nodeInputs(node).filter((name) => active.has(name)));
    if (read.size === 0) continue;
    const segment = segments.at(-1)!;
    segment.operators.add(node.opType);
    if (isSum(node) && read.size > 1) segment.joins = true;
    for (const name of node.output) {
      active.add(name);
      if (after.has(name)) segments.push(next(name));
    }
  }
  return segments;
}

function blocksAmong(segments: readonly Segment[]): readonly Segment[] {
  const has = ({ operators }: Segment, ...opTypes: string[]) => opTypes.some((opType) => operators.has(opType));
  if (segments.some((segment) => has(segment, 'Softmax'))) {
    return segments.filter((segment) => has(segment, 'Softmax') || (segment.joins && has(segment, 'Conv')));
  }
  const residual = segments.filter((segment) => segment.joins && has(segment, 'Conv', 'MatMul', 'Gemm', 'Einsum'));
  return residual.length > 0 ? residual : segments.filter((segment) => has(segment, 'Conv'));
}

const isSum = ({ opType }: NodeProto) => opType === 'Add' || opType === 'Sum';
