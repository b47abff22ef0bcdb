/** Operators that only move, repeat or cut values. */
import { axisOf, broadcast, product, type Operation, type Operators, type TfTensor } from './operation';

export const shape: Operators = {
  Reshape: reshape,
  Flatten: (op) => {
    const first = axisOf(op.int('axis', 1), op.x.rank);
    return op.tf.reshape(op.x, [product(op.x.shape.slice(0, first)), product(op.x.shape.slice(first))]);
  },
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: (op) => op.tf.transpose(op.x, op.ints('perm') ?? [...op.x.shape.keys()].reverse()),
  Expand: (op) => op.tf.broadcastTo(op.x, broadcast(op.x.shape, op.numbers(1)!)),
  Tile: (op) => op.tf.tile(op.x, op.numbers(1)!),
  Concat: (op) => op.tf.concat([...op.operands], axisOf(op.int('axis', 0), op.x.rank)),
  Split: split,
  Slice: slice,
  Pad: pad,
  Trilu: trilu,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: (op) => {
    const dims = op.x.shape.slice(op.int('start', 0), op.int('end', op.x.rank));
    return op.tf.tensor(Int32Array.from(dims), [dims.length], 'int32');
  },
  Size: ({ tf, x }) => tf.scalar(x.size, 'int32'),
  ConstantOfShape: (op) => {
    const value = op.tensor('value');
    const dtype = !value || value.dtype.includes('float') ? 'float32' : value.dtype === 'bool' ? 'bool' : 'int32';
    return op.tf.fill(op.numbers(0)!, Number(value?.data[0] ?? 0), dtype);
  },
};

/** 0 keeps a size (unless allowzero is set), -1 takes what is left. */
function reshape(op: Operation): TfTensor {
  const keep = op.int('allowzero', 0) === 0;
  return op.tf.reshape(op.x, op.numbers(1)!.map((size, axis) => (size === 0 && keep ? op.x.shape[axis]! : size)));
}

/** Axes are an input since opset 13. */
function squeeze(op: Operation): TfTensor {
  const { tf, x } = op;
  const axes = (op.numbers(1) ?? op.ints('axes'))?.map((axis) => axisOf(axis, x.rank));
  return tf.reshape(x, x.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)));
}

function unsqueeze(op: Operation): TfTensor {
  const { tf, x } = op;
  const given = op.numbers(1) ?? op.ints('axes') ?? [];
  const rank = x.rank + given.length;
  const axes = new Set(given.map((axis) => axisOf(axis, rank)));
  const sizes = x.shape.values();
  return tf.reshape(x, Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : sizes.next().value!)));
}

/** Sizes are an attribute up to opset 12; left out, the parts are equal, the last one smaller if need be. */
function split(op: Operation): TfTensor[] {
  const { tf, x, wanted } = op;
  const along = axisOf(op.int('axis', 0), x.rank);
  const size = x.shape[along]!;
  const each = Math.ceil(size / wanted.length);
  const sizes = op.numbers(1) ?? op.ints('split') ?? wanted.map((_, index) => Math.min(each, size - index * each));
  return tf.split(x, sizes, along);
}

/** numpy's x[start:end:step] along some axes. A step backwards is a step forwards, reversed. */
function slice(op: Operation): TfTensor {
  const { tf, x } = op;
  const starts = op.numbers(1)!;
  const ends = op.numbers(2)!;
  const axes = (op.numbers(3) ?? [...starts.keys()]).map((axis) => axisOf(axis, x.rank));
  const steps = op.numbers(4) ?? starts.map(() => 1);
  const [begin, end, stride] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)];
  axes.forEach((axis, index) => {
    const size = x.shape[axis]!;
    const step = steps[index]!;
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const at = (place: number) => Math.max(low, Math.min(high, place < 0 ? place + size : place));
    const from = at(starts[index]!);
    const last = from + (Math.ceil((at(ends[index]!) - from) / step) - 1) * step;
    stride[axis] = Math.abs(step);
    [begin[axis], end[axis]] = step > 0 ? [from, Math.max(from, last + 1)] : [Math.min(last, from + 1), from + 1];
  });
  const backwards = axes.filter((_, index) => steps[index]! < 0);
  const whole = stride.every((step) => step === 1);
  const cut = whole ? tf.slice(x, begin, end.map((to, axis) => to - begin[axis]!)) : tf.stridedSlice(x, begin, end, stride);
  return backwards.length > 0 ? tf.reverse(cut, backwards) : cut;
}

/** A constant border (negative sizes crop), or one that repeats or mirrors the values inside. */
function pad(op: Operation): TfTensor {
  const { tf, x } = op;
  const sizes = op.numbers(1)!;
  const axes = (op.numbers(3) ?? [...x.shape.keys()]).map((axis) => axisOf(axis, x.rank));
  const borders = x.shape.map((_, axis): [number, number] => {
    const index = axes.indexOf(axis);
    return index < 0 ? [0, 0] : [sizes[index]!, sizes[index + axes.length]!];
  });
  const mode = op.text('mode', 'constant');
  if (mode === 'constant') {
    const kept = borders.map(([begin, end], axis) => x.shape[axis]! + Math.min(0, begin) + Math.min(0, end));
    const cut = tf.slice(x, borders.map(([begin]) => Math.max(0, -begin)), kept);
    return tf.pad(cut, borders.map(([begin, end]) => [Math.max(0, begin), Math.max(0, end)]), op.numbers(2)?.[0] ?? 0);
  }
  return borders.reduce((value, [begin, end], axis) => {
    const size = x.shape[axis]!;
    if (begin === 0 && end === 0) return value;
    const source = Int32Array.from({ length: begin + size + end }, (_, place) => inside(place - begin, size, mode));
    return tf.gather(value, tf.tensor1d(source, 'int32'), axis);
  }, x);
}

/** Where the value at a place of the border comes from. */
function inside(place: number, size: number, mode: string): number {
  if (mode === 'edge') return Math.max(0, Math.min(size - 1, place));
  const period = mode === 'wrap' ? size : Math.max(1, 2 * size - 2);
  const phase = ((place % period) + period) % period;
  return phase < size ? phase : period - phase;
}

/** Zeros below (or above) the k-th diagonal of every matrix. */
function trilu(op: Operation): TfTensor {
  const { tf, x } = op;
  const k = op.numbers(1)?.[0] ?? 0;
  const upper = op.int('upper', 1) === 1;
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const kept = Uint8Array.from({ length: rows * columns }, (_, at) => {
    const diagonal = (at % columns) - Math.floor(at / columns);
    return Number(upper ? diagonal >= k : diagonal <= k);
  });
  return tf.where(tf.tensor2d(kept, [rows, columns], 'bool'), x, tf.zerosLike(x));
}

/** Blocks of b × b pixels from channels: DCR takes [b, b, c] of the channel axis, CRD [c, b, b]. */
function depthToSpace(op: Operation): TfTensor {
  const { tf, x } = op;
  const b = op.int('blocksize', 1);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const deep = op.text('mode', 'DCR') === 'DCR';
  const blocks = tf.reshape(x, deep ? [n, b, b, c / b ** 2, h, w] : [n, c / b ** 2, b, b, h, w]);
  return tf.reshape(tf.transpose(blocks, deep ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]), [n, c / b ** 2, h * b, w * b]);
}

function spaceToDepth(op: Operation): TfTensor {
  const { tf, x } = op;
  const b = op.int('blocksize', 1);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(tf.reshape(x, [n, c, h / b, b, w / b, b]), [0, 3, 5, 1, 2, 4]), [n, c * b ** 2, h / b, w / b]);
}
