import type { NodeProto, TensorProto } from '../onnx/schema';
import { readTensor } from '../onnx/tensor';
import type { Builder, Value } from './builder';
import { unsupportedForm } from './errors';

/** Which operators a provider computes well, or at all (see convolution.ts). */
export type Lowering = 'cpu' | 'webgpu';

/**
 * The gradient of an operator: from the gradients of a node's outputs to those of its inputs, in their order, as nodes
 * added to `site.g`. Undefined, or missing at the end: the input has no gradient. A rule may write more than
 * is wanted; what no wanted gradient reads is dropped afterwards.
 */
export type Rule = (site: Site) => readonly (Value | undefined)[];

export type Rules = Readonly<Record<string, Rule>>;

/** A node to differentiate, with all that a rule may ask about it. */
export interface Site {
  readonly g: Builder;
  readonly node: NodeProto;
  /** The inputs, in position; undefined where left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** The inputs that are given. For operators without optional inputs, the same as `inputs`. */
  readonly operands: readonly Value[];
  readonly outputs: readonly (Value | undefined)[];
  /** The first input. */
  readonly x: Value;
  /** The first output. */
  readonly y: Value;
  /** The gradient of the first output (zeros where only others have one). */
  readonly dy: Value;
  /** The gradients of all outputs; undefined where the loss does not depend on them. */
  readonly dys: readonly (Value | undefined)[];
  readonly lowering: Lowering;
  int(name: string, fallback: number): number;
  ints(name: string): number[] | undefined;
  float(name: string, fallback: number): number;
  text(name: string, fallback: string): string;
  /** The numbers of an input that is a constant, or undefined where it is left out. Throws `autodiff-unsupported` where it is computed. */
  constant(index: number): number[] | undefined;
  /** The same, but undefined where it is computed. */
  maybeConstant(index: number): number[] | undefined;
  /** `autodiff-unsupported`: the node uses a form that the rule does not cover. */
  unsupported(what: string): Error;
}

export function ruleSite(parts: {
  readonly g: Builder;
  readonly node: NodeProto;
  readonly lowering: Lowering;
  readonly dys: readonly (Value | undefined)[];
  readonly value: (name: string) => Value;
  readonly initializers: ReadonlyMap<string, TensorProto>;
  readonly weights: () => readonly string[];
}): Site {
  const { g, node, lowering, dys, value, initializers, weights } = parts;
  const attributes = new Map(node.attribute.map((attribute) => [attribute.name, attribute]));
  const inputs = node.input.map((name) => (name === '' ? undefined : value(name)));
  const outputs = node.output.map((name) => (name === '' ? undefined : value(name)));
  const y = outputs[0]!;
  const unsupported = (what: string) => unsupportedForm(node, what, weights());
  const numbers = (index: number): number[] | undefined => {
    const tensor = initializers.get(node.input[index] ?? '');
    // The bytes of a weight in an external file are not at hand.
    return tensor && tensor.dataLocation !== 1 ? Array.from(readTensor(tensor).data, Number) : undefined;
  };
  return {
    g,
    node,
    inputs,
    operands: inputs.filter((input) => input !== undefined),
    outputs,
    x: inputs[0]!,
    y,
    dy: dys[0] ?? g.filled(y.dims, 0, y.dtype),
    dys,
    lowering,
    int: (name, fallback) => Number(attributes.get(name)?.i ?? fallback),
    ints: (name) => attributes.get(name)?.ints?.map(Number),
    float: (name, fallback) => attributes.get(name)?.f ?? fallback,
    text: (name, fallback) => {
      const bytes = attributes.get(name)?.s;
      return bytes ? new TextDecoder().decode(bytes) : fallback;
    },
    constant(index) {
      const given = inputs[index];
      const found = given && numbers(index);
      if (given && !found) throw unsupported(`a computed input "${given.name}"`);
      return found;
    },
    maybeConstant: numbers,
    unsupported,
  };
}

/** Axes as 0 … rank - 1. */
export const axis = (index: number, rank: number) => (index < 0 ? index + rank : index);

