import type { Dtype } from '../../onnx/dtypes';
import { float16ToFloat32, float32ToFloat16 } from '../../onnx/float16';
import { Tensor } from '../session';
import { typeUnsupported } from './errors';
import type { TensorFlow, TfTensor } from './operation';

/** Values of an ONNX tensor, as a feed or a weight holds them. */
interface Values {
  readonly dims: readonly number[];
  readonly data: unknown;
}

/**
 * The values as a tensor of TensorFlow.js. It knows float32, int32 and bool: other floats are computed in float32, and 64-bit
 * integers in 32 (sizes, places and token ids, which all fit; what does not, such as the end of an open slice, is cut off).
 * float32 values are not copied where the backend computes in this process.
 */
export function upload(tf: TensorFlow, file: string, name: string, dtype: Dtype | Tensor.Type, { dims, data }: Values): TfTensor {
  const shape = [...dims];
  switch (dtype) {
    case 'float32':
      return tf.tensor(data as Float32Array, shape, 'float32');
    case 'float64':
      return tf.tensor(Float32Array.from(data as Float64Array), shape, 'float32');
    case 'float16':
      // Bits in a Uint16Array; newer versions of Node hold true halves instead.
      return tf.tensor(data instanceof Uint16Array ? float16ToFloat32(data) : Float32Array.from(data as Iterable<number>), shape, 'float32');
    case 'bool':
      return tf.tensor(data as Uint8Array, shape, 'bool');
    case 'int64':
    case 'uint64':
      return tf.tensor(Int32Array.from(data as BigInt64Array, (value) => cutOff(Number(value))), shape, 'int32');
    case 'int32':
      return tf.tensor(data as Int32Array, shape, 'int32');
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'uint32':
      return tf.tensor(Int32Array.from(data as Uint32Array, cutOff), shape, 'int32');
    default:
      throw typeUnsupported(file, name, dtype);
  }
}

type TfValues = Float32Array | Int32Array | Uint8Array;

/** The values that TensorFlow.js gave, in the type that the graph declares. */
export function download(file: string, name: string, dtype: Tensor.Type, dims: readonly number[], data: TfValues): Tensor {
  switch (dtype) {
    case 'float32':
      return new Tensor(dtype, data as Float32Array, dims);
    case 'float16':
      return new Tensor(dtype, float32ToFloat16(data as Float32Array), dims);
    case 'int64':
      return new Tensor(dtype, BigInt64Array.from(data, BigInt), dims);
    case 'bool':
      return new Tensor(dtype, Uint8Array.from(data), dims);
    case 'int32':
      return new Tensor(dtype, data as Int32Array, dims);
    case 'float64':
      return new Tensor(dtype, Float64Array.from(data), dims);
    default:
      throw typeUnsupported(file, name, dtype);
  }
}

function cutOff(value: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, value));
}
