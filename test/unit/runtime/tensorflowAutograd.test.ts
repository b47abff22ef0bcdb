import type { Tensor as TfTensor, Tensor2D, Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { gradientName } from '../../../src/engine/autodiff/differentiate';
import { rules } from '../../../src/engine/autodiff/rules';
import { encodeModel } from '../../../src/engine/onnx/model';
import { readTensor } from '../../../src/engine/onnx/tensor';
import { openSession } from '../../../src/engine/runtime/session';
import { tf } from '../../fixtures/tensorflow';
// After the above: what registers the gradients comes with a copy of the core, which must not be the first.
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import type { Operand, OperatorCase } from '../autodiff/gradientCheck';
import { caseGraphs, farthest } from './tensorflowGraphs';

/** What TensorFlow.js computes, and differentiates by its own rules, from the floating inputs of the operator. */
type Compute = (...x: TfTensor[]) => TfTensor | TfTensor[];
type Comparison = OperatorCase & { readonly compute: Compute };

const shaped = (...dims: number[]): Operand => ({ dims });
const positive = (...dims: number[]): Operand => ({ dims, range: [0.3, 2] });
const spread = (...dims: number[]): Operand => ({ dims, spread: true });
const ints = (...values: number[]): Operand => ({ dims: [values.length], ints: values });
/** The order of axes in ONNX is [n, c, h, w], in TensorFlow.js [n, h, w, c]. */
const nhwc = (x: TfTensor) => tf.transpose(x, [0, 2, 3, 1]) as Tensor4D;
const nchw = (x: TfTensor) => tf.transpose(x, [0, 3, 1, 2]);
/** [out, in, h, w] -> [h, w, in, out]. */
const filter = (w: TfTensor) => tf.transpose(w, [2, 3, 1, 0]) as Tensor4D;

const comparisons: readonly Comparison[] = [
  { op: 'Sum', inputs: [shaped(2, 3), shaped(2, 3), shaped(2, 3)], compute: (...x) => tf.addN(x) },
  { op: 'Add', inputs: [shaped(2, 3), shaped(3)], compute: (a, b) => tf.add(a!, b!) },
  { op: 'Sub', inputs: [shaped(2, 1, 3), shaped(4, 1)], compute: (a, b) => tf.sub(a!, b!) },
  { op: 'Mul', inputs: [shaped(2, 3), shaped(2, 1)], compute: (a, b) => tf.mul(a!, b!) },
  { op: 'Div', inputs: [shaped(2, 3), positive(3)], compute: (a, b) => tf.div(a!, b!) },
  { op: 'Pow', inputs: [positive(2, 3), shaped(3)], compute: (a, b) => tf.pow(a!, b!) },
  { op: 'Min', inputs: [shaped(2, 3), shaped(2, 3)], compute: (a, b) => tf.minimum(a!, b!) },
  { op: 'Max', inputs: [shaped(2, 3), shaped(2, 3)], compute: (a, b) => tf.maximum(a!, b!) },
  { op: 'Neg', inputs: [shaped(5)], compute: (x) => tf.neg(x!) },
  { op: 'Abs', inputs: [shaped(5)], compute: (x) => tf.abs(x!) },
  { op: 'Reciprocal', inputs: [positive(5)], compute: (x) => tf.reciprocal(x!) },
  { op: 'Sqrt', inputs: [positive(5)], compute: (x) => tf.sqrt(x!) },
  { op: 'Exp', inputs: [shaped(5)], compute: (x) => tf.exp(x!) },
  { op: 'Log', inputs: [positive(5)], compute: (x) => tf.log(x!) },
  { op: 'Sin', inputs: [shaped(5)], compute: (x) => tf.sin(x!) },
  { op: 'Cos', inputs: [shaped(5)], compute: (x) => tf.cos(x!) },
  { op: 'Tan', inputs: [{ dims: [5], range: [-1, 1] }], compute: (x) => tf.tan(x!) },
  { op: 'Atan', inputs: [shaped(5)], compute: (x) => tf.atan(x!) },
  { op: 'Erf', inputs: [shaped(5)], compute: (x) => tf.erf(x!) },
  { op: 'Clip', inputs: [shaped(3, 4), { dims: [], floats: [-0.7] }, { dims: [], floats: [0.9] }], compute: (x) => tf.clipByValue(x!, -0.7, 0.9) },
  {
    op: 'Where', inputs: [{ dims: [2, 2], bools: [true, false, false, true] }, shaped(2, 2), shaped(2, 2)],
    compute: (a, b) => tf.where(tf.tensor2d([[1, 0], [0, 1]], [2, 2], 'bool'), a!, b!),
  },
  { op: 'Relu', inputs: [spread(3, 4)], compute: (x) => tf.relu(x!) },
  { op: 'LeakyRelu', inputs: [spread(3, 4)], attributes: { alpha: 0.3 }, compute: (x) => tf.leakyRelu(x!, 0.3) },
  { op: 'PRelu', inputs: [spread(2, 3, 4), shaped(3, 1)], compute: (x, a) => tf.prelu(x!, a!) },
  { op: 'Elu', inputs: [spread(3, 4)], compute: (x) => tf.elu(x!) },
  { op: 'Selu', inputs: [spread(3, 4)], compute: (x) => tf.selu(x!) },
  {
    op: 'Celu', inputs: [spread(3, 4)], attributes: { alpha: 0.7 },
    compute: (x) => tf.add(tf.relu(x!), tf.mul(tf.expm1(tf.div(tf.minimum(x!, tf.zerosLike(x!)), 0.7)), 0.7)),
  },
  { op: 'Swish', inputs: [shaped(3, 4)], attributes: { alpha: 1.3 }, opset: 24, compute: (x) => tf.mul(x!, tf.sigmoid(tf.mul(x!, 1.3))) },
  { op: 'Mish', inputs: [shaped(3, 4)], opset: 18, compute: (x) => tf.mul(x!, tf.tanh(tf.softplus(x!))) },
  { op: 'Sigmoid', inputs: [shaped(3, 4)], compute: (x) => tf.sigmoid(x!) },
  { op: 'Tanh', inputs: [shaped(3, 4)], compute: (x) => tf.tanh(x!) },
  { op: 'Softplus', inputs: [shaped(3, 4)], compute: (x) => tf.softplus(x!) },
  { op: 'Softsign', inputs: [spread(3, 4)], compute: (x) => tf.div(x!, tf.add(tf.abs(x!), 1)) },
  {
    op: 'HardSigmoid', inputs: [{ dims: [4, 4], range: [-5, 5] }], attributes: { alpha: 1 / 6 },
    compute: (x) => tf.clipByValue(tf.add(tf.div(x!, 6), 0.5), 0, 1),
  },
  { op: 'HardSwish', inputs: [{ dims: [4, 4], range: [-5, 5] }], compute: (x) => tf.mul(x!, tf.clipByValue(tf.add(tf.div(x!, 6), 0.5), 0, 1)) },
  { op: 'Gelu', inputs: [shaped(3, 4)], opset: 20, compute: (x) => tf.mul(tf.mul(x!, 0.5), tf.add(tf.erf(tf.div(x!, Math.SQRT2)), 1)) },
  { op: 'Softmax', inputs: [shaped(2, 3, 4)], compute: (x) => tf.softmax(x!) },
  { op: 'LogSoftmax', inputs: [shaped(2, 3, 4)], compute: (x) => tf.logSoftmax(x!) },
  { op: 'ReduceSum', inputs: [shaped(2, 3, 4), ints(0, 2)], attributes: { keepdims: 0 }, compute: (x) => tf.sum(x!, [0, 2]) },
  { op: 'ReduceMean', inputs: [shaped(2, 3, 4)], attributes: { axes: [1] }, compute: (x) => tf.mean(x!, 1, true) },
  { op: 'ReduceMax', inputs: [spread(2, 3, 4)], attributes: { axes: [-1], keepdims: 0 }, compute: (x) => tf.max(x!, -1) },
  { op: 'ReduceMin', inputs: [spread(2, 3, 4)], attributes: { axes: [-1], keepdims: 0 }, compute: (x) => tf.min(x!, -1) },
  { op: 'ReduceProd', inputs: [shaped(2, 3)], attributes: { axes: [1] }, compute: (x) => tf.split(x!, 3, 1).reduce((a, b) => tf.mul(a, b)) },
  { op: 'ReduceLogSum', inputs: [positive(2, 3)], attributes: { axes: [1] }, compute: (x) => tf.log(tf.sum(x!, 1, true)) },
  { op: 'ReduceL1', inputs: [spread(2, 3)], attributes: { axes: [1] }, compute: (x) => tf.sum(tf.abs(x!), 1, true) },
  { op: 'ReduceSumSquare', inputs: [shaped(2, 3)], attributes: { axes: [0] }, compute: (x) => tf.sum(tf.square(x!), 0, true) },
  { op: 'ReduceL2', inputs: [positive(2, 3)], attributes: { axes: [1] }, compute: (x) => tf.euclideanNorm(x!, 1, true) },
  { op: 'ReduceLogSumExp', inputs: [shaped(2, 3)], attributes: { axes: [1] }, compute: (x) => tf.logSumExp(x!, 1, true) },
  { op: 'MatMul', inputs: [shaped(2, 3, 4), shaped(2, 4, 5)], compute: (a, b) => tf.matMul(a!, b!) },
  {
    op: 'Gemm', inputs: [shaped(4, 3), shaped(5, 4), shaped(5)], attributes: { transA: 1, transB: 1 },
    compute: (a, b, c) => tf.add(tf.matMul(a!, b!, true, true), c!),
  },
  {
    op: 'Attention', inputs: [shaped(2, 2, 3, 4), shaped(2, 2, 5, 4), shaped(2, 2, 5, 3)], opset: 23,
    compute: (q, k, v) => tf.matMul(tf.softmax(tf.div(tf.matMul(q!, k!, false, true), 2)), v!),
  },
  {
    op: 'Einsum', inputs: [shaped(2, 2, 3, 4), shaped(2, 2, 5, 4)], attributes: { equation: 'bhid,bhjd->bhij' },
    compute: (a, b) => tf.matMul(a!, b!, false, true),
  },
  { op: 'Conv', inputs: [shaped(2, 3, 6, 5), shaped(4, 3, 3, 2)], compute: (x, w) => nchw(tf.conv2d(nhwc(x!), filter(w!), 1, 'valid')) },
  {
    op: 'Conv', inputs: [shaped(2, 3, 7, 7), shaped(4, 3, 3, 3), shaped(4)], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
    compute: (x, w, b) => nchw(tf.add(tf.conv2d(nhwc(tf.pad(x!, [[0, 0], [0, 0], [1, 1], [1, 1]])), filter(w!), 2, 'valid'), b!)),
  },
  {
    op: 'Conv', inputs: [shaped(2, 3, 6, 6), shaped(3, 1, 3, 3)], attributes: { group: 3 }, lowering: 'webgpu',
    compute: (x, w) => nchw(tf.depthwiseConv2d(nhwc(x!), tf.transpose(w!, [2, 3, 0, 1]) as Tensor4D, 1, 'valid')),
  },
  {
    op: 'Conv', inputs: [shaped(1, 2, 3, 4, 4), shaped(3, 2, 2, 2, 2)],
    compute: (x, w) => {
      const [volume, kernel] = [tf.transpose(x!, [0, 2, 3, 4, 1]) as Tensor5D, tf.transpose(w!, [2, 3, 4, 1, 0]) as Tensor5D];
      return tf.transpose(tf.conv3d(volume, kernel, 1, 'valid'), [0, 4, 1, 2, 3]);
    },
  },
  {
    op: 'ConvTranspose', inputs: [shaped(2, 3, 3, 3), shaped(3, 2, 3, 3)], attributes: { strides: [2, 2] },
    compute: (x, w) => nchw(tf.conv2dTranspose(nhwc(x!), filter(w!), [2, 7, 7, 2], 2, 'valid')),
  },
  {
    op: 'BatchNormalization', inputs: [shaped(2, 3, 2, 2), shaped(3), shaped(3), shaped(3), positive(3)], attributes: { epsilon: 0.01 },
    compute: (x, scale, bias, mean, variance) => nchw(tf.batchNorm(nhwc(x!), mean as never, variance as never, bias as never, scale as never, 0.01)),
  },
  {
    op: 'LayerNormalization', inputs: [shaped(4, 6), shaped(6), shaped(6)], attributes: { epsilon: 0.01 },
    compute: (x, scale, bias) => tf.add(tf.mul(normalised(x!, [1]), scale!), bias!),
  },
  {
    op: 'RMSNormalization', inputs: [shaped(2, 5), shaped(5)], attributes: { epsilon: 0.01 }, opset: 23,
    compute: (x, scale) => tf.mul(tf.mul(x!, tf.rsqrt(tf.add(tf.mean(tf.square(x!), 1, true), 0.01))), scale!),
  },
  {
    op: 'InstanceNormalization', inputs: [shaped(2, 3, 2, 2), shaped(3), shaped(3)], attributes: { epsilon: 0.01 },
    compute: (x, scale, bias) => nchw(tf.add(tf.mul(nhwc(normalised(x!, [2, 3])), scale!), bias!)),
  },
  {
    op: 'GroupNormalization', inputs: [shaped(2, 4, 3), shaped(4), shaped(4)], attributes: { num_groups: 2, epsilon: 0.01 }, opset: 21,
    compute: (x, scale, bias) => {
      const groups = tf.reshape(normalised(tf.reshape(x!, [2, 2, 6]), [2]), [2, 4, 3]);
      return tf.add(tf.mul(groups, tf.reshape(scale!, [4, 1])), tf.reshape(bias!, [4, 1]));
    },
  },
  { op: 'LpNormalization', inputs: [positive(2, 3)], attributes: { axis: 1 }, compute: (x) => tf.div(x!, tf.sqrt(tf.sum(tf.square(x!), 1, true))) },
  { op: 'GlobalMaxPool', inputs: [spread(2, 3, 3, 3)], compute: (x) => tf.max(x!, [2, 3], true) },
  {
    op: 'MaxPool', inputs: [spread(2, 2, 6, 6)], attributes: { kernel_shape: [3, 3], strides: [2, 2] },
    compute: (x) => nchw(tf.maxPool(nhwc(x!), 3, 2, 'valid')),
  },
  {
    op: 'MaxPool', inputs: [spread(2, 2, 5, 5)], attributes: { kernel_shape: [2, 2] }, lowering: 'webgpu',
    compute: (x) => nchw(tf.maxPool(nhwc(x!), 2, 1, 'valid')),
  },
  {
    op: 'AveragePool', inputs: [shaped(2, 2, 6, 6)], attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    compute: (x) => nchw(tf.avgPool(nhwc(x!), 2, 2, 'valid')),
  },
  { op: 'GlobalAveragePool', inputs: [shaped(2, 3, 4, 4)], compute: (x) => tf.mean(x!, [2, 3], true) },
  {
    op: 'Resize', inputs: [shaped(1, 2, 3, 3), undefined, undefined, ints(1, 2, 6, 7)], attributes: { mode: 'linear', coordinate_transformation_mode: 'asymmetric' },
    compute: (x) => nchw(tf.image.resizeBilinear(nhwc(x!), [6, 7])),
  },
  {
    op: 'Resize', inputs: [shaped(1, 2, 3, 3), undefined, undefined, ints(1, 2, 5, 7)], attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    compute: (x) => nchw(tf.image.resizeBilinear(nhwc(x!), [5, 7], true)),
  },
  {
    op: 'Resize', inputs: [shaped(1, 2, 3, 4), undefined, undefined, ints(1, 2, 6, 8)], attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    compute: (x) => nchw(tf.image.resizeNearestNeighbor(nhwc(x!), [6, 8])),
  },
  { op: 'Reshape', inputs: [shaped(2, 6), ints(3, 4)], compute: (x) => tf.reshape(x!, [3, 4]) },
  { op: 'Flatten', inputs: [shaped(2, 3, 2)], compute: (x) => tf.reshape(x!, [2, 6]) },
  { op: 'Squeeze', inputs: [shaped(2, 1, 3), ints(1)], compute: (x) => tf.squeeze(x!, [1]) },
  { op: 'Unsqueeze', inputs: [shaped(2, 3), ints(1)], compute: (x) => tf.expandDims(x!, 1) },
  { op: 'Identity', inputs: [shaped(2, 3)], compute: (x) => tf.clone(x!) },
  { op: 'Split', inputs: [shaped(2, 6), ints(1, 2, 3)], attributes: { axis: 1 }, outputs: 3, compute: (x) => tf.split(x!, [1, 2, 3], 1) },
  { op: 'Transpose', inputs: [shaped(2, 3, 4)], attributes: { perm: [2, 0, 1] }, compute: (x) => tf.transpose(x!, [2, 0, 1]) },
  { op: 'Expand', inputs: [shaped(2, 1, 3), ints(2, 4, 3)], compute: (x) => tf.broadcastTo(x!, [2, 4, 3]) },
  { op: 'Tile', inputs: [shaped(2, 3), ints(2, 3)], compute: (x) => tf.tile(x!, [2, 3]) },
  { op: 'Concat', inputs: [shaped(2, 3), shaped(2, 1)], attributes: { axis: 1 }, compute: (a, b) => tf.concat([a!, b!], 1) },
  { op: 'Slice', inputs: [shaped(4, 5), ints(1, 2), ints(3, 5)], compute: (x) => tf.slice(x!, [1, 2], [2, 3]) },
  { op: 'Pad', inputs: [shaped(2, 3), ints(1, 0, 2, 1)], compute: (x) => tf.pad(x!, [[1, 2], [0, 1]]) },
  { op: 'CumSum', inputs: [shaped(2, 3), { dims: [], ints: [1] }], attributes: { exclusive: 1 }, compute: (x) => tf.cumsum(x!, 1, true) },
  { op: 'Trilu', inputs: [shaped(2, 3, 3)], attributes: { upper: 0 }, compute: (x) => tf.mul(x!, tf.tensor2d([[1, 0, 0], [1, 1, 0], [1, 1, 1]])) },
  { op: 'Gather', inputs: [shaped(4, 3), ints(2, 0, 2)], attributes: { axis: 0 }, compute: (x) => tf.gather(x!, tf.tensor1d([2, 0, 2], 'int32')) },
  { op: 'Gather', inputs: [shaped(3, 4), ints(3, 0, 1)], attributes: { axis: 1 }, compute: (x) => tf.gather(x!, tf.tensor1d([3, 0, 1], 'int32'), 1) },
  { op: 'CastLike', inputs: [shaped(3), { dims: [1], floats: [0] }], compute: (x) => tf.cast(x as Tensor2D, 'float32') },
  { op: 'Cast', inputs: [shaped(3)], attributes: { to: 1 }, compute: (x) => tf.cast(x as Tensor2D, 'float32') },
];

function normalised(x: TfTensor, axes: number[]): TfTensor {
  const { mean, variance } = tf.moments(x, axes, true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 0.01)));
}

/** TensorFlow.js has no gradient of what picks or places single values, nor of depthToSpace; Dropout is the identity here. */
const withoutGradient = ['Dropout', 'GatherElements', 'GatherND', 'TopK', 'ScatterElements', 'ScatterND', 'DepthToSpace', 'SpaceToDepth'];

describe("the gradient graphs on onnxruntime agree with TensorFlow.js's own differentiation", () => {
  test('of every operator that it differentiates', () => {
    const compared = new Set(comparisons.map(({ op }) => op));
    expect(Object.keys(rules).filter((op) => !compared.has(op)).sort()).toEqual([...withoutGradient].sort());
  });

  test.each(comparisons.map((each, index) => [`${each.op} ${index}`, each] as const))('%s', async (_, { compute, ...graph }) => {
    const { backward, feeds } = await caseGraphs(graph);
    const session = await openSession(encodeModel(backward));
    const results = await session.run(Object.fromEntries(session.inputs.map(({ name }) => [name, feeds[name]!])));
    await session.release();
    const names = Object.keys(feeds);
    // The loss of the graph is Σ w·y.
    const weight = (index: number) => readTensor(backward.graph.initializer.find(({ name }) => name === `w${index}`)!).data as Float32Array;
    const loss = (...x: TfTensor[]) => {
      const parts = [compute(...x)].flat().map((y, index) => tf.sum(tf.mul(y, tf.tensor(weight(index), y.shape))));
      return tf.addN(parts);
    };
    const gradients = tf.tidy(() => {
      const x = names.map((name) => tf.tensor(feeds[name]!.data as Float32Array, [...feeds[name]!.dims]));
      return tf.grads(loss)(x).map((gradient) => gradient.dataSync());
    });
    names.forEach((name, index) => {
      expect(farthest(gradients[index] as Float32Array, results[gradientName(name)]!.data), name).toBeLessThan(1e-4);
    });
  });
});
