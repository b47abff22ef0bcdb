/**
 * Pooling. The gradient of an average is its share, spread over the window by a transposed convolution with ones. That of a
 * maximum goes to the place that had it: on CPU onnxruntime tells the place (the first of equals); elsewhere, and
 * before opset 16, the columns of x are compared with y, and equals share.
 */
import { product, type Value } from './builder';
import { sharedByTies } from './reduce';
import type { Rules, Site } from './rule';
import { attributes, col2im, im2col, transposed, windowOf, type Window } from './window';

export const pooling: Rules = {
  AveragePool: averagePool,
  MaxPool: maxPool,
  GlobalAveragePool: ({ g, x, dy }) => [g.expand(g.mul(dy, 1 / product(x.dims.slice(2))), x.dims)],
  GlobalMaxPool: (site) => [sharedByTies(site, site.dy, site.y, [...site.x.dims.keys()].slice(2))],
};

function averagePool(site: Site): readonly Value[] {
  const { g, x, dy } = site;
  const window = poolWindow(site);
  const counts = countsOf(window, site);
  const share = g.div(dy, g.tensor([1, 1, ...window.output], counts, x.dtype));
  const channels = x.dims[1]!;
  const ones = g.tensor([channels, 1, ...window.kernel], new Float32Array(channels * product(window.kernel)).fill(1), x.dtype);
  return [transposed(g, share, ones, window, channels, channels)];
}

/** Values each window averages over: those inside, and with count_include_pad those of the border too. */
function countsOf({ input, output, kernel, strides, dilations, begins }: Window, site: Site): Float32Array {
  const bordered = site.int('count_include_pad', 0) === 1;
  if (bordered && site.int('ceil_mode', 0) === 1) throw site.unsupported('count_include_pad and ceil_mode together');
  const perAxis = output.map((count, index) =>
    Array.from({ length: count }, (_, place) => {
      const start = place * strides[index]! - begins[index]!;
      const inside = Array.from({ length: kernel[index]! }, (_, at) => start + at * dilations[index]!).filter((at) => at >= 0 && at < input[index]!);
      return bordered ? kernel[index]! : inside.length;
    }),
  );
  return Float32Array.from(perAxis.reduce((all, sizes) => all.flatMap((count) => sizes.map((size) => count * size)), [1]));
}

function maxPool(site: Site): readonly Value[] {
  const { g, x, y, dy, lowering } = site;
  const window = poolWindow(site);
  if (lowering === 'cpu' && g.opset >= 16) {
    const [, places] = g.outputs('MaxPool', [x], [y, { dims: y.dims, dtype: 'int64' }], attributes(window)) as [Value, Value];
    const [from, to] = [product(y.dims), product(x.dims)];
    const flat = [g.filled([to], 0, x.dtype), g.reshape(places, [from]), g.reshape(dy, [from])];
    return [g.reshape(g.op('ScatterElements', flat, [to], { axis: 0, reduction: 'add' }), x.dims)];
  }
  const [n, c] = x.dims as [number, number];
  const windows = product(window.output);
  // The border must never be the maximum: the lowest finite float32 (an infinity times 0 would be NaN in the convolution).
  const padded = g.pad(x, [0, 0, ...window.begins], [0, 0, ...window.ends], -3.4028234663852886e38);
  const none = window.kernel.map(() => 0);
  const inner = { ...window, input: padded.dims.slice(2), begins: none, ends: none };
  const hit = g.cast(g.equal(im2col(g, padded, inner, lowering), g.reshape(y, [n, c, 1, windows])), x.dtype);
  const share = g.div(g.reshape(dy, [n, c, 1, windows]), g.reduceSum(hit, [2]));
  return [col2im(g, g.mul(hit, share), window)];
}

function poolWindow(site: Site): Window {
  return windowOf(site, site.ints('kernel_shape')!, site.x.dims.slice(2), site.y.dims.slice(2));
}
