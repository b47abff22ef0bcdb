import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { expect } from 'vitest';
import { differentiate, gradientName } from '../../../src/engine/autodiff/differentiate';
import type { Lowering } from '../../../src/engine/autodiff/rule';
import { model, node, tensorProto, valueInfo, type AttributeValue } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor, type GraphSession } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';

/** An input of an operator: drawn floats, whose gradient is checked, unless it is given as whole numbers or truth values. */
export interface Operand {
  readonly dims: readonly number[];
  /** Draws uniformly from here. */
  readonly range?: readonly [number, number];
  /** Draws distinct values 0.1 apart, so that no step crosses a tie or a kink at 0. */
  readonly spread?: boolean;
  readonly ints?: readonly number[];
  readonly bools?: readonly boolean[];
  /** Floats as given, whose gradient is checked. */
  readonly fixed?: readonly number[];
  /** Fixed floats: a weight whose gradient is not asked for. */
  readonly floats?: readonly number[];
  /** Whole numbers come as a graph input, not as a constant. */
  readonly fed?: boolean;
}

export interface OperatorCase {
  readonly op: string;
  readonly inputs: readonly (Operand | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly opset?: number;
  readonly outputs?: number;
  /** Outputs after those, which the sum leaves out. */
  readonly unseen?: number;
  /** onnxruntime's CPU kernel has no float64; `linear` ones are then checked with a large step, which is exact for them. */
  readonly float32?: 'linear' | 'smooth';
  readonly lowering?: Lowering;
  readonly seed?: number;
}

/**
 * Compares the gradient of Σ w·y, w random, with central differences in every element of every floating input. The sum is taken
 * here, in float64, so the only rounding is the operator's own.
 */
export async function checkGradient(test: OperatorCase): Promise<void> {
  const dtype = test.float32 ? 'float32' : 'float64';
  const random = xoroshiro128plus(test.seed ?? 1);
  const draw = () => uniformFloat64(random);
  const floats = new Map<string, { dims: readonly number[]; data: Float32Array | Float64Array }>();
  const fed: Record<string, Tensor> = {};
  const initializers: TensorProto[] = [];
  const names = test.inputs.map((operand, index) => {
    if (!operand) return '';
    const name = `x${index}`;
    if (operand.ints && operand.fed) fed[name] = new Tensor('int64', BigInt64Array.from(operand.ints, BigInt), operand.dims);
    else if (operand.ints) initializers.push(tensorProto(name, operand.dims, BigInt64Array.from(operand.ints, BigInt)));
    else if (operand.bools) initializers.push(tensorProto(name, operand.dims, Uint8Array.from(operand.bools, Number), 'bool'));
    else if (operand.floats) initializers.push(tensorProto(name, operand.dims, array(dtype, operand.floats)));
    else floats.set(name, { dims: operand.dims, data: array(dtype, values(operand, draw)) });
    return name;
  });
  const outputs = Array.from({ length: test.outputs ?? 1 }, (_, index) => `y${index}`);
  const unseen = Array.from({ length: test.unseen ?? 0 }, (_, index) => `unseen${index}`);
  const build = (nodes: NodeProto[], constants: TensorProto[], ends: string[]) =>
    model({
      nodes: [node(test.op, names, [...outputs, ...unseen], test.attributes), ...nodes],
      initializers: [...initializers, ...constants],
      inputs: [...[...floats].map(([name, { dims }]) => valueInfo(name, dtype, dims)), ...Object.entries(fed).map(([name, { dims }]) => valueInfo(name, 'int64', dims))],
      outputs: ends.map((name) => (name === 'loss' ? valueInfo(name, dtype, [1, 1]) : { name })),
      opset: test.opset ?? 17,
    });

  const forward = await openSession(encodeModel(build([], [], outputs)));
  const run = async () => (await forward.run({ ...fed, ...tensors(floats, dtype) })) as Record<string, Tensor>;
  const first = await run();
  const weights = outputs.map((name) => array(dtype, Array.from({ length: first[name]!.size }, () => 2 * draw() - 1)));
  const sum = (results: Record<string, Tensor>) =>
    outputs.reduce((total, name, index) => (results[name]!.data as Float64Array).reduce((part, value, at) => part + value * weights[index]![at]!, total), 0);

  const gradients = await analytic(test, dtype, floats, fed, build, outputs, weights);
  const step = { float64: 1e-6, smooth: 1e-2, linear: 0.5 }[test.float32 ?? 'float64'];
  const tolerance = { float64: 1e-6, smooth: 4e-4, linear: 2e-5 }[test.float32 ?? 'float64'];
  for (const [name, { data, dims }] of floats) {
    const gradient = gradients[name]!;
    expect(gradient.dims, `${test.op} ${name}`).toEqual(dims);
    const numeric = new Float64Array(data.length);
    for (let at = 0; at < data.length; at++) {
      const centre = data[at]!;
      data[at] = centre + step;
      const up = sum(await run());
      const above = data[at]!;
      data[at] = centre - step;
      const down = sum(await run());
      numeric[at] = (up - down) / (above - data[at]!);
      data[at] = centre;
    }
    const scale = Math.max(1, ...numeric.map(Math.abs));
    const worst = numeric.reduce((most, value, at) => Math.max(most, Math.abs(value - Number(gradient.data[at])) / scale || 0), 0);
    const finite = [...(gradient.data as Float64Array)].every(Number.isFinite);
    const told = () => `${JSON.stringify(test)} ${name}: differences ${[...numeric].slice(0, 8)} gradient ${[...(gradient.data as Float64Array)].slice(0, 8)}`;
    if (!finite || worst > tolerance) expect.fail(`off by ${worst}: ${told()}`);
  }
  await forward.release();
}

async function analytic(
  test: OperatorCase,
  dtype: 'float32' | 'float64',
  floats: Map<string, { dims: readonly number[]; data: Float32Array | Float64Array }>,
  fed: Record<string, Tensor>,
  build: (nodes: NodeProto[], constants: TensorProto[], ends: string[]) => ReturnType<typeof model>,
  outputs: readonly string[],
  weights: readonly (Float32Array | Float64Array)[],
): Promise<Record<string, Tensor>> {
  const nodes: NodeProto[] = [];
  const constants: TensorProto[] = [];
  const parts = outputs.map((name, index) => {
    const size = weights[index]!.length;
    constants.push(tensorProto(`w${index}`, [size, 1], weights[index]!), tensorProto(`row${index}`, [2], BigInt64Array.of(1n, BigInt(size))));
    nodes.push(node('Reshape', [name, `row${index}`], [`flat${index}`]), node('MatMul', [`flat${index}`, `w${index}`], [`part${index}`]));
    return `part${index}`;
  });
  nodes.push(node('Sum', parts, ['loss']));
  const dims = Object.fromEntries([...[...floats].map(([name, each]) => [name, each.dims] as const), ...Object.entries(fed).map(([name, each]) => [name, each.dims] as const)]);
  const { proto, shapes: known } = await staticGraph({ proto: build(nodes, constants, ['loss']) }, dims);
  const backward = differentiate(proto, known, { loss: 'loss', wrt: [...floats.keys()], ...(test.lowering ? { lowering: test.lowering } : {}) });
  const session: GraphSession = await openSession(encodeModel(backward));
  const accepted = new Set(session.inputs.map(({ name }) => name));
  const feeds = Object.fromEntries(Object.entries({ ...fed, ...tensors(floats, dtype) }).filter(([name]) => accepted.has(name)));
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries([...floats.keys()].map((name) => [name, results[gradientName(name)]!]));
}

function tensors(floats: Map<string, { dims: readonly number[]; data: Float32Array | Float64Array }>, dtype: 'float32' | 'float64'): Record<string, Tensor> {
  return Object.fromEntries([...floats].map(([name, { dims, data }]) => [name, dtype === 'float32' ? new Tensor('float32', data as Float32Array, dims) : new Tensor('float64', data as Float64Array, dims)]));
}

function array(dtype: 'float32' | 'float64', from: readonly number[]): Float32Array | Float64Array {
  return dtype === 'float32' ? Float32Array.from(from) : Float64Array.from(from);
}

function values({ dims, range = [-2, 2], spread, fixed }: Operand, draw: () => number): number[] {
  if (fixed) return [...fixed];
  const count = dims.reduce((total, size) => total * size, 1);
  if (!spread) return Array.from({ length: count }, () => range[0] + (range[1] - range[0]) * draw());
  return Array.from({ length: count }, (_, index) => ({ index, key: draw() }))
    .sort((a, b) => a.key - b.key)
    .map(({ index }) => 0.1 * (index - Math.floor(count / 2)) + 0.05);
}
