/** Normalisation layers, put together from means: TensorFlow.js has a kernel for batch normalisation alone. */
import { axisOf, product, type Operation, type Operators, type TensorFlow, type TfTensor } from './operation';

export const normalization: Operators = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  RMSNormalization: rmsNormalization,
  LpNormalization: lpNormalization,
};

/** x [n, channels, …]; scale, bias, mean, var [channels]. In training mode by the batch's own mean and variance, and the running ones follow. */
function batchNormalization(op: Operation): TfTensor[] {
  const { tf, x, operands } = op;
  const [scale, bias, mean, variance] = operands.slice(1).map((value) => tf.reshape(value, channelwise(x)));
  const normal = (centre: TfTensor, spread: TfTensor) => {
    const factor = tf.div(scale!, tf.sqrt(tf.add(spread, op.float('epsilon', 1e-5))));
    return tf.add(tf.mul(tf.sub(x, centre), factor), bias!);
  };
  if (op.int('training_mode', 0) === 0) return [normal(mean!, variance!)];
  const own = tf.moments(x, [0, ...[...x.shape.keys()].slice(2)], true);
  const momentum = op.float('momentum', 0.9);
  const running = (before: TfTensor, now: TfTensor) => tf.reshape(tf.add(tf.mul(before, momentum), tf.mul(now, 1 - momentum)), [-1]);
  return [normal(own.mean, own.variance), running(mean!, own.mean), running(variance!, own.variance)];
}

/** Over the axes from `axis` on; also returns the mean and the inverse deviation. */
function layerNormalization(op: Operation): TfTensor[] {
  const { tf, x, inputs } = op;
  const axes = [...x.shape.keys()].slice(axisOf(op.int('axis', -1), x.rank));
  const { normalised, mean, inverse } = normalise(tf, x, axes, op.float('epsilon', 1e-5));
  const scaled = tf.mul(normalised, inputs[1]!);
  return [inputs[2] ? tf.add(scaled, inputs[2]) : scaled, mean, inverse];
}

/** Scale and bias are one per group in opset 18, one per channel since 21. */
function groupNormalization(op: Operation): TfTensor {
  const { tf, x, operands, opset } = op;
  const [n, channels] = x.shape as [number, number];
  const groups = op.int('num_groups', 1);
  const { normalised } = normalise(tf, tf.reshape(x, [n, groups, product(x.shape.slice(1)) / groups]), [2], op.float('epsilon', 1e-5));
  const rows = opset < 21 ? groups : channels;
  const [scale, bias] = operands.slice(1).map((value) => tf.reshape(value, [1, rows, 1])) as [TfTensor, TfTensor];
  const laidOut = tf.reshape(normalised, [n, rows, product(x.shape.slice(1)) / rows]);
  return tf.reshape(tf.add(tf.mul(laidOut, scale), bias), x.shape);
}

/** Every channel of every image by itself. */
function instanceNormalization(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const { normalised } = normalise(tf, x, [...x.shape.keys()].slice(2), op.float('epsilon', 1e-5));
  const [scale, bias] = operands.slice(1).map((value) => tf.reshape(value, channelwise(x))) as [TfTensor, TfTensor];
  return tf.add(tf.mul(normalised, scale), bias);
}

/** By the root of the mean square over the axes from `axis` on. */
function rmsNormalization(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const axes = [...x.shape.keys()].slice(axisOf(op.int('axis', -1), x.rank));
  return tf.mul(tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), axes, true), op.float('epsilon', 1e-5)))), operands[1]!);
}

/** x / ‖x‖ along one axis. */
function lpNormalization(op: Operation): TfTensor {
  const { tf, x } = op;
  const along = axisOf(op.int('axis', -1), x.rank);
  return tf.div(x, op.int('p', 2) === 1 ? tf.sum(tf.abs(x), along, true) : tf.sqrt(tf.sum(tf.square(x), along, true)));
}

function normalise(tf: TensorFlow, x: TfTensor, axes: number[], epsilon: number): { normalised: TfTensor; mean: TfTensor; inverse: TfTensor } {
  const mean = tf.mean(x, axes, true);
  const centred = tf.sub(x, mean);
  const inverse = tf.reciprocal(tf.sqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
  return { normalised: tf.mul(centred, inverse), mean, inverse };
}

const channelwise = (x: TfTensor) => [1, x.shape[1]!, ...x.shape.slice(2).map(() => 1)];
