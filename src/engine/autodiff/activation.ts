/**
 * Activation functions and softmax. Rules use the output where the derivative is a function of it (Sigmoid, Tanh, Relu),
 * so that the input's memory can go. A kink takes the side where the unit is off: Relu'(0) = 0, as everywhere.
 * Left out: operators that no image or text encoder uses (Hardmax, Shrink, ThresholdedRelu).
 */
import type { Value } from './builder';
import { axis, type Rules, type Site } from './rule';

export const activation: Rules = {
  Relu: ({ g, y, dy }) => [g.mul(dy, g.step(y))],
  LeakyRelu(site) {
    const { g, x, dy } = site;
    const alpha = site.float('alpha', 0.01);
    return [g.mul(dy, g.add(g.mul(g.step(x), 1 - alpha), alpha))];
  },
  PRelu({ g, x, operands: [, slope], dy }) {
    const on = g.step(x);
    const negative = g.sub(x, g.mul(x, on));
    return [g.mul(dy, g.add(on, g.mul(g.sub(1, on), slope!))), g.unbroadcast(g.mul(dy, negative), slope!.dims)];
  },
  Elu(site) {
    const { g, x, y, dy } = site;
    const on = g.step(x);
    return [g.mul(dy, g.add(on, g.mul(g.sub(1, on), g.add(y, site.float('alpha', 1)))))];
  },
  Selu(site) {
    const { g, x, y, dy } = site;
    const gamma = site.float('gamma', 1.0507010221481323);
    const on = g.step(x);
    const off = g.add(y, gamma * site.float('alpha', 1.6732631921768188));
    return [g.mul(dy, g.add(g.mul(on, gamma), g.mul(g.sub(1, on), off)))];
  },
  Celu(site) {
    const { g, x, y, dy } = site;
    const on = g.step(x);
    return [g.mul(dy, g.add(on, g.mul(g.sub(1, on), g.add(g.mul(y, 1 / site.float('alpha', 1)), 1))))];
  },
  HardSigmoid(site) {
    const { g, y, dy } = site;
    return [g.mul(dy, g.mul(g.step(g.mul(y, g.sub(1, y))), site.float('alpha', 0.2)))];
  },
  HardSwish({ g, x, dy }) {
    const gate = g.clip(g.add(g.mul(x, 1 / 6), 0.5), 0, 1);
    const inside = g.step(g.mul(gate, g.sub(1, gate)));
    return [g.mul(dy, g.add(gate, g.mul(g.mul(x, 1 / 6), inside)))];
  },
  Sigmoid: ({ g, y, dy }) => [g.mul(dy, g.mul(y, g.sub(1, y)))],
  Tanh: ({ g, y, dy }) => [g.mul(dy, g.sub(1, g.mul(y, y)))],
  Softplus: ({ g, x, dy }) => [g.mul(dy, g.sigmoid(x))],
  Softsign({ g, x, dy }) {
    const size = g.add(g.mul(x, g.sign(x)), 1);
    return [g.div(dy, g.mul(size, size))];
  },
  Swish(site) {
    const { g, x, dy } = site;
    const scaled = g.mul(x, site.float('alpha', 1));
    const gate = g.sigmoid(scaled);
    return [g.mul(dy, g.mul(gate, g.add(g.mul(scaled, g.sub(1, gate)), 1)))];
  },
  Mish({ g, x, dy }) {
    const t = g.tanh(g.op('Softplus', [x], x.dims));
    return [g.mul(dy, g.add(t, g.mul(g.mul(x, g.sub(1, g.mul(t, t))), g.sigmoid(x))))];
  },
  Gelu: gelu,
  Softmax(site) {
    const { g, y, dy } = site;
    const weighted = g.mul(dy, y);
    return [g.sub(weighted, g.mul(y, g.reduceSum(weighted, softmaxAxes(site))))];
  },
  LogSoftmax(site) {
    const { g, y, dy } = site;
    return [g.sub(dy, g.mul(g.exp(y), g.reduceSum(dy, softmaxAxes(site))))];
  },
};

/** x Φ(x) with the normal distribution's Φ, or its tanh approximation (ONNX Gelu, opset 20). */
function gelu(site: Site): readonly Value[] {
  const { g, x, dy } = site;
  if (site.text('approximate', 'none') === 'tanh') {
    const c = Math.sqrt(2 / Math.PI);
    const square = g.mul(x, x);
    const t = g.tanh(g.mul(g.mul(x, c), g.add(g.mul(square, 0.044715), 1)));
    const inner = g.add(g.mul(square, 3 * 0.044715 * c), c);
    const slope = g.mul(g.mul(g.mul(x, 0.5), g.sub(1, g.mul(t, t))), inner);
    return [g.mul(dy, g.add(g.add(g.mul(t, 0.5), 0.5), slope))];
  }
  const cumulative = g.add(g.mul(g.erf(g.mul(x, Math.SQRT1_2)), 0.5), 0.5);
  const density = g.mul(g.exp(g.mul(g.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return [g.mul(dy, g.add(cumulative, g.mul(x, density)))];
}

/** Before opset 13 softmax ran over all axes from `axis` on (default 1), since then over that axis alone (default -1). */
function softmaxAxes(site: Site): number[] {
  const rank = site.x.dims.length;
  if (site.g.opset >= 13) return [axis(site.int('axis', -1), rank)];
  const first = axis(site.int('axis', 1), rank);
  return [...site.x.dims.keys()].slice(first);
}
