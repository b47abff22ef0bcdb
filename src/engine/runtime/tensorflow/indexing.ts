/**
 * Operators that pick or place values by index. TensorFlow.js indexes along one axis, or by tuples without a batch, so the others
 * pick and place single values of the flattened tensor.
 */
import { axisOf, product, rowMajorStrides, type Operation, type Operators, type TensorFlow, type TfTensor } from './operation';

export const indexing: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  TopK: topK,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  CumSum: (op) => op.tf.cumsum(op.x, axisOf(op.numbers(1)![0]!, op.x.rank), op.int('exclusive', 0) === 1, op.int('reverse', 0) === 1),
};

/** y = x with `indices` (any shape) in place of one axis. */
function gather(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const along = axisOf(op.int('axis', 0), x.rank);
  const indices = operands[1]!;
  const picked = tf.gather(x, tf.reshape(fromStart(tf, indices, x.shape[along]!), [-1]), along);
  return tf.reshape(picked, [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)]);
}

function gatherElements(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  return tf.reshape(tf.gather(tf.reshape(x, [-1]), elements(op, operands[1]!)), operands[1]!.shape);
}

/** Indices [batch…, …, k] each name a slice of x [batch…, d₁ … dₖ, …]. */
function gatherND(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const batch = op.int('batch_dims', 0);
  const indices = operands[1]!;
  const depth = indices.shape.at(-1)!;
  const sizes = x.shape.slice(batch, batch + depth);
  const [batches, slices] = [product(x.shape.slice(0, batch)), product(sizes)];
  const places = tf.mul(fromStart(tf, indices, tf.tensor1d(sizes, 'int32')), tf.tensor1d(rowMajorStrides(sizes), 'int32'));
  const within = tf.reshape(tf.sum(places, -1), [batches, product(indices.shape.slice(0, -1)) / batches]);
  const linear = tf.add(within, tf.reshape(tf.mul(tf.range(0, batches, 1, 'int32'), tf.scalar(slices, 'int32')), [batches, 1]));
  const rest = x.shape.slice(batch + depth);
  return tf.reshape(tf.gather(tf.reshape(x, [batches * slices, product(rest)]), tf.reshape(linear, [-1])), [...indices.shape.slice(0, -1), ...rest]);
}

/** The k largest or smallest values along an axis, in order, and their places. TensorFlow.js finds the largest along the last axis. */
function topK(op: Operation): TfTensor[] {
  const { tf, x } = op;
  const rank = x.rank;
  const along = axisOf(op.int('axis', -1), rank);
  const swapped = [...x.shape.keys()].with(along, rank - 1).with(rank - 1, along);
  const largest = op.int('largest', 1) === 1;
  const rows = tf.transpose(largest ? x : tf.neg(x), swapped);
  const { values, indices } = tf.topk(rows, op.numbers(1)![0]!);
  return [largest ? values : tf.neg(values), indices].map((value) => tf.transpose(value, swapped));
}

function scatterElements(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const places = elements(op, operands[1]!);
  return tf.reshape(scattered(op, tf.reshape(x, [-1]), tf.reshape(places, [places.size, 1]), tf.reshape(operands[2]!, [-1])), x.shape);
}

/** Indices [..., k] each name a slice of x that an update takes the place of. */
function scatterND(op: Operation): TfTensor {
  const { tf, x, operands } = op;
  const [, indices, updates] = operands as [TfTensor, TfTensor, TfTensor];
  const depth = indices.shape.at(-1)!;
  const places = fromStart(tf, indices, tf.tensor1d(x.shape.slice(0, depth), 'int32'));
  const count = product(indices.shape.slice(0, -1));
  return scattered(op, x, tf.reshape(places, [count, depth]), tf.reshape(updates, [count, ...x.shape.slice(depth)]));
}

/** Without a reduction ONNX does not say which of several updates of one place counts. */
function scattered(op: Operation, x: TfTensor, places: TfTensor, updates: TfTensor): TfTensor {
  const { tf } = op;
  const reduction = op.text('reduction', 'none');
  if (reduction === 'add') return tf.add(x, tf.scatterND(places, updates, x.shape));
  if (reduction !== 'none') throw op.unsupported(`reduction = ${reduction}`);
  return tf.tensorScatterUpdate(x, places, updates);
}

/** Where each of `indices`, which count along one axis of x, lies in the flattened x. */
function elements(op: Operation, indices: TfTensor): TfTensor {
  const { tf, x } = op;
  const along = axisOf(op.int('axis', 0), x.rank);
  const steps = rowMajorStrides(x.shape);
  const places = tf.mul(fromStart(tf, indices, x.shape[along]!), tf.scalar(steps[along]!, 'int32'));
  const linear = indices.shape.reduce((sum, size, axis) => {
    if (axis === along) return sum;
    const others = tf.mul(tf.range(0, size, 1, 'int32'), tf.scalar(steps[axis]!, 'int32'));
    return tf.add(sum, tf.reshape(others, indices.shape.map((_, index) => (index === axis ? size : 1))));
  }, places);
  return tf.reshape(linear, [-1]);
}

/** Negative indices count from the end. */
function fromStart(tf: TensorFlow, indices: TfTensor, size: number | TfTensor): TfTensor {
  const wrapped = tf.add(indices, typeof size === 'number' ? tf.scalar(size, 'int32') : size);
  return tf.where(tf.less(indices, tf.scalar(0, 'int32')), wrapped, indices);
}
