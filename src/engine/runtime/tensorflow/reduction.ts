/** Reductions over some axes, and the place of an extreme. */
import { axisOf, type Operation, type Operator, type Operators, type TensorFlow, type TfTensor } from './operation';

type Reduce = (tf: TensorFlow, x: TfTensor, axes: number[], keep: boolean) => TfTensor;

export const reduction: Operators = {
  ReduceSum: over((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  ReduceMean: over((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  ReduceMax: over((tf, x, axes, keep) => tf.max(x, axes, keep)),
  ReduceMin: over((tf, x, axes, keep) => tf.min(x, axes, keep)),
  ReduceProd: over((tf, x, axes, keep) => tf.prod(x, axes, keep)),
  ReduceL1: over((tf, x, axes, keep) => tf.sum(tf.abs(x), axes, keep)),
  ReduceL2: over((tf, x, axes, keep) => tf.sqrt(tf.sum(tf.square(x), axes, keep))),
  ReduceSumSquare: over((tf, x, axes, keep) => tf.sum(tf.square(x), axes, keep)),
  ReduceLogSum: over((tf, x, axes, keep) => tf.log(tf.sum(x, axes, keep))),
  ReduceLogSumExp: over((tf, x, axes, keep) => tf.logSumExp(x, axes, keep)),
  ArgMax: (op) => place(op, 'argMax'),
  ArgMin: (op) => place(op, 'argMin'),
};

/** Axes are an attribute up to opset 12 (ReduceSum) or 17 (the others), an input since; none means all, or none at all. */
function over(reduce: Reduce): Operator {
  return (op) => {
    const { tf, x } = op;
    const given = op.numbers(1) ?? op.ints('axes') ?? [];
    if (given.length === 0 && op.int('noop_with_empty_axes', 0) === 1) return x;
    const axes = given.length > 0 ? given.map((index) => axisOf(index, x.shape.length)) : [...x.shape.keys()];
    return tf.cast(reduce(tf, x, axes, op.int('keepdims', 1) === 1), x.dtype);
  };
}

/** The first of equals, or the last if asked for. */
function place(op: Operation, which: 'argMax' | 'argMin'): TfTensor {
  const { tf, x } = op;
  const along = axisOf(op.int('axis', 0), x.shape.length);
  const last = op.int('select_last_index', 0) === 1;
  const found = tf[which](last ? tf.reverse(x, along) : x, along);
  const places = last ? tf.sub(tf.scalar(x.shape[along]! - 1, 'int32'), found) : found;
  return op.int('keepdims', 1) === 1 ? tf.expandDims(places, along) : places;
}
