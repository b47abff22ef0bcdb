/**
 * Resize. Every form of it is linear and works axis by axis, so it is a product with a matrix that follows from the attributes:
 * TensorFlow.js's own resizing knows few of the coordinates and none of the cubic kernels that ONNX does.
 * Left out: antialiasing, tf_crop_and_resize and the aspect ratio policies, which exporters of encoders do not write.
 */
import { resizeMatrix } from '../../onnx/resizeMatrix';
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
    const matrix = tf.tensor(resizeMatrix(op, size, out, scale), [1, out, size]);
    const [before, after] = [product(value.shape.slice(0, axis)), product(value.shape.slice(axis + 1))];
    return tf.reshape(tf.matMul(matrix, tf.reshape(value, [before, size, after])), value.shape.with(axis, out));
  }, x);
}
