/** Activation functions and softmax. */
import { axisOf, product, type Operation, type Operators, type TfTensor } from './operation';

export const activation: Operators = {
  Relu: ({ tf, x }) => tf.relu(x),
  LeakyRelu: (op) => op.tf.leakyRelu(op.x, op.float('alpha', 0.01)),
  PRelu: ({ tf, x, operands: [, slope] }) => tf.add(tf.relu(x), tf.mul(slope!, tf.minimum(x, 0))),
  Elu: (op) => scaledElu(op, 1, op.float('alpha', 1), 1),
  Selu: (op) => scaledElu(op, op.float('gamma', 1.0507010221481323), op.float('alpha', 1.6732631921768188), 1),
  Celu: (op) => scaledElu(op, 1, op.float('alpha', 1), op.float('alpha', 1)),
  HardSigmoid: (op) => op.tf.clipByValue(op.tf.add(op.tf.mul(op.x, op.float('alpha', 0.2)), op.float('beta', 0.5)), 0, 1),
  HardSwish: ({ tf, x }) => tf.mul(x, tf.clipByValue(tf.add(tf.mul(x, 1 / 6), 0.5), 0, 1)),
  Sigmoid: ({ tf, x }) => tf.sigmoid(x),
  Tanh: ({ tf, x }) => tf.tanh(x),
  Softplus: ({ tf, x }) => tf.softplus(x),
  Softsign: ({ tf, x }) => tf.div(x, tf.add(tf.abs(x), 1)),
  Swish: (op) => op.tf.mul(op.x, op.tf.sigmoid(op.tf.mul(op.x, op.float('alpha', 1)))),
  Mish: ({ tf, x }) => tf.mul(x, tf.tanh(tf.softplus(x))),
  Gelu: gelu,
  Softmax: (op) => alongLast(op, (rows) => op.tf.softmax(rows)),
  LogSoftmax: (op) => alongLast(op, (rows) => op.tf.logSoftmax(rows)),
};

/** gamma (max(x, 0) + alpha (exp(min(x, 0) / width) - 1)). */
function scaledElu({ tf, x }: Operation, gamma: number, alpha: number, width: number): TfTensor {
  const below = tf.mul(tf.expm1(tf.div(tf.minimum(x, 0), width)), alpha);
  return tf.mul(tf.add(tf.relu(x), below), gamma);
}

function gelu(op: Operation): TfTensor {
  const { tf, x } = op;
  const tanh = () => tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3)))));
  const inner = op.text('approximate', 'none') === 'tanh' ? tanh() : tf.erf(tf.mul(x, Math.SQRT1_2));
  return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
}

/** Before opset 13 over all axes from `axis` on (default 1), since then over that axis alone (default -1). `compute` works along rows. */
function alongLast(op: Operation, compute: (rows: TfTensor) => TfTensor): TfTensor {
  const { tf, x, opset } = op;
  const rank = x.shape.length;
  if (opset < 13) {
    const first = axisOf(op.int('axis', 1), rank);
    return tf.reshape(compute(tf.reshape(x, [product(x.shape.slice(0, first)), product(x.shape.slice(first))])), x.shape);
  }
  const along = axisOf(op.int('axis', -1), rank);
  if (along === rank - 1) return compute(x);
  const swapped = [...x.shape.keys()].with(along, rank - 1).with(rank - 1, along);
  return tf.transpose(compute(tf.transpose(x, swapped)), swapped);
}
