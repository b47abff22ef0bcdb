/**
 * Sliding windows, as convolution and pooling share them: where a window lies, its values as columns (im2col) and the way
 * back (col2im). onnxruntime has no im2col, but a depthwise convolution with a one-hot kernel per place in the window is one, and
 * a transposed convolution with the same kernels is its adjoint. On two cores that is the fastest form (a step of a small CNN: 272 ms,
 * against 357 with slices, 533 with convolutions of transposes). The WebGPU provider computes such convolutions wrongly,
 * so there im2col is slices put together.
 */
import { product, type Builder, type Value } from './builder';
import type { Lowering, Site } from './rule';

/** Per spatial axis; sizes of x and y without batch and channels. */
export interface Window {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/**
 * The window of a node that maps [n, c, …input] to [n, c', …output]. Padding is what makes the sizes fit: `auto_pad`
 * splits it (the odd one at the end for SAME_UPPER), `ceil_mode` lets the last window reach beyond the end.
 */
export function windowOf(site: Site, kernel: readonly number[], input: readonly number[], output: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = site.ints('strides') ?? ones;
  const dilations = site.ints('dilations') ?? ones;
  const auto = site.text('auto_pad', 'NOTSET');
  const given = site.ints('pads') ?? [...ones, ...ones].map(() => 0);
  const missing = kernel.map((size, index) => (output[index]! - 1) * strides[index]! + (size - 1) * dilations[index]! + 1 - input[index]!);
  const begins = missing.map((total, index) => {
    if (auto === 'NOTSET') return given[index]!;
    return auto === 'VALID' ? 0 : Math.max(0, auto === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2));
  });
  const ends = missing.map((total, index) => {
    const reach = Math.max(0, total - begins[index]!);
    return auto === 'NOTSET' ? Math.max(given[index + kernel.length]!, reach) : reach;
  });
  return { input, output, kernel, strides, dilations, begins, ends };
}

/** Values of x [n, c, …] under each window: [n, c, places in the window, windows]. */
export function im2col(g: Builder, x: Value, window: Window, lowering: Lowering): Value {
  const [n, c] = x.dims as [number, number];
  const places = product(window.kernel);
  const windows = product(window.output);
  if (lowering === 'cpu') {
    const columns = g.op('Conv', [x, oneHot(g, window, c, x)], [n, c * places, ...window.output], { ...attributes(window), group: c });
    return g.reshape(columns, [n, c, places, windows]);
  }
  const padded = g.pad(x, [0, 0, ...window.begins], [0, 0, ...window.ends]);
  const slices = windowPlaces(window.kernel).map((place) => {
    const part = place.reduce((value, at, index) => {
      const start = at * window.dilations[index]!;
      const stride = window.strides[index]!;
      return g.slice(value, index + 2, start, start + (window.output[index]! - 1) * stride + 1, stride);
    }, padded);
    return g.reshape(part, [n, c, 1, windows]);
  });
  return g.concat(slices, 2);
}

/** The adjoint of `im2col`: adds columns [n, c, places, windows] up at where they came from, [n, c, …input]. */
export function col2im(g: Builder, columns: Value, window: Window): Value {
  const [n, c, places] = columns.dims as [number, number, number];
  return transposed(g, g.reshape(columns, [n, c * places, ...window.output]), oneHot(g, window, c, columns), window, c, c);
}

/** The adjoint of a convolution with `weight` [channels of y, channels of x / group, …kernel]: from y's shape to [n, channels, …input]. */
export function transposed(g: Builder, y: Value, weight: Value, window: Window, group: number, channels: number): Value {
  const { input, output, kernel, strides, dilations, begins, ends } = window;
  // Rows at the end that no window reached.
  const rest = input.map((size, index) => size - ((output[index]! - 1) * strides[index]! + (kernel[index]! - 1) * dilations[index]! + 1 - begins[index]! - ends[index]!));
  return g.op('ConvTranspose', [y, weight], [y.dims[0]!, channels, ...input], { ...attributes(window), group, output_padding: rest });
}

export function attributes({ kernel, strides, dilations, begins, ends }: Window) {
  return { kernel_shape: kernel, strides, dilations, pads: [...begins, ...ends] };
}

/** All places in a window, in row-major order. */
function windowPlaces(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>((places, size) => places.flatMap((place) => Array.from({ length: size }, (_, at) => [...place, at])), [[]]);
}

/** [channels · places, 1, …kernel]: the kernel of output channel c · places + p is 1 at place p. */
function oneHot(g: Builder, { kernel }: Window, channels: number, like: Value): Value {
  const places = product(kernel);
  const data = new Float32Array(channels * places * places);
  for (let row = 0; row < channels * places; row++) data[row * places + (row % places)] = 1;
  return g.tensor([channels * places, 1, ...kernel], data, like.dtype);
}
