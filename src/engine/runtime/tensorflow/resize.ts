/**
 * Resize. Every form of it is linear and works axis by axis, so it is a product with a matrix that follows from the attributes:
 * TensorFlow.js's own resizing knows few of the coordinates and none of the cubic kernels that ONNX does.
 * Left out: antialiasing, tf_crop_and_resize and the aspect ratio policies, which exporters of encoders do not write.
 */
import { axisOf, product, type Operation, type Operators, type TfTensor } from './operation';

export const resize: Operators = { Resize: resized };

function resized(op: Operation): TfTensor {
  const { tf, x } = op;
  if (op.int('antialias', 0) === 1) throw op.unsupported('antialias = 1');
  if (op.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') throw op.unsupported('a keep_aspect_ratio_policy');
  const axes = (op.ints('axes') ?? [...x.shape.keys()]).map((axis) => axisOf(axis, x.rank));
  const scales = op.inputs[2]?.size ? op.numbers(2) : undefined;
  const sizes = op.inputs[3]?.size ? op.numbers(3) : undefined;
  const output = x.shape.map((size, axis) => {
    const index = axes.indexOf(axis);
    return index < 0 ? size : (sizes?.[index] ?? Math.floor(size * scales![index]!));
  });
  // onnxruntime copies then, whatever the scales say.
  if (output.every((size, axis) => size === x.shape[axis])) return x;
  return axes.reduce((value, axis, index) => {
    const [size, out] = [x.shape[axis]!, output[axis]!];
    const scale = sizes ? out / size : scales![index]!;
    if (out === size && scale === 1) return value;
    const matrix = tf.tensor(samplingMatrix(op, size, out, scale), [1, out, size]);
    const [before, after] = [product(value.shape.slice(0, axis)), product(value.shape.slice(axis + 1))];
    return tf.reshape(tf.matMul(matrix, tf.reshape(value, [before, size, after])), value.shape.with(axis, out));
  }, x);
}

/** The share of each value of x in each value of y along one axis: [out, size]. */
function samplingMatrix(op: Operation, size: number, out: number, scale: number): Float32Array {
  const mode = op.text('mode', 'nearest');
  const matrix = new Float32Array(out * size);
  for (let place = 0; place < out; place++) {
    const from = source(op, place, size, out, scale);
    const taps = mode === 'nearest' ? [[nearest(op, from), 1] as const] : mode === 'linear' ? linear(from, size) : cubic(op, from, size);
    for (const [at, weight] of taps) matrix[place * size + Math.max(0, Math.min(size - 1, at))]! += weight;
  }
  return matrix;
}

/** coordinate_transformation_mode: where in x a value of y lies. In float32, as onnxruntime computes it, so that ties fall alike. */
function source(op: Operation, place: number, size: number, out: number, scale: number): number {
  const f = Math.fround;
  const mode = op.text('coordinate_transformation_mode', 'half_pixel');
  if (mode === 'asymmetric') return f(place / f(scale));
  if (mode === 'align_corners') return out > 1 ? f(f(place * (size - 1)) / (out - 1)) : 0;
  if (mode === 'pytorch_half_pixel' && out === 1) return 0;
  if (mode === 'half_pixel' || mode === 'pytorch_half_pixel') return f(f(f(place + 0.5) / f(scale)) - 0.5);
  throw op.unsupported(`coordinate_transformation_mode = ${mode}`);
}

function nearest(op: Operation, from: number): number {
  const mode = op.text('nearest_mode', 'round_prefer_floor');
  if (mode === 'round_prefer_ceil') return Math.floor(from + 0.5);
  if (mode === 'floor') return Math.floor(from);
  return mode === 'ceil' ? Math.ceil(from) : Math.ceil(from - 0.5);
}

function linear(from: number, size: number): (readonly [number, number])[] {
  const inside = Math.max(0, Math.min(size - 1, from));
  const low = Math.floor(inside);
  return [[low, 1 - (inside - low)], [low + 1, inside - low]];
}

/** Keys' kernel over four neighbours; those outside repeat the edge, or are left out and the rest scaled up. */
function cubic(op: Operation, from: number, size: number): (readonly [number, number])[] {
  const a = op.float('cubic_coeff_a', -0.75);
  const low = Math.floor(from);
  const taps = [-1, 0, 1, 2].map((step) => {
    const t = Math.abs(from - low - step);
    return [low + step, t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : ((a * t - 5 * a) * t + 8 * a) * t - 4 * a] as const;
  });
  if (op.int('exclude_outside', 0) === 0) return taps;
  const inside = taps.filter(([at]) => at >= 0 && at < size);
  const total = inside.reduce((sum, [, weight]) => sum + weight, 0);
  return inside.map(([at, weight]) => [at, weight / total] as const);
}
