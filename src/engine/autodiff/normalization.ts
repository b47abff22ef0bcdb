/**
 * Normalisation layers. All but batch normalisation share one core: x̂ = (x - mean) / sqrt(var + ε) over some axes, whose
 * gradient is inv · (d - mean(d) - x̂ mean(d x̂)) (Ba, Kiros, Hinton 2016, arXiv 1607.06450). The mean and variance are computed again in
 * the backward pass: two reductions cost less than keeping them, and not every provider returns them.
 * Batch normalisation has fixed statistics, as small fine-tuning batches ask for; where a graph has it in training mode, as standardised weights
 * are sometimes written, it is the same core over all axes but the channels'.
 */
import { product, type Builder, type Value } from './builder';
import { axis, type Rules, type Site } from './rule';

export const normalization: Rules = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  RMSNormalization: rmsNormalization,
  LpNormalization: lpNormalization,
};

/** x [n, channels, …]; scale, bias, mean, var [channels]. */
function batchNormalization(site: Site): readonly Value[] {
  const { g, operands, x, dy } = site;
  if (site.int('training_mode', 0) === 1) {
    if (site.dys.slice(1).some(Boolean)) throw site.unsupported('a loss that uses its running mean or variance');
    return channelNormalization(site, [0, ...[...x.dims.keys()].slice(2)]);
  }
  const channelwise = [1, x.dims[1]!, ...x.dims.slice(2).map(() => 1)];
  const [scale, , mean, variance] = operands.slice(1).map((value) => g.reshape(value, channelwise)) as [Value, Value, Value, Value];
  const deviation = g.sqrt(g.add(variance, site.float('epsilon', 1e-5)));
  const centred = g.sub(x, mean);
  const dx = g.mul(dy, g.div(scale, deviation));
  const sum = (value: Value) => g.unbroadcast(value, channelwise);
  const dScale = g.div(sum(g.mul(dy, centred)), deviation);
  const dVariance = g.div(g.mul(g.mul(dScale, scale), -0.5), g.mul(deviation, deviation));
  return [dx, ...[dScale, sum(dy), g.neg(sum(dx)), dVariance].map((value) => g.reshape(value, [x.dims[1]!]))];
}

/** Normalises the axes from `axis` on; scale and bias broadcast to them. */
function layerNormalization(site: Site): readonly (Value | undefined)[] {
  const { g, inputs, x, dy, dys } = site;
  if (dys.slice(1).some(Boolean)) throw site.unsupported('a loss that uses its mean or deviation');
  const scale = inputs[1]!;
  const axes = [...x.dims.keys()].slice(axis(site.int('axis', -1), x.dims.length));
  const { normalised, backward } = normalise(g, x, axes, site.float('epsilon', 1e-5));
  const bias = inputs[2];
  return [backward(g.mul(dy, scale)), g.unbroadcast(g.mul(dy, normalised), scale.dims), bias && g.unbroadcast(dy, bias.dims)];
}

/** Scale and bias are one per group in opset 18, one per channel since 21. */
function groupNormalization(site: Site): readonly Value[] {
  const { g, operands, x, dy } = site;
  const groups = site.int('num_groups', 1);
  const grouped = [x.dims[0]!, groups, product(x.dims.slice(1)) / groups];
  const { normalised, backward } = normalise(g, g.reshape(x, grouped), [2], site.float('epsilon', 1e-5));
  const scale = operands[1]!;
  const layout = g.opset < 21 ? grouped : [x.dims[0]!, x.dims[1]!, product(x.dims.slice(2))];
  const perScale = [1, layout[1]!, 1];
  const laidOut = g.reshape(dy, layout);
  const scaled = g.reshape(g.mul(laidOut, g.reshape(scale, perScale)), grouped);
  const sum = (value: Value) => g.reshape(g.unbroadcast(value, perScale), scale.dims);
  return [g.reshape(backward(scaled), x.dims), sum(g.mul(laidOut, g.reshape(normalised, layout))), sum(laidOut)];
}

/** Every channel of every image by itself. */
function instanceNormalization(site: Site): readonly Value[] {
  return channelNormalization(site, [...site.x.dims.keys()].slice(2));
}

/** Over the given axes; scale and bias are one per channel, which is axis 1. */
function channelNormalization(site: Site, axes: readonly number[]): readonly Value[] {
  const { g, operands, x, dy } = site;
  const channelwise = [1, x.dims[1]!, ...x.dims.slice(2).map(() => 1)];
  const { normalised, backward } = normalise(g, x, axes, site.float('epsilon', 1e-5));
  const sum = (value: Value) => g.reshape(g.unbroadcast(value, channelwise), [x.dims[1]!]);
  return [backward(g.mul(dy, g.reshape(operands[1]!, channelwise))), sum(g.mul(dy, normalised)), sum(dy)];
}

/** y = scale · x / sqrt(mean(x²) + ε) over the axes from `axis` on (ONNX opset 23). */
function rmsNormalization(site: Site): readonly Value[] {
  const { g, operands, x, dy } = site;
  const scale = operands[1]!;
  const axes = [...x.dims.keys()].slice(axis(site.int('axis', -1), x.dims.length));
  const inverse = g.div(1, g.sqrt(g.add(g.reduceMean(g.mul(x, x), axes), site.float('epsilon', 1e-5))));
  const normalised = g.mul(x, inverse);
  const scaled = g.mul(dy, scale);
  const along = g.mul(normalised, g.reduceMean(g.mul(scaled, normalised), axes));
  return [g.mul(inverse, g.sub(scaled, along)), g.unbroadcast(g.mul(dy, normalised), scale.dims)];
}

/** y = x / ‖x‖₂ along one axis. */
function lpNormalization(site: Site): readonly Value[] {
  const { g, x, y, dy } = site;
  if (site.int('p', 2) !== 2) throw site.unsupported('p = 1');
  const axes = [axis(site.int('axis', -1), x.dims.length)];
  const norm = g.sqrt(g.reduceSum(g.mul(x, x), axes));
  return [g.div(g.sub(dy, g.mul(y, g.reduceSum(g.mul(dy, y), axes))), norm)];
}

function normalise(g: Builder, x: Value, axes: readonly number[], epsilon: number): { normalised: Value; backward: (gradient: Value) => Value } {
  const centred = g.sub(x, g.reduceMean(x, axes));
  const inverse = g.div(1, g.sqrt(g.add(g.reduceMean(g.mul(centred, centred), axes), epsilon)));
  const normalised = g.mul(centred, inverse);
  const backward = (gradient: Value): Value => {
    const along = g.mul(normalised, g.reduceMean(g.mul(gradient, normalised), axes));
    return g.mul(inverse, g.sub(g.sub(gradient, g.reduceMean(gradient, axes)), along));
  };
  return { normalised, backward };
}
