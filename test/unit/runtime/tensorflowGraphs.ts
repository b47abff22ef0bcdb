import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { expect } from 'vitest';
import { differentiate } from '../../../src/engine/autodiff/differentiate';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto, NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { openTensorFlowSession } from '../../../src/engine/runtime/tensorflow/session';
import { tf } from '../../fixtures/tensorflow';
import type { Operand, OperatorCase } from '../autodiff/gradientCheck';

export interface CaseGraphs {
  /** The operator alone. */
  readonly forward: ModelProto;
  /** The loss Σ w·y, w random, and its gradients. */
  readonly backward: ModelProto;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** The graphs of an operator as autodiff's own tests draw it, in float32. */
export async function caseGraphs(test: OperatorCase): Promise<CaseGraphs> {
  const random = xoroshiro128plus(test.seed ?? 1);
  const draw = () => uniformFloat64(random);
  const feeds: Record<string, Tensor> = {};
  const initializers: TensorProto[] = [];
  const names = test.inputs.map((operand, index) => {
    const name = `x${index}`;
    if (!operand) return '';
    if (operand.ints && operand.fed) feeds[name] = new Tensor('int64', BigInt64Array.from(operand.ints, BigInt), operand.dims);
    else if (operand.ints) initializers.push(tensorProto(name, operand.dims, BigInt64Array.from(operand.ints, BigInt)));
    else if (operand.bools) initializers.push(tensorProto(name, operand.dims, Uint8Array.from(operand.bools, Number), 'bool'));
    else if (operand.floats) initializers.push(tensorProto(name, operand.dims, Float32Array.from(operand.floats)));
    else feeds[name] = new Tensor('float32', drawn(operand, draw), operand.dims);
    return name;
  });
  const unseen = Array.from({ length: test.unseen ?? 0 }, (_, index) => `unseen${index}`);
  const outputs = Array.from({ length: test.outputs ?? 1 }, (_, index) => `y${index}`);
  const build = (nodes: NodeProto[], constants: TensorProto[], ends: string[]) =>
    model({
      nodes: [node(test.op, names, [...outputs, ...unseen], test.attributes), ...nodes],
      initializers: [...initializers, ...constants],
      inputs: Object.entries(feeds).map(([name, { type, dims }]) => valueInfo(name, type as 'float32', dims)),
      outputs: ends.map((name) => ({ name })),
      opset: test.opset ?? 17,
    });
  const forward = build([], [], [...outputs, ...unseen]);
  const dims = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, tensor.dims]));
  const { shapes: sizes } = await staticGraph({ proto: forward }, dims);
  const nodes: NodeProto[] = [];
  const constants: TensorProto[] = [];
  const parts = outputs.map((name, index) => {
    const size = sizes.get(name)!.reduce((total, each) => total * each, 1);
    constants.push(tensorProto(`w${index}`, [size, 1], Float32Array.from({ length: size }, () => 2 * draw() - 1)), tensorProto(`row${index}`, [2], BigInt64Array.of(1n, BigInt(size))));
    // Cast: the operator of that name ends in float64.
    nodes.push(node('Cast', [name], [`cast${index}`], { to: 1 }), node('Reshape', [`cast${index}`, `row${index}`], [`flat${index}`]), node('MatMul', [`flat${index}`, `w${index}`], [`part${index}`]));
    return `part${index}`;
  });
  nodes.push(node('Sum', parts, ['loss']));
  const { proto, shapes } = await staticGraph({ proto: build(nodes, constants, ['loss']) }, dims);
  const wrt = Object.keys(feeds).filter((name) => feeds[name]!.type === 'float32');
  return { forward, backward: differentiate(proto, shapes, { loss: 'loss', wrt, ...(test.lowering ? { lowering: test.lowering } : {}) }), feeds };
}

/** Runs a graph on onnxruntime and on TensorFlow.js, expects the same of both, and that nothing is left on the backend. */
export async function expectSame(proto: ModelProto, feeds: Readonly<Record<string, Tensor>>, what: string): Promise<void> {
  const model = encodeModel(proto);
  const reference = await openSession(model);
  const expected = await reference.run(feeds);
  await reference.release();
  const before = tf.memory().numTensors;
  const session = await openTensorFlowSession(model, tf);
  const actual = await session.run(feeds);
  await session.release();
  expect(tf.memory().numTensors, `${what} leaves values behind`).toBe(before);
  expect(Object.keys(actual), what).toEqual(Object.keys(expected));
  for (const [name, tensor] of Object.entries(expected)) {
    expect(actual[name]!.dims, `${what} ${name}`).toEqual(tensor.dims);
    expect(farthest(tensor.data, actual[name]!.data), `${what}: ${name} of ${JSON.stringify([...Object.keys(feeds)])}`).toBeLessThan(1e-4);
  }
}

/** The largest difference of two results, as a share of the largest value; of values that are all tiny, as a share of 0.01. */
export function farthest(expected: Tensor['data'], actual: Tensor['data']): number {
  const [a, b] = [Array.from(expected as Float32Array, Number), Array.from(actual as Float32Array, Number)];
  if (a.length !== b.length) return Infinity;
  const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0.01);
  return a.reduce((worst, value, index) => (Object.is(value, b[index]) ? worst : Math.max(worst, Math.abs(value - b[index]!) / scale)), 0);
}

function drawn({ dims, range = [-2, 2], spread, fixed }: Operand, draw: () => number): Float32Array {
  if (fixed) return Float32Array.from(fixed);
  const count = dims.reduce((total, size) => total * size, 1);
  if (!spread) return Float32Array.from({ length: count }, () => range[0] + (range[1] - range[0]) * draw());
  const order = Array.from({ length: count }, (_, index) => ({ index, key: draw() })).sort((a, b) => a.key - b.key);
  return Float32Array.from(order, ({ index }) => 0.1 * (index - Math.floor(count / 2)) + 0.05);
}
