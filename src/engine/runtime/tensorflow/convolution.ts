/**
 * Convolution over one to three spatial axes; one axis is two of which the first has size 1. TensorFlow has kernels for
 * whole and for depthwise convolutions; other groups run one by one. Not every backend takes dilation together with
 * a stride, or in a transposed convolution, so a dilated kernel is written out with its zeros: encoders hardly use any.
 */
import type { Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';
import { product, type Operation, type Operators, type TensorFlow, type TfTensor } from './operation';
import { channelsFirst, channelsLast, windowOf } from './window';

export const convolution: Operators = { Conv: conv, ConvTranspose: convTranspose };

type Pair = [number, number];
type Triple = [number, number, number];

/** x [n, c, …], weight [m, c / group, …kernel], bias [m]. */
function conv(op: Operation): TfTensor {
  const { tf, x, inputs } = op;
  const window = windowOf(op, inputs[1]!.shape.slice(2), x.shape.slice(2));
  const { image, kernel, strides, perAxis } = planes(op, dilated(tf, inputs[1]!, window.dilations), window.strides);
  const ends = perAxis(window.ends);
  const pads: Pair[] = [[0, 0], ...perAxis(window.begins).map((begin, axis): Pair => [begin, ends[axis]!]), [0, 0]];
  const from = channelsLast(tf, image);
  if (depthwise(kernel, strides)) return finished(op, depthwiseConv(tf, from, kernel, strides, pads), window.output);
  const y = grouped(tf, from, kernel, op.int('group', 1), (part, weight) => wholeConv(tf, part, weight, strides, pads));
  return finished(op, y, window.output);
}

function wholeConv(tf: TensorFlow, x: TfTensor, kernel: TfTensor, strides: readonly number[], pads: Pair[]): TfTensor {
  const last = [...kernel.shape.keys()].slice(2);
  const filter = tf.transpose(kernel, [...last, 1, 0]);
  if (strides.length === 3) return tf.conv3d(tf.pad(x, pads) as Tensor5D, filter as Tensor5D, strides as Triple, 'valid');
  return tf.conv2d(x as Tensor4D, filter as Tensor4D, strides as Pair, pads as [Pair, Pair, Pair, Pair]);
}

function depthwiseConv(tf: TensorFlow, x: TfTensor, kernel: TfTensor, strides: readonly number[], pads: Pair[]): TfTensor {
  return tf.depthwiseConv2d(x as Tensor4D, depthwiseFilter(tf, kernel, x.shape.at(-1)!), strides as Pair, pads as [Pair, Pair, Pair, Pair]);
}

/** x [n, c, …], weight [c, m / group, …kernel], bias [m]: the adjoint of a convolution without border, whose border is then cut off. */
function convTranspose(op: Operation): TfTensor {
  const { tf, x, inputs } = op;
  if (op.ints('output_shape')) throw op.unsupported('output_shape');
  const auto = op.text('auto_pad', 'NOTSET');
  if (auto.startsWith('SAME')) throw op.unsupported(`auto_pad = ${auto}`);
  const rank = x.rank - 2;
  const all = (value: number) => Array.from({ length: rank }, () => value);
  const pads = (auto === 'NOTSET' ? op.ints('pads') : undefined) ?? [...all(0), ...all(0)];
  const weight = dilated(tf, inputs[1]!, op.ints('dilations') ?? all(1));
  const { image, kernel, strides, perAxis } = planes(op, weight, op.ints('strides') ?? all(1));
  const [begins, ends] = [perAxis(pads.slice(0, rank)), perAxis(pads.slice(rank))];
  const extra = perAxis(op.ints('output_padding') ?? all(0));

  const full = strides.map((stride, axis) => (image.shape[axis + 2]! - 1) * stride + kernel.shape[axis + 2]!);
  const from = channelsLast(tf, image);
  const group = op.int('group', 1);
  const whole = depthwise(kernel, strides)
    ? depthwiseTranspose(tf, from, kernel, strides, full, group)
    : grouped(tf, from, kernel, group, (part, own) => wholeTranspose(tf, part, own, strides, full));
  // Values beyond the last window are zeros.
  const room = tf.pad(whole, [[0, 0], ...extra.map((size): Pair => [0, size]), [0, 0]]);
  const output = begins.map((begin, axis) => room.shape[axis + 1]! - begin - ends[axis]!);
  return finished(op, tf.slice(room, [0, ...begins, 0], [room.shape[0]!, ...output, room.shape.at(-1)!]), output.slice(-rank));
}

function wholeTranspose(tf: TensorFlow, x: TfTensor, kernel: TfTensor, strides: readonly number[], full: readonly number[]): TfTensor {
  const last = [...kernel.shape.keys()].slice(2);
  const filter = tf.transpose(kernel, [...last, 1, 0]);
  const dims = [x.shape[0]!, ...full, kernel.shape[1]!];
  if (strides.length === 3) return tf.conv3dTranspose(x as Tensor5D, filter as Tensor5D, dims as Tensor5D['shape'], strides as Triple, 'valid');
  return tf.conv2dTranspose(x as Tensor4D, filter as Tensor4D, dims as Tensor4D['shape'], strides as Pair, 'valid');
}

/** TensorFlow.js has the kernel, as the gradient of depthwiseConv2d, but no function that calls it. */
function depthwiseTranspose(tf: TensorFlow, x: TfTensor, kernel: TfTensor, strides: readonly number[], full: readonly number[], channels: number) {
  const attributes = { strides: [...strides], pad: 'valid', dilations: [1, 1], inputShape: [x.shape[0]!, ...full, channels] };
  const inputs = { dy: x, filter: depthwiseFilter(tf, kernel, channels) };
  return tf.engine().runKernel<TfTensor>('DepthwiseConv2dNativeBackpropInput', inputs, attributes);
}

/** One input channel a kernel. TensorFlow's depthwise kernels take one stride for both axes. */
function depthwise(kernel: TfTensor, strides: readonly number[]): boolean {
  return kernel.shape[1] === 1 && strides.length === 2 && strides[0] === strides[1];
}

/** [channels · multiplier, 1, h, w] -> [h, w, channels, multiplier]. */
function depthwiseFilter(tf: TensorFlow, kernel: TfTensor, channels: number): Tensor4D {
  const [rows, , h, w] = kernel.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(kernel, [2, 3, 0, 1]), [h, w, channels, rows / channels]);
}

/** Runs each group by itself: x [n, …, c] is cut along its channels, the kernel along its first axis. */
function grouped(tf: TensorFlow, x: TfTensor, kernel: TfTensor, group: number, compute: (x: TfTensor, kernel: TfTensor) => TfTensor): TfTensor {
  if (group === 1) return compute(x, kernel);
  const kernels = tf.split(kernel, group, 0);
  const parts = tf.split(x, group, x.rank - 1).map((part, index) => compute(part, kernels[index]!));
  return tf.concat(parts, x.rank - 1);
}

interface Planes {
  readonly image: TfTensor;
  readonly kernel: TfTensor;
  readonly strides: readonly number[];
  /** Sizes of borders, one a spatial axis of the node, as one a spatial axis here. */
  perAxis(sizes: readonly number[]): number[];
}

/** The image and the kernel with two or three spatial axes, as TensorFlow wants them. */
function planes(op: Operation, kernel: TfTensor, strides: readonly number[]): Planes {
  const { tf, x } = op;
  if (strides.length > 3) throw op.unsupported(`${strides.length} spatial axes`);
  if (strides.length > 1) return { image: x, kernel, strides, perAxis: (sizes) => [...sizes] };
  const lifted = (value: TfTensor) => tf.reshape(value, [value.shape[0]!, value.shape[1]!, 1, value.shape[2]!]);
  return { image: lifted(x), kernel: lifted(kernel), strides: [strides[0]!, strides[0]!], perAxis: (sizes) => [0, ...sizes] };
}

/** Puts dilation - 1 zeros between the values of a kernel [m, c, …], axis by axis. */
function dilated(tf: TensorFlow, kernel: TfTensor, dilations: readonly number[]): TfTensor {
  return dilations.reduce((value, dilation, index) => {
    if (dilation === 1) return value;
    const axis = index + 2;
    const size = value.shape[axis]!;
    const [before, after] = [product(value.shape.slice(0, axis)), product(value.shape.slice(axis + 1))];
    const apart = tf.pad(tf.reshape(value, [before, size, 1, after]), [[0, 0], [0, 0], [0, dilation - 1], [0, 0]]);
    const spaced = tf.reshape(apart, [before, size * dilation, after]);
    const length = (size - 1) * dilation + 1;
    return tf.reshape(tf.slice(spaced, [0, 0, 0], [before, length, after]), value.shape.with(axis, length));
  }, kernel);
}

/** Adds the bias; back to [n, m, …output]. */
function finished({ tf, inputs }: Operation, y: TfTensor, output: readonly number[]): TfTensor {
  const bias = inputs[2];
  const biased = channelsFirst(tf, bias ? tf.add(y, bias) : y);
  return tf.reshape(biased, [biased.shape[0]!, biased.shape[1]!, ...output]);
}
