/**
 * Convolution. dX is the transposed convolution, or one with the kernel turned round. dW is a product of dY with the columns of x (im2col), summed over the batch;
 * where each input value is in one window only (1 × 1 kernels, and patches with kernel = stride) the columns are a mere
 * reordering of x, and no convolution runs at all.
 */
import { product, same, type Builder, type Value } from './builder';
import type { Lowering, Rules, Site } from './rule';
import { attributes, im2col, transposed, windowOf, type Window } from './window';

export const convolution: Rules = { Conv: conv, ConvTranspose: convTranspose };

/** x [n, c, …], weight [m, c / group, …kernel], bias [m]. */
function conv(site: Site): readonly (Value | undefined)[] {
  const { g, x, y, dy, inputs, lowering } = site;
  const weight = inputs[1]!;
  const group = site.int('group', 1);
  const window = windowOf(site, weight.dims.slice(2), x.dims.slice(2), y.dims.slice(2));
  return [inputGradient(site, weight, window, group), weightGradient(g, x, dy, weight.dims, window, group, lowering), inputs[2] && sumChannel(g, dy)];
}

/** dX. A transposed convolution, but where steps are 1, the convolution with the kernel turned round is up to three times as fast on CPU. */
function inputGradient({ g, x, dy, lowering }: Site, weight: Value, window: Window, group: number): Value {
  if (pointwise(window, group) && same(window.input, window.output)) return mixChannels(g, dy, weight);
  const reach = window.kernel.map((size, index) => (size - 1) * window.dilations[index]!);
  const [begins, ends] = [window.begins, window.ends].map((pads) => reach.map((most, index) => most - pads[index]!)) as [number[], number[]];
  const dense = window.strides.every((stride) => stride === 1) && [...begins, ...ends].every((pad) => pad >= 0);
  if (lowering !== 'cpu' || !dense) return transposed(g, dy, weight, window, group, x.dims[1]!);
  return g.op('Conv', [dy, turned(g, weight, group)], x.dims, { ...attributes({ ...window, begins, ends }), group });
}

/** From [m, c / group, …kernel] to [c, m / group, …kernel], every kernel back to front. */
function turned(g: Builder, weight: Value, group: number): Value {
  const [m, c] = weight.dims as [number, number];
  const kernel = weight.dims.slice(2);
  const places = product(kernel);
  const grouped = g.transpose(g.reshape(weight, [group, m / group, c, places]), [0, 2, 1, 3]);
  const reversed = places === 1 ? grouped : g.op('Gather', [grouped, g.ints([...Array(places).keys()].reverse())], grouped.dims, { axis: 3 });
  return g.reshape(reversed, [c * group, m / group, ...kernel]);
}

/** x [n, c, …], weight [c, m / group, …kernel]. It is the adjoint of a convolution from y to x, which gives both gradients. */
function convTranspose(site: Site): readonly (Value | undefined)[] {
  const { g, x, y, dy, inputs, lowering } = site;
  if (site.ints('output_shape')) throw site.unsupported('output_shape');
  if (site.text('auto_pad', 'NOTSET').startsWith('SAME')) throw site.unsupported('auto_pad = SAME');
  const weight = inputs[1]!;
  const group = site.int('group', 1);
  const window = windowOf(site, weight.dims.slice(2), y.dims.slice(2), x.dims.slice(2));
  const dx = g.op('Conv', [dy, weight], x.dims, { ...attributes(window), group });
  return [dx, weightGradient(g, dy, x, weight.dims, window, group, lowering), inputs[2] && sumChannel(g, dy)];
}

/** dW [m, c / group, …kernel] of a convolution from x [n, c, …] to an output whose gradient is dy [n, m, …]. */
function weightGradient(g: Builder, x: Value, dy: Value, dims: readonly number[], window: Window, group: number, lowering: Lowering): Value {
  const [n, m] = dy.dims as [number, number];
  const windows = product(window.output);
  const depth = (x.dims[1]! / group) * product(window.kernel);
  const columns = group === 1 && untouched(window) ? patches(g, x, window) : im2col(g, x, window, lowering);
  // A product per image costs n results to add up; one product for all costs a copy with the channels in front.
  if (group === 1 && n > 1 && m * depth > windows * (m + depth)) {
    const rows = g.reshape(g.transpose(g.reshape(dy, [n, m, windows]), [1, 0, 2]), [m, n * windows]);
    const all = g.reshape(g.transpose(g.reshape(columns, [n, depth, windows]), [1, 0, 2]), [depth, n * windows]);
    return g.reshape(g.op('Gemm', [rows, all], [m, depth], { transB: 1 }), dims);
  }
  const perImage = g.matmul(g.reshape(dy, [n, group, m / group, windows]), g.swapLast(g.reshape(columns, [n, group, depth, windows])));
  return g.reshape(g.reduceSum(perImage, [0]), dims);
}

/** Every value lies in one window at most, and none reaches into a border. */
function untouched({ kernel, strides, dilations, begins, ends }: Window): boolean {
  const disjoint = kernel.every((size, index) => size === 1 || (size === strides[index] && dilations[index] === 1));
  return disjoint && [...begins, ...ends].every((size) => size === 0);
}

function pointwise(window: Window, group: number): boolean {
  return group === 1 && window.kernel.every((size) => size === 1) && window.strides.every((stride) => stride === 1) && untouched(window);
}

/** im2col for windows that do not overlap: [n, c, places, windows]. */
function patches(g: Builder, x: Value, { kernel, strides, output }: Window): Value {
  const [n, c] = x.dims as [number, number];
  const rank = kernel.length;
  const points = kernel.every((size) => size === 1);
  const cropped = output.reduce((value, size, index) => {
    const stride = strides[index]!;
    return points ? g.slice(value, index + 2, 0, (size - 1) * stride + 1, stride) : g.slice(value, index + 2, 0, size * stride);
  }, x);
  if (points) return g.reshape(cropped, [n, c, 1, product(output)]);
  const split = g.reshape(cropped, [n, c, ...output.flatMap((size, index) => [size, kernel[index]!])]);
  const axes = [...Array(rank).keys()];
  const columns = g.transpose(split, [0, 1, ...axes.map((index) => 3 + 2 * index), ...axes.map((index) => 2 + 2 * index)]);
  return g.reshape(columns, [n, c, product(kernel), product(output)]);
}

/** dX of a 1 × 1 convolution: Wᵀ dY at every place. */
function mixChannels(g: Builder, dy: Value, weight: Value): Value {
  const [m, c] = weight.dims as [number, number];
  const [n] = dy.dims as [number];
  const flat = g.reshape(dy, [n, m, product(dy.dims.slice(2))]);
  return g.reshape(g.matmul(g.swapLast(g.reshape(weight, [m, c])), flat), [n, c, ...dy.dims.slice(2)]);
}

function sumChannel(g: Builder, dy: Value): Value {
  const axes = [...dy.dims.keys()].filter((index) => index !== 1);
  return g.reshape(g.reduceSum(dy, axes), [dy.dims[1]!]);
}
