import type { GraphWriter } from './graphWriter';

/** Channels of the stages; the last is what the projection reads. */
const widths = [16, 32, 64] as const;

/**
 * A small ResNet (He et al. 2016) from pixel_values [batch, 3, 56, 56] to L2-normalised image_embeds [batch, dim]: a stem and
 * three stages of one residual block each, on maps of 28×28, 14×14 and 7×7, then the mean over the map and a projection.
 *
 * There is no normalisation layer, so that neither the statistics of a batch nor those of a whole image leak from one
 * quadrant into another; what keeps the sums in bounds is that each branch starts small (as in Fixup, Zhang et al. 2019,
 * arXiv 1901.09321). At 14×14, where regions are read, a quadrant has 7×7 places that each see 23 pixels around them.
 */
export function imageTower(w: GraphWriter, dim: number): string {
  const [first, , last] = widths;
  let x = w.op('Relu', [conv(w, 'stem', 'pixel_values', [3, first, 3, 2])], 'stem.relu');
  x = block(w, 'stage1', x, first, first);
  x = block(w, 'stage2', x, first, widths[1]);
  x = block(w, 'stage3', x, widths[1], last);
  const pooled = w.op('Flatten', [w.op('GlobalAveragePool', [x], 'pool.mean')], 'pool', { axis: 1 });
  const projected = w.op('Gemm', [pooled, w.weight('projection.weight', [dim, last], 3 * last), w.filled('projection.bias', [dim], 0)], 'projection', { transB: 1 });
  return normalised(w, projected, 'image_embeds');
}

/** x / ‖x‖₂ along the last axis. */
export function normalised(w: GraphWriter, x: string, output: string): string {
  return w.op('Div', [x, w.op('ReduceL2', [x], `${x}.norm`, { axes: [-1], keepdims: 1 })], output);
}

/** relu(shortcut(x) + conv2(relu(conv1(x)))); where the channels change, the map is halved as well. */
function block(w: GraphWriter, name: string, x: string, from: number, to: number): string {
  const stride = from === to ? 1 : 2;
  const inner = w.op('Relu', [conv(w, `${name}.conv1`, x, [from, to, 3, stride])], `${name}.relu1`);
  const branch = conv(w, `${name}.conv2`, inner, [to, to, 3, 1], 0.5);
  const shortcut = stride === 1 ? x : conv(w, `${name}.shortcut`, x, [from, to, 2, 2]);
  return w.op('Relu', [w.op('Add', [shortcut, branch], `${name}.sum`)], `${name}.relu2`);
}

type ConvShape = readonly [from: number, to: number, kernel: number, stride: number];

/** Odd kernels keep the map's size, but for the stride. The weights start at `size` times what He initialisation asks for. */
function conv(w: GraphWriter, name: string, x: string, [from, to, kernel, stride]: ConvShape, size = 1): string {
  const weight = w.weight(`${name}.weight`, [to, from, kernel, kernel], (from * kernel * kernel) / size ** 2);
  const pad = (kernel - 1) >> 1;
  const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: kernel % 2 === 1 ? [pad, pad, pad, pad] : [0, 0, 0, 0] };
  return w.op('Conv', [x, weight, w.filled(`${name}.bias`, [to], 0)], name, attributes);
}
