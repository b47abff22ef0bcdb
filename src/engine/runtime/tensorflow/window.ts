/** Sliding windows, as convolution and pooling share them. */
import type { Operation, TensorFlow, TfTensor } from './operation';

/** Per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  readonly output: readonly number[];
}

/** The window of a node over [n, c, …input]; with `ceil_mode` the border at the end is as wide as the last window needs. */
export function windowOf(op: Operation, kernel: readonly number[], input: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = op.ints('strides') ?? ones;
  const dilations = op.ints('dilations') ?? ones;
  const pads = op.ints('pads') ?? [...ones, ...ones].map(() => 0);
  const auto = op.text('auto_pad', 'NOTSET');
  const round = op.int('ceil_mode', 0) === 1 ? Math.ceil : Math.floor;
  const axes = kernel.map((size, axis) => {
    const stride = strides[axis]!;
    const reach = (size - 1) * dilations[axis]! + 1;
    const length = input[axis]!;
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const output = Math.ceil(length / stride);
      const total = Math.max(0, (output - 1) * stride + reach - length);
      const begin = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      return { begin, end: total - begin, output };
    }
    const [begin, end] = auto === 'VALID' ? [0, 0] : [pads[axis]!, pads[axis + kernel.length]!];
    const steps = round((length + begin + end - reach) / stride);
    // The last window has to start before the border at the end.
    const output = steps * stride >= length + begin ? steps : steps + 1;
    return { begin, end: Math.max(end, (output - 1) * stride + reach - length - begin), output };
  });
  const all = (key: 'begin' | 'end' | 'output') => axes.map((axis) => axis[key]);
  return { kernel, strides, dilations, begins: all('begin'), ends: all('end'), output: all('output') };
}

/** x [n, c, …] with the window's border around it, of one value. */
export function bordered(tf: TensorFlow, x: TfTensor, { begins, ends }: Window, value: number): TfTensor {
  return tf.pad(x, [[0, 0], [0, 0], ...begins.map((begin, axis): [number, number] => [begin, ends[axis]!])], value);
}

/** Values under each window: [n, c, …output, places in the window], in row-major order of the places; `border` lies around x. */
export function windowValues(tf: TensorFlow, x: TfTensor, window: Window, border: number): TfTensor {
  const { kernel, strides, dilations, output } = window;
  const padded = bordered(tf, x, window, border);
  const [n, c] = x.shape as [number, number];
  const each = (size: number) => Array.from({ length: size }, (_, at) => at);
  const places = kernel.reduce<number[][]>((all, size) => all.flatMap((place) => each(size).map((at) => [...place, at])), [[]]);
  const slices = places.map((place) => {
    const start = place.map((at, axis) => at * dilations[axis]!);
    const end = start.map((from, axis) => from + (output[axis]! - 1) * strides[axis]! + 1);
    return tf.stridedSlice(padded, [0, 0, ...start], [n, c, ...end], [1, 1, ...strides]);
  });
  return tf.stack(slices, x.rank);
}

/** [n, c, …] -> [n, …, c], the only order in which every backend of TensorFlow.js convolves. */
export function channelsLast(tf: TensorFlow, x: TfTensor): TfTensor {
  return tf.transpose(x, [0, ...[...x.shape.keys()].slice(2), 1]);
}

/** [n, …, c] -> [n, c, …]. */
export function channelsFirst(tf: TensorFlow, x: TfTensor): TfTensor {
  return tf.transpose(x, [0, x.rank - 1, ...[...x.shape.keys()].slice(1, -1)]);
}
