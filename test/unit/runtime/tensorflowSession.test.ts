import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { model, node, tensorProto, valueInfo, type AttributeValue } from '../../../src/engine/onnx/build';
import type { Dtype } from '../../../src/engine/onnx/dtypes';
import { float32ToFloat16 } from '../../../src/engine/onnx/float16';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto, NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { openTensorFlowSession } from '../../../src/engine/runtime/tensorflow/session';
import { tf } from '../../fixtures/tensorflow';
import { expectSame, farthest } from './tensorflowGraphs';

const floats = (dims: readonly number[], ...data: number[]) => new Tensor('float32', Float32Array.from(data), dims);
const count = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);
/** Distinct values of both signs, in no order. */
const mixed = (...dims: number[]) => new Tensor('float32', Float32Array.from({ length: count(dims) }, (_, at) => 3 * Math.sin(7 * at + 1)), dims);
const whole = (dims: readonly number[], ...data: number[]) => new Tensor('int64', BigInt64Array.from(data, BigInt), dims);

/** y = x w + b with w [2, 3]; the rows of x are open. */
function linear(): ModelProto {
  return model({
    nodes: [node('MatMul', ['x', 'w'], ['product']), node('Add', ['product', 'b'], ['y'])],
    inputs: [valueInfo('x', 'float32', ['rows', 2])],
    outputs: [valueInfo('y', 'float32', ['rows', 3])],
    initializers: [tensorProto('w', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), tensorProto('b', [3], Float32Array.of(10, 20, 30))],
  });
}

describe('a session on TensorFlow', () => {
  it('computes, and tells what it takes and gives', async () => {
    const session = await openTensorFlowSession(encodeModel(linear()), tf);
    expect(session).toMatchObject({
      device: 'tensorflow',
      inputs: [{ name: 'x', dtype: 'float32', dims: ['rows', 2] }],
      outputs: [{ name: 'y', dtype: 'float32', dims: ['rows', 3] }],
    });
    const { y } = await session.run({ x: floats([2, 2], 1, 0, 1, 1) });
    expect([y!.type, y!.dims, [...(y!.data as Float32Array)]]).toEqual(['float32', [2, 3], [11, 22, 33, 15, 27, 39]]);
    await session.release();
    await session.release();
  });

  it('loads weights in external files once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ravl-tensorflow-'));
    const proto = linear();
    await writeFile(join(folder, 'weights.bin'), proto.graph.initializer[0]!.rawData!);
    Object.assign(proto.graph.initializer[0]!, { dataLocation: 1, externalData: [{ key: 'location', value: 'weights.bin' }], rawData: undefined });
    proto.graph.initializer.reverse();
    const session = await openTensorFlowSession(encodeModel(proto), tf, { externalFolder: folder });
    await rm(folder, { recursive: true });
    expect([...((await session.run({ x: floats([1, 2], 0, 1) })).y!.data as Float32Array)]).toEqual([14, 25, 36]);
    await session.release();
    const before = tf.memory().numTensors;
    await expect(openTensorFlowSession(encodeModel(proto), tf, { externalFolder: folder })).rejects.toMatchObject({ code: 'onnx-external-missing' });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps its weights from run to run, and nothing else', async () => {
    const before = tf.memory();
    const session = await openTensorFlowSession(encodeModel(linear()), tf);
    const opened = tf.memory();
    expect(opened.numTensors - before.numTensors).toBe(2);
    for (const rows of [1, 4]) await session.run({ x: mixed(rows, 2) });
    await expect(session.run({ x: mixed(3) })).rejects.toBeDefined();
    expect(tf.memory()).toMatchObject({ numTensors: opened.numTensors, numBytes: opened.numBytes });
    await session.release();
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
  });

  it('gives results that share memory with nothing', async () => {
    const proto = model({
      nodes: [node('Identity', ['x'], ['same']), node('Reshape', ['x', 'row'], ['flat']), node('Identity', ['w'], ['weight'])],
      inputs: [valueInfo('x', 'float32', [2, 1])],
      outputs: [valueInfo('same', 'float32', [2, 1]), valueInfo('flat', 'float32', [2]), valueInfo('weight', 'float32', [1]), valueInfo('w', 'float32', [1])],
      initializers: [tensorProto('row', [1], BigInt64Array.of(2n)), tensorProto('w', [1], Float32Array.of(5))],
    });
    const session = await openTensorFlowSession(encodeModel(proto), tf);
    const x = floats([2, 1], 1, 2);
    for (const result of Object.values(await session.run({ x }))) (result.data as Float32Array).fill(9);
    const again = await session.run({ x });
    expect(Object.fromEntries(Object.entries(again).map(([name, { data }]) => [name, [...(data as Float32Array)]]))).toEqual({ same: [1, 2], flat: [1, 2], weight: [5], w: [5] });
    await session.release();
  });

  it('takes and gives the types that the graph declares', async () => {
    const types: readonly (readonly [Dtype, Tensor])[] = [
      ['int64', new Tensor('int64', BigInt64Array.of(-3n, 9_000_000_000_000n), [2])],
      ['int32', new Tensor('int32', Int32Array.of(-3, 7), [2])],
      ['bool', new Tensor('bool', Uint8Array.of(1, 0), [2])],
      ['float64', new Tensor('float64', Float64Array.of(0.5, -2), [2])],
      ['float16', new Tensor('float16', float32ToFloat16(Float32Array.of(0.5, -2)), [2])],
    ];
    for (const [dtype, x] of types) {
      const proto = model({ nodes: [node('Identity', ['x'], ['y'])], inputs: [valueInfo('x', dtype, [2])], outputs: [valueInfo('y', dtype, [2])] });
      const session = await openTensorFlowSession(encodeModel(proto), tf);
      const { y } = await session.run({ x });
      expect(y!.type).toBe(dtype);
      // 64-bit integers are held in 32 and cut off there.
      expect([...(y!.data as Iterable<unknown>)]).toEqual(dtype === 'int64' ? [-3n, 2_147_483_647n] : [...(x.data as Iterable<unknown>)]);
      await session.release();
    }
  });

  it('computes a half-precision model in single precision', async () => {
    const half = (name: string, dims: readonly number[], ...data: number[]) => tensorProto(name, dims, float32ToFloat16(Float32Array.from(data)));
    const proto = model({
      nodes: [node('MatMul', ['x', 'w'], ['h']), node('Cast', ['h'], ['y'], { to: 1 })],
      inputs: [valueInfo('x', 'float16', [1, 2])],
      outputs: [valueInfo('y', 'float32', [1, 1])],
      initializers: [half('w', [2, 1], 0.1, 0.2)],
    });
    const session = await openTensorFlowSession(encodeModel(proto), tf);
    const { y } = await session.run({ x: new Tensor('float16', float32ToFloat16(Float32Array.of(3, 4)), [1, 2]) });
    expect(y!.data[0]).toBeCloseTo(1.1, 3);
    await session.release();
  });
});

describe('refuses by name', () => {
  const graph = (nodes: NodeProto[], initializers: TensorProto[] = [], opset = 17) =>
    encodeModel(model({ nodes, initializers, inputs: [valueInfo('x', 'float32', ['a', 'b'])], outputs: [valueInfo('y', 'float32', [])], opset }));

  it('an operator that it does not have', async () => {
    const before = tf.memory().numTensors;
    const swirl = graph([{ ...node('Swirl', ['x'], ['y']), name: 'router' }]);
    await expect(openTensorFlowSession(swirl, tf, { name: 'vision.onnx' })).rejects.toMatchObject({
      code: 'runtime-kernel-missing',
      message: 'The tensorflow runtime has no implementation of the operator Swirl (node "router") of vision.onnx.',
      hint: expect.stringContaining('runtime: onnxruntime') as string,
    });
    const foreign = graph([{ ...node('Relu', ['x'], ['y']), domain: 'com.microsoft' }]);
    await expect(openTensorFlowSession(foreign, tf)).rejects.toMatchObject({ message: expect.stringContaining('com.microsoft.Relu (node "y")') as string });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('a form of an operator that it does not have', async () => {
    const scales = tensorProto('scales', [2], Float32Array.of(2, 2));
    const session = await openTensorFlowSession(graph([node('Resize', ['x', '', 'scales'], ['y'], { antialias: 1, mode: 'linear' })], [scales], 18), tf);
    await expect(session.run({ x: mixed(2, 2) })).rejects.toMatchObject({
      code: 'runtime-kernel-missing',
      message: expect.stringContaining('Resize (node "y") of the model with antialias = 1') as string,
    });
    await session.release();
  });

  it('what does not fit the inputs', async () => {
    const session = await openTensorFlowSession(encodeModel(linear()), tf, { name: 'head.onnx' });
    await expect(session.run({})).rejects.toMatchObject({ code: 'runtime-input-mismatch', message: expect.stringContaining('nothing is fed to "x"') as string });
    await expect(session.run({ x: mixed(2) })).rejects.toMatchObject({ message: expect.stringContaining('"x" has 1 axes where the model takes 2') as string });
    await expect(session.run({ x: mixed(2, 3) })).rejects.toMatchObject({ message: expect.stringContaining('axis 1 of "x" has length 3 where the model takes 2') as string });
    await expect(session.run({ x: whole([1, 2], 1, 2) })).rejects.toMatchObject({ message: expect.stringContaining('"x" is int64 where the model takes float32') as string });
    await session.release();
  });

  it('a node whose inputs do not fit each other', async () => {
    const session = await openTensorFlowSession(graph([{ ...node('MatMul', ['x', 'x'], ['y']), name: 'square' }]), tf, { name: 'head.onnx' });
    await expect(session.run({ x: mixed(2, 3) })).rejects.toMatchObject({
      code: 'runtime-node-failed',
      message: expect.stringMatching(/^The node "square" \(MatMul\) of head\.onnx failed: .*inner shapes/) as string,
    });
    await session.release();
  });

  it('a damaged file', async () => {
    await expect(openTensorFlowSession(Uint8Array.of(1, 2, 3), tf, { name: 'vision.onnx' })).rejects.toMatchObject({ code: 'onnx-file-damaged' });
  });
});

/** Forms that the cases of autodiff leave out, because it has no rule for them or draws them never. */
const forms: readonly (readonly [op: string, feeds: readonly Tensor[], attributes?: Readonly<Record<string, AttributeValue>>, opset?: number, outputs?: number])[] = [
  ['Div', [whole([4], 7, -7, 7, -7), whole([4], 2, 2, -2, -2)]],
  ['Pow', [whole([3], 2, -3, 5), whole([], 3)]],
  ['Tan', [mixed(5)]],
  ['Round', [floats([5], 0.5, 1.5, 2.5, -0.5, -1.2)]],
  ['Sign', [floats([3], -2, 0, 5)]],
  ['Ceil', [mixed(5)]],
  ['IsNaN', [floats([3], 1, NaN, Infinity)]],
  ['LessOrEqual', [floats([3], 1, 2, 3), floats([1], 2)]],
  ['GreaterOrEqual', [floats([3], 1, 2, 3), floats([1], 2)]],
  ['ArgMax', [floats([2, 3], 1, 3, 3, 2, 0, 2)], { axis: 1 }],
  ['ArgMax', [floats([2, 3], 1, 3, 3, 2, 0, 2)], { axis: 1, keepdims: 0, select_last_index: 1 }],
  ['ArgMin', [mixed(2, 3, 2)], { axis: -2 }],
  ['ReduceProd', [mixed(2, 3)], { axes: [1] }],
  ['ReduceLogSum', [floats([2, 2], 1, 2, 3, 4)], { axes: [0], keepdims: 0 }],
  ['ReduceSum', [mixed(2, 3)], { noop_with_empty_axes: 1 }],
  ['CumSum', [mixed(2, 3), whole([], 1)]],
  ['CumSum', [mixed(2, 3), whole([], -2)], { exclusive: 1, reverse: 1 }],
  ['Shape', [mixed(2, 3, 4)], { start: 1, end: -1 }],
  ['Shape', [mixed(2, 3, 4)]],
  ['Size', [mixed(2, 3, 4)]],
  ['ConstantOfShape', [whole([2], 2, 3)], { value: tensorProto('', [1], BigInt64Array.of(7n)) }],
  ['ConstantOfShape', [whole([2], 2, 3)]],
  ['Reshape', [mixed(2, 3, 4), whole([3], 0, -1, 2)]],
  ['Squeeze', [mixed(1, 3, 1)]],
  ['Softmax', [mixed(2, 3, 4)], {}, 11],
  ['Slice', [mixed(4), whole([1], 3), whole([1], -1), whole([1], 0), whole([1], 1)]],
  ['Slice', [mixed(4), whole([1], 0), whole([1], 4), whole([1], 0), whole([1], -1)]],
  ['Pad', [mixed(2, 3), whole([4], 1, 2, 0, 1)], { mode: 'wrap' }, 19],
  ['Pad', [mixed(2, 3), whole([2], 1, 2), floats([], 5), whole([1], -1)], {}, 18],
  ['Split', [mixed(5, 2)], { num_outputs: 3 }, 18, 3],
  ['Einsum', [mixed(2, 3), mixed(3, 4), mixed(4, 2)], { equation: 'ij,jk,kl->li' }],
  ['MatMul', [mixed(2, 1, 3, 4), mixed(1, 5, 4, 2)]],
  ['AveragePool', [mixed(1, 2, 5, 6)], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 1], ceil_mode: 1, count_include_pad: 1 }, 19],
  ['AveragePool', [mixed(1, 2, 6, 6)], { kernel_shape: [2, 2], dilations: [2, 3], pads: [1, 1, 1, 1] }, 19],
  ['MaxPool', [mixed(2, 2, 4, 5, 3)], { kernel_shape: [2, 3, 2], strides: [2, 1, 1], pads: [0, 1, 1, 1, 1, 0] }, 17, 2],
  ['MaxPool', [mixed(2, 2, 6, 7)], { kernel_shape: [2, 3], dilations: [3, 2], ceil_mode: 1, strides: [2, 2] }, 17, 2],
  ['MaxPool', [mixed(2, 1, 7)], { kernel_shape: [3], strides: [2], auto_pad: 'SAME_LOWER' }, 17, 2],
  // A window that would start beyond the border.
  ['MaxPool', [mixed(3, 3, 2)], { kernel_shape: [1], strides: [3], ceil_mode: 1 }],
  ['Conv', [mixed(1, 4, 5, 6, 4), mixed(6, 2, 2, 3, 2)], { group: 2, strides: [1, 2, 1], pads: [1, 0, 1, 0, 1, 0] }],
  ['Conv', [mixed(2, 3, 9, 9), mixed(6, 1, 3, 3)], { group: 3, strides: [2, 1], dilations: [2, 2], pads: [2, 1, 0, 2] }],
  ['ConvTranspose', [mixed(2, 4, 3, 4), mixed(4, 1, 2, 3)], { group: 2, strides: [2, 3], output_padding: [1, 2], pads: [1, 0, 1, 1], dilations: [1, 2] }],
  ['ConvTranspose', [mixed(1, 2, 3, 2, 2), mixed(2, 3, 2, 2, 3)], { strides: [2, 1, 2] }],
  ['LpNormalization', [mixed(2, 3)], { axis: 1, p: 1 }],
  ['LayerNormalization', [mixed(2, 3, 4), mixed(4), mixed(4)], {}, 17, 3],
  ['Resize', [mixed(1, 1, 2, 3), floats([0]), floats([4], 1, 1, 2.5, 1.5)], { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }],
  ['Resize', [mixed(1, 1, 4, 3), floats([0]), floats([4], 1, 1, 0.25, 2)], { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' }],
  ['ScatterND', [mixed(3, 2), whole([2, 1], -1, 0), mixed(2, 2)]],
  ['GatherND', [mixed(2, 3, 2), whole([2, 2, 1], 0, -1, 2, 1)], { batch_dims: 1 }],
];

describe('computes like onnxruntime', () => {
  test.each(forms.map((form, index) => [`${form[0]} ${index}`, form] as const))('%s', async (_, [op, given, attributes = {}, opset = 17, outputs = 1]) => {
    const names = given.map((__, index) => `x${index}`);
    const ends = Array.from({ length: outputs }, (__, index) => `y${index}`);
    const proto = model({
      nodes: [node(op, names, ends, attributes)],
      inputs: names.map((name, index) => valueInfo(name, given[index]!.type as Dtype, given[index]!.dims)),
      outputs: ends.map((name) => ({ name })),
      opset,
    });
    await expectSame(proto, Object.fromEntries(names.map((name, index) => [name, given[index]!])), op);
  });

  test('logic, a Constant in each of its attributes, and a Cast to each type', async () => {
    const constants = [
      node('Constant', [], ['half'], { value_float: { float: 0.5 } }),
      node('Constant', [], ['ints'], { value_ints: [2, -1] }),
      node('Constant', [], ['row'], { value_floats: { floats: [1, -1] } }),
      node('Constant', [], ['one'], { value_int: 1 }),
      node('Constant', [], ['t'], { value: tensorProto('', [2], Float32Array.of(3, 4)) }),
    ];
    const proto = model({
      nodes: [
        ...constants,
        node('Reshape', ['x', 'ints'], ['rows']),
        node('Greater', ['rows', 'half'], ['a']),
        node('Less', ['rows', 't'], ['b']),
        node('And', ['a', 'b'], ['and']),
        node('Or', ['a', 'b'], ['or']),
        node('Xor', ['a', 'b'], ['xor']),
        node('Not', ['a'], ['not']),
        node('Cast', ['rows'], ['whole'], { to: 7 }),
        node('Mul', ['whole', 'one'], ['times']),
        node('Cast', ['rows'], ['truth'], { to: 9 }),
        node('Add', ['rows', 'row'], ['sum']),
      ],
      inputs: [valueInfo('x', 'float32', [4])],
      outputs: ['and', 'or', 'xor', 'not', 'times', 'truth', 'sum'].map((name) => ({ name })),
    });
    await expectSame(proto, { x: floats([4], 0, -1.7, 2.9, 0.6) }, 'logic');
  });

  test('a graph with a Dropout for training only', async () => {
    const proto = (training: boolean) =>
      model({
        nodes: [node('Dropout', ['x', '', 'training'], ['y', 'mask'])],
        inputs: [valueInfo('x', 'float32', [3])],
        outputs: [{ name: 'y' }, { name: 'mask' }],
        initializers: [tensorProto('training', [], Uint8Array.of(Number(training)), 'bool')],
      });
    await expectSame(proto(false), { x: mixed(3) }, 'Dropout');
    const session = await openTensorFlowSession(encodeModel(proto(true)), tf);
    await expect(session.run({ x: mixed(3) })).rejects.toMatchObject({ message: expect.stringContaining('Dropout (node "y") of the model with training_mode = true') as string });
    await session.release();
  });

  test('token ids given as int32', async () => {
    const proto = model({
      nodes: [node('Gather', ['table', 'ids'], ['y'])],
      inputs: [valueInfo('ids', 'int32', [3])],
      outputs: [valueInfo('y', 'float32', [3, 2])],
      initializers: [tensorProto('table', [3, 2], Float32Array.of(0, 1, 2, 3, 4, 5))],
    });
    const ids = { ids: new Tensor('int32', Int32Array.of(2, 0, -1), [3]) };
    const reference = await openSession(encodeModel(proto));
    const session = await openTensorFlowSession(encodeModel(proto), tf);
    expect(farthest((await reference.run(ids)).y!.data, (await session.run(ids)).y!.data)).toBe(0);
    await Promise.all([reference.release(), session.release()]);
  });
});
