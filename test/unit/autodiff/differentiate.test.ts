import { describe, expect, test } from 'vitest';
import { differentiate } from '../../../src/engine/autodiff/differentiate';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { decodeModel, encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto, NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';

describe('the walk', () => {
  test('turns weights into inputs and returns the loss and one gradient each, in order', async () => {
    const proto = await gradientGraph(twoLayers(), ['w2', 'w1']);
    expect(proto.graph.input.map(({ name }) => name)).toEqual(['x', 'w2', 'w1']);
    expect(proto.graph.output.map(({ name }) => name)).toEqual(['loss', 'gradient:w2', 'gradient:w1']);
    expect(proto.graph.initializer.map(({ name }) => name)).not.toContain('w1');
    // loss = Σ (x w1) w2 with x = [1, 2], w1 = [[1, 2], [3, 4]], w2 = [5, 6]ᵀ, by hand.
    const results = await run(proto, { x: [[1, 2], [1, 2]], w1: [[1, 2, 3, 4], [2, 2]], w2: [[5, 6], [2, 1]] });
    expect(results).toEqual({ loss: [95], 'gradient:w2': [7, 10], 'gradient:w1': [5, 6, 10, 12] });
  });

  test('builds only what a gradient can reach', async () => {
    const all = await gradientGraph(twoLayers(), ['w1', 'w2']);
    const last = await gradientGraph(twoLayers(), ['w2']);
    expect(last.graph.node.length).toBeLessThan(all.graph.node.length);
    expect(last.graph.input.map(({ name }) => name)).toEqual(['x', 'w2']);
  });

  test('adds up the gradients of a value used several times, also within one node', async () => {
    const proto = await gradientGraph(scalarNet([node('Mul', ['x', 'x'], ['a']), node('Add', ['a', 'x'], ['loss'])]), ['x']);
    expect(await run(proto, { x: [[3], [1]] })).toEqual({ loss: [12], 'gradient:x': [7] });
  });

  test('gives two values that share a gradient one output each', async () => {
    const proto = await gradientGraph(scalarNet([node('Add', ['x', 'z'], ['loss'])], ['x', 'z']), ['x', 'z']);
    expect(await run(proto, { x: [[3], [1]], z: [[4], [1]] })).toEqual({ loss: [7], 'gradient:x': [1], 'gradient:z': [1] });
  });

  test('passes by what the loss does not read', async () => {
    const nodes = [node('Hardmax', ['x'], ['other']), node('Cast', ['x'], ['half'], { to: 10 }), node('Mul', ['x', 'x'], ['loss'])];
    const proto = scalarNet(nodes);
    proto.graph.output.push(valueInfo('other', 'float32', [1]), valueInfo('half', 'float16', [1]));
    expect(await run(await gradientGraph(proto, ['x']), { x: [[3], [1]] })).toEqual({ loss: [9], 'gradient:x': [6] });
  });

  test('says 0 where the loss does not depend on a value, or only by jumps', async () => {
    const proto = await gradientGraph(scalarNet([node('Floor', ['x'], ['a']), node('Mul', ['a', 'z'], ['loss'])], ['x', 'z', 'unused']), ['x', 'z', 'unused']);
    expect(await run(proto, { x: [[2.5], [1]], z: [[4], [1]], unused: [[1], [1]] })).toEqual({ loss: [8], 'gradient:x': [0], 'gradient:z': [2], 'gradient:unused': [0] });
  });

  test('reaches a weight that folding would hide, once it is an input', async () => {
    const proto = model({
      nodes: [node('Transpose', ['w'], ['t']), node('MatMul', ['x', 't'], ['y']), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })],
      inputs: [valueInfo('x', 'float32', [1, 2])],
      outputs: [valueInfo('loss', 'float32', [])],
      initializers: [tensorProto('w', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6))],
    });
    await expect(gradientGraph(proto, ['w'])).rejects.toMatchObject({ code: 'onnx-value-missing' });
    const results = await run(await gradientGraph(trainableInputs(proto, ['w']), ['w']), { x: [[7, 8], [1, 2]], w: [[1, 2, 3, 4, 5, 6], [3, 2]] });
    expect(results['gradient:w']).toEqual([7, 8, 7, 8, 7, 8]);
    expect(() => trainableInputs(proto, ['x'])).toThrow(expect.objectContaining({ code: 'onnx-value-missing' }));
  });

  test('takes nodes as a file holds them, and copies of those', async () => {
    const read = decodeModel(encodeModel(twoLayers()));
    // A copy lacks what the message has on its prototype: the domain, which files leave out.
    const nodes = read.graph.node.map((each) => Object.fromEntries(Object.entries(each).filter(([key]) => key !== 'domain')) as unknown as NodeProto);
    const proto = await gradientGraph({ ...read, graph: { ...read.graph, node: nodes } }, ['w2']);
    expect(await run(proto, { x: [[1, 2], [1, 2]], w2: [[5, 6], [2, 1]] })).toMatchObject({ 'gradient:w2': [0, 0] });
  });

  test('leaves the model it is given as it was', async () => {
    const given = await staticGraph({ proto: twoLayers() }, { x: [1, 2] });
    const before = encodeModel(given.proto);
    differentiate(given.proto, given.shapes, { loss: 'loss', wrt: ['w1'] });
    expect(encodeModel(given.proto)).toEqual(before);
  });
});

describe('at kinks and poles', () => {
  test.each([
    ['Relu', {}, [0, 0, 1], [0, 0, 1]],
    ['Abs', {}, [0, -1, 2], [0, -1, 1]],
    ['ReduceL2', { keepdims: 0 }, [0, 0, 0], [0, 0, 0]],
    ['ReduceMax', { keepdims: 0 }, [2, 2, 1], [0.5, 0.5, 0]],
    ['GlobalMaxPool', {}, [3, 1, 3], [0.5, 0, 0.5]],
  ] as const)('%s', async (op, attributes, x, gradient) => {
    const pooled = op.startsWith('Global');
    const nodes = [node('Reshape', ['x', 'shape'], ['v']), node(op, ['v'], ['y'], attributes), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })];
    const proto = await gradientGraph(scalarNet(nodes, ['x'], 3, [tensorProto('shape', [pooled ? 3 : 1], BigInt64Array.from(pooled ? [1n, 1n, 3n] : [3n]))]), ['x']);
    expect((await run(proto, { x: [x, [3]] }))['gradient:x']).toEqual(gradient);
  });

  test.each([
    ['Max', 1, [0.5, 0, 1]],
    ['Pow', 2, [2, 0, 4]],
  ] as const)('%s with a constant', async (op, constant, gradient) => {
    const nodes = [node(op, ['x', 'c'], ['y']), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })];
    const proto = await gradientGraph(scalarNet(nodes, ['x'], 3, [tensorProto('c', [], Float32Array.of(constant))]), ['x']);
    expect((await run(proto, { x: [[1, 0, 2], [3]] }))['gradient:x']).toEqual(gradient);
  });

  test('the exponent of 0 has gradient 0', async () => {
    const nodes = [node('Pow', ['x', 'e'], ['y']), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })];
    const proto = await gradientGraph(scalarNet(nodes, ['x', 'e'], 3), ['e']);
    const { 'gradient:e': gradient } = await run(proto, { x: [[0, 1, Math.E], [3]], e: [[2, 2, 1], [3]] });
    [0, 0, Math.E].forEach((expected, index) => expect(gradient![index]).toBeCloseTo(expected, 5));
  });
});

describe('refuses by name', () => {
  test('an operator without a rule, and says which weights to freeze', async () => {
    const nodes = [node('Mul', ['x', 'x'], ['a']), { ...node('Hardmax', ['a'], ['b']), name: 'router' }, node('Mul', ['b', 'z'], ['loss'])];
    await expect(gradientGraph(scalarNet(nodes, ['x', 'z']), ['x', 'z'])).rejects.toMatchObject({
      code: 'autodiff-no-rule',
      message: 'RaVL knows no gradient for the operator Hardmax (node "router").',
      hint: expect.stringContaining('("x")') as string,
    });
    await expect(gradientGraph(scalarNet(nodes, ['x', 'z']), ['z'])).resolves.toBeDefined();
  });

  test('a branch taken by what the data says', async () => {
    const branch = (op: string, name: string) => model({ nodes: [node(op, ['x'], [name])], inputs: [], outputs: [valueInfo(name, 'float32', [1])] }).graph;
    const nodes = [node('Greater', ['x', 'z'], ['more']), node('If', ['more'], ['y'], { then_branch: branch('Neg', 'a'), else_branch: branch('Abs', 'b') }), node('Mul', ['y', 'z'], ['loss'])];
    await expect(gradientGraph(scalarNet(nodes, ['x', 'z']), ['x', 'z'])).rejects.toMatchObject({ code: 'autodiff-no-rule', message: 'RaVL knows no gradient for the operator If (node "y").' });
  });

  test('a form that a rule does not cover', async () => {
    const nodes = [node('Resize', ['image', '', 'scales'], ['y'], { mode: 'linear', antialias: 1 }), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })];
    const reshape = node('Reshape', ['x', 'shape'], ['image']);
    const constants = [tensorProto('shape', [4], BigInt64Array.of(1n, 1n, 2n, 2n)), tensorProto('scales', [4], Float32Array.of(1, 1, 0.5, 0.5))];
    await expect(gradientGraph({ ...scalarNet([reshape, ...nodes], ['x'], 4, constants), opsetImport: [{ domain: '', version: 18 }] }, ['x'])).rejects.toMatchObject({
      code: 'autodiff-unsupported',
      message: expect.stringContaining('Resize (node "y") with antialias = 1') as string,
    });
  });

  test('half precision, whole numbers, a loss of several values, an old opset, an unknown name', async () => {
    const net = scalarNet([node('Identity', ['x'], ['loss'])], ['x'], 2);
    await expect(gradientGraph(net, ['x'])).rejects.toMatchObject({ code: 'autodiff-loss-not-scalar' });
    await expect(gradientGraph(net, ['nowhere'])).rejects.toMatchObject({ code: 'onnx-value-missing' });
    await expect(gradientGraph({ ...scalarNet([node('Identity', ['x'], ['loss'])]), opsetImport: [{ domain: '', version: 10 }] }, ['x'])).rejects.toMatchObject({ code: 'autodiff-opset' });
    const half = scalarNet([node('Cast', ['x'], ['h'], { to: 10 }), node('Cast', ['h'], ['loss'], { to: 1 })]);
    await expect(gradientGraph(half, ['x'])).rejects.toMatchObject({ code: 'autodiff-not-float32', message: expect.stringContaining('"h" of the ONNX graph is float16') as string });
    const quantized = scalarNet([node('DequantizeLinear', ['q', 'scale'], ['w']), node('Mul', ['x', 'w'], ['loss'])], ['x'], 1, [tensorProto('q', [1], Int8Array.of(3)), tensorProto('scale', [], Float32Array.of(0.1))]);
    expect(() => differentiate(quantized, new Map([['x', [1]], ['w', [1]], ['loss', [1]]]), { loss: 'loss', wrt: ['q'] })).toThrow(
      expect.objectContaining({ code: 'autodiff-not-float32', hint: expect.stringContaining('quantized model cannot be trained') as string }),
    );
  });
});

/** loss = Σ (x w1) w2. */
function twoLayers(): ModelProto {
  return model({
    nodes: [node('MatMul', ['x', 'w1'], ['h']), node('MatMul', ['h', 'w2'], ['y']), node('ReduceSum', ['y'], ['loss'], { keepdims: 0 })],
    inputs: [valueInfo('x', 'float32', ['n', 2])],
    outputs: [valueInfo('loss', 'float32', [])],
    initializers: [tensorProto('w1', [2, 2], new Float32Array(4)), tensorProto('w2', [2, 1], new Float32Array(2))],
  });
}

/** Inputs of `size` values each. */
function scalarNet(nodes: NodeProto[], inputs: readonly string[] = ['x'], size = 1, initializers: TensorProto[] = []): ModelProto {
  return model({ nodes, initializers, inputs: inputs.map((name) => valueInfo(name, 'float32', [size])), outputs: [valueInfo('loss', 'float32', [])] });
}

async function gradientGraph(proto: ModelProto, wrt: readonly string[]): Promise<ModelProto> {
  const dims = Object.fromEntries(proto.graph.input.map(({ name, type }) => [name, type!.tensorType!.shape!.dim.map(({ dimValue }) => Number(dimValue ?? 0) || 1)]));
  const { proto: fixed, shapes } = await staticGraph({ proto }, dims);
  return differentiate(fixed, shapes, { loss: 'loss', wrt });
}

async function run(proto: ModelProto, values: Readonly<Record<string, readonly [readonly number[], readonly number[]]>>): Promise<Record<string, number[]>> {
  const session = await openSession(encodeModel(proto));
  const feeds = Object.fromEntries(session.inputs.map(({ name }) => [name, new Tensor('float32', Float32Array.from(values[name]![0]), values[name]![1])]));
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]));
}
