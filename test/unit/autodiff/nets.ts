import type { GraphWriter } from '../../fixtures/graphWriter';

/** Small image encoders in the manner of the mobile and the convolutional families; each returns its embedding [batch, dim]. */

/** MobileNetV3 / EfficientNet: inverted residuals with depthwise convolutions, squeeze-and-excite, hard-swish and ReLU6. */
export function mobileNet(w: GraphWriter, input: string, dim: number): string {
  let x = hardSwish(w, conv(w, 'stem', input, 3, 8, 3, 2, 1));
  x = w.op('Add', [x, invertedResidual(w, 'block1', x, 8, 16, 1, 3)]);
  x = invertedResidual(w, 'block2', x, 8, 24, 2, 5);
  const pooled = w.op('Flatten', [w.op('GlobalAveragePool', [x])], { axis: 1 });
  return w.op('Gemm', [pooled, w.random('head', [dim, 8]), w.random('head.bias', [dim])], { transB: 1 });
}

function invertedResidual(w: GraphWriter, name: string, x: string, width: number, inner: number, stride: number, kernel: number): string {
  const expanded = relu6(w, conv(w, `${name}.expand`, x, width, inner, 1, 1, 1));
  const deep = hardSwish(w, batchNorm(w, name, conv(w, `${name}.depthwise`, expanded, inner, inner, kernel, stride, inner), inner));
  const squeezed = w.op('Relu', [conv(w, `${name}.squeeze`, w.op('GlobalAveragePool', [deep]), inner, 4, 1, 1, 1)]);
  const gate = w.op('HardSigmoid', [conv(w, `${name}.excite`, squeezed, 4, inner, 1, 1, 1)], { alpha: 1 / 6, beta: 0.5 });
  return conv(w, `${name}.project`, w.op('Mul', [deep, gate]), inner, width, 1, 1, 1);
}

/** ConvNeXt: 7 × 7 depthwise convolutions, layer normalisation over the channels, GELU written out with Erf, layer scale. */
export function convNext(w: GraphWriter, input: string, dim: number): string {
  const width = 8;
  let x = conv(w, 'stem', input, 3, width, 4, 4, 1, 0);
  for (const name of ['block1', 'block2']) {
    const mixed = w.op('Transpose', [conv(w, `${name}.depthwise`, x, width, width, 7, 1, width)], { perm: [0, 2, 3, 1] });
    const normed = w.op('LayerNormalization', [mixed, ...affine(w, `${name}.norm`, width)], { axis: -1, epsilon: 1e-6 });
    const hidden = gelu(w, name, linear(w, `${name}.fc1`, normed, width, 16));
    const out = w.op('Transpose', [linear(w, `${name}.fc2`, hidden, 16, width)], { perm: [0, 3, 1, 2] });
    x = w.op('Add', [x, w.op('Mul', [out, w.weight(`${name}.gamma`, [width, 1, 1], Array(width).fill(0.5))])]);
  }
  const pooled = w.op('ReduceMean', [x], { axes: [-2, -1], keepdims: 0 });
  return linear(w, 'head', w.op('LayerNormalization', [pooled, ...affine(w, 'norm', width)], { axis: -1 }), width, dim);
}

/** CLIP's text tower: token table, causal attention over 6 tokens, the embedding of the end token (the highest id). */
export function textTower(w: GraphWriter, ids: string, dim: number): string {
  const [tokens, width] = [6, 8];
  const embedded = w.op('Gather', [w.random('token_embedding', [12, width]), ids]);
  const x = w.op('Add', [embedded, w.random('position_embedding', [tokens, width])]);
  const q = linear(w, 'q', x, width, width);
  const k = w.op('Transpose', [linear(w, 'k', x, width, width)], { perm: [0, 2, 1] });
  const mask = Float32Array.from({ length: tokens * tokens }, (_, at) => (at % tokens > Math.floor(at / tokens) ? -1e4 : 0));
  const scores = w.op('Softmax', [w.op('Add', [w.op('MatMul', [q, k]), w.weight('mask', [tokens, tokens], mask)])], { axis: -1 });
  const y = w.op('Add', [x, w.op('MatMul', [scores, linear(w, 'v', x, width, width)])]);
  const end = w.op('ArgMax', [ids], { axis: 1, keepdims: 1 });
  return w.op('MatMul', [w.op('GatherND', [y, end], { batch_dims: 1 }), w.random('projection', [width, dim])]);
}

function conv(w: GraphWriter, name: string, x: string, from: number, to: number, kernel: number, stride: number, group: number, pad = (kernel - 1) / 2): string {
  return w.op('Conv', [x, w.random(`${name}.weight`, [to, from / group, kernel, kernel]), w.random(`${name}.bias`, [to])], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    group,
  });
}

const linear = (w: GraphWriter, name: string, x: string, from: number, to: number) =>
  w.op('Add', [w.op('MatMul', [x, w.random(`${name}.weight`, [from, to])]), w.random(`${name}.bias`, [to])]);

const hardSwish = (w: GraphWriter, x: string) => w.op('HardSwish', [x]);

const relu6 = (w: GraphWriter, x: string) => w.op('Clip', [x, w.weight(`low_${w.nodes.length}`, [], [0]), w.weight(`high_${w.nodes.length}`, [], [6])]);

function gelu(w: GraphWriter, name: string, x: string): string {
  const constant = (part: string, value: number) => w.weight(`${name}.${part}`, [], [value]);
  const cumulative = w.op('Add', [w.op('Erf', [w.op('Div', [x, constant('root', Math.SQRT2)])]), constant('one', 1)]);
  return w.op('Mul', [w.op('Mul', [x, cumulative]), constant('half', 0.5)]);
}

const affine = (w: GraphWriter, name: string, width: number) => [
  w.weight(`${name}.weight`, [width], Array.from({ length: width }, (_, i) => 1 + 0.1 * Math.sin(i))),
  w.weight(`${name}.bias`, [width], Array.from({ length: width }, (_, i) => 0.1 * Math.cos(i))),
];

function batchNorm(w: GraphWriter, name: string, x: string, channels: number): string {
  const fill = (part: string, value: (c: number) => number) => w.weight(`${name}.bn.${part}`, [channels], Array.from({ length: channels }, (_, c) => value(c)));
  return w.op('BatchNormalization', [x, fill('weight', (c) => 1 + 0.02 * c), fill('bias', (c) => 0.05 * c), fill('mean', (c) => 0.02 * c), fill('var', (c) => 0.8 + 0.05 * c)]);
}
