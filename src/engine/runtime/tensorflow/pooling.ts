/**
 * Pooling. TensorFlow pools planes without a border and without dilation, so borders are padded beforehand; what else ONNX
 * knows (other ranks, dilation, the places of the maxima) goes through the values under each window.
 */
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { product, rowMajorStrides, type Operation, type Operators, type TensorFlow, type TfTensor } from './operation';
import { bordered, channelsFirst, channelsLast, windowOf, windowValues, type Window } from './window';

export const pooling: Operators = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: ({ tf, x }) => tf.mean(x, [...x.shape.keys()].slice(2), true),
  GlobalMaxPool: ({ tf, x }) => tf.max(x, [...x.shape.keys()].slice(2), true),
};

function maxPool(op: Operation): TfTensor[] {
  const { tf, x } = op;
  const window = windowOf(op, op.ints('kernel_shape')!, x.shape.slice(2));
  if (!op.wanted[1] && planar(window)) return [poolPlanes(tf, x, window, 'maxPool', -Infinity)];
  if (op.int('storage_order', 0) === 1) throw op.unsupported('storage_order = 1');
  const values = windowValues(tf, x, window, -Infinity);
  return [tf.max(values, -1), ...(op.wanted[1] ? [places(tf, x.shape, window, tf.argMax(values, -1))] : [])];
}

/** Place of each maximum in the whole of x, from its place in its window. */
function places(tf: TensorFlow, dims: readonly number[], { kernel, strides, dilations, begins, output }: Window, inWindow: TfTensor): TfTensor {
  const steps = rowMajorStrides(dims);
  const windowSteps = rowMajorStrides(kernel);
  // Where the windows start, axis by axis.
  const starts = steps.map((step, axis) => {
    const [size, stride, begin] = axis < 2 ? [dims[axis]!, 1, 0] : [output[axis - 2]!, strides[axis - 2]!, begins[axis - 2]!];
    const values = Int32Array.from({ length: size }, (_, at) => (at * stride - begin) * step);
    return tf.tensor(values, dims.map((_, index) => (index === axis ? size : 1)), 'int32');
  });
  let rest = inWindow;
  const inside = kernel.map((_, axis) => {
    const size = tf.scalar(windowSteps[axis]!, 'int32');
    const at = tf.floorDiv(rest, size);
    rest = tf.sub(rest, tf.mul(at, size));
    return tf.mul(at, tf.scalar(dilations[axis]! * steps[axis + 2]!, 'int32'));
  });
  return [...starts, ...inside].reduce((sum, part) => tf.add(sum, part));
}

function averagePool(op: Operation): TfTensor {
  const { tf, x } = op;
  const input = x.shape.slice(2);
  const window = windowOf(op, op.ints('kernel_shape')!, input);
  const mean = planar(window) ? poolPlanes(tf, x, window, 'avgPool', 0) : tf.mean(windowValues(tf, x, window, 0), -1);
  const share = counts(op, window, input).map((count) => product(window.kernel) / count);
  return share.every((factor) => factor === 1) ? mean : tf.mul(mean, tf.tensor(share, [1, 1, ...window.output]));
}

/** Values each window averages over: those inside, and with count_include_pad those of the border that the node asks for. */
function counts(op: Operation, { kernel, strides, dilations, begins, ends, output }: Window, input: readonly number[]): Float32Array {
  const withBorder = op.int('count_include_pad', 0) === 1;
  // With ceil_mode the last window may reach beyond the border, which never counts.
  const told = (axis: number) => (op.text('auto_pad', 'NOTSET') === 'NOTSET' ? (op.ints('pads')?.[axis + kernel.length] ?? 0) : ends[axis]!);
  const perAxis = output.map((size, axis) => {
    const [low, high] = withBorder ? [-begins[axis]!, input[axis]! + told(axis)] : [0, input[axis]!];
    return Array.from({ length: size }, (_, place) => {
      const start = place * strides[axis]! - begins[axis]!;
      return Array.from({ length: kernel[axis]! }, (__, at) => start + at * dilations[axis]!).filter((at) => at >= low && at < high).length;
    });
  });
  return Float32Array.from(perAxis.reduce((all, sizes) => all.flatMap((count) => sizes.map((size) => count * size)), [1]));
}

function planar({ kernel, dilations }: Window): boolean {
  return kernel.length <= 2 && dilations.every((dilation) => dilation === 1);
}

function poolPlanes(tf: TensorFlow, x: TfTensor, window: Window, pool: 'maxPool' | 'avgPool', border: number): TfTensor {
  const { kernel, strides, output } = window;
  const padded = bordered(tf, x, window, border);
  const [n, c] = x.shape as [number, number];
  const lead = kernel.length === 1 ? [1] : [];
  const plane = channelsLast(tf, tf.reshape(padded, [n, c, ...lead, ...padded.shape.slice(2)])) as Tensor4D;
  const pooled = tf[pool](plane, [...lead, ...kernel] as [number, number], [...lead, ...strides] as [number, number], 'valid');
  return tf.reshape(channelsFirst(tf, pooled), [n, c, ...output]);
}
