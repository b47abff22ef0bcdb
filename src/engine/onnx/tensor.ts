import { dtypeName, dtypeNumbers, type Dtype } from './dtypes';
import { malformedTensor } from './errors';
import type { TensorProto } from './schema';

/** Values of a tensor; float16 and bfloat16 as their bits (see float16.ts), bool as 0 or 1. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor in row-major order. `data.length` is the product of `dims`; a scalar has dims []. */
export interface DenseTensor {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/**
 * Values of a TensorProto, whichever of its fields holds them (onnx.proto, message TensorProto).
 * Little-endian raw bytes become a view where their alignment allows it, else a copy.
 *
 * `raw` are the bytes of a tensor that lies in an external file; see `readExternal`.
 * Throws RavlError `onnx-tensor-malformed` where shape, type and bytes disagree, and for strings and 4-bit values.
 */
export function readTensor(proto: TensorProto, raw: Uint8Array | undefined = proto.rawData): DenseTensor {
  const dtype = dtypeName(proto.dataType);
  const dims = proto.dims.map(Number);
  const count = elementCount(dims);
  if (dtype === undefined || !(dtype in arrays)) {
    throw malformedTensor(proto.name, `holds elements of type ${dtype ?? proto.dataType}, which RaVL cannot read`);
  }
  if (count === undefined) throw malformedTensor(proto.name, `declares the impossible shape [${dims.join(', ')}]`);
  if (proto.dataLocation === 1 && raw === proto.rawData) throw malformedTensor(proto.name, 'lies in an external file that was not read');
  const make = arrays[dtype as keyof typeof arrays];
  const data = raw?.length ? fromBytes(proto.name, make, raw) : make.from(listed(proto, dtype));
  if (data.length !== count) {
    throw malformedTensor(proto.name, `has shape [${dims.join(', ')}], ${count} values, but holds ${data.length}`);
  }
  return { dtype, dims, data };
}

/**
 * A TensorProto with the given values as raw bytes (a view, no copy). The element type follows from the array:
 * Uint16Array means float16 bits; name another type (bool, uint16, bfloat16) where that is not meant.
 */
export function tensorProto(name: string, dims: readonly number[], data: TensorData, dtype: Dtype = defaultDtype(data)): TensorProto {
  if (elementCount(dims) !== data.length) throw malformedTensor(name, `has shape [${dims.join(', ')}] but is given ${data.length} values`);
  return {
    name,
    dims: [...dims],
    dataType: dtypeNumbers[dtype],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** Bytes of one element, or undefined for those that are not whole bytes (strings, 4-bit). */
export function elementSize(dtype: Dtype): number | undefined {
  return dtype in arrays ? arrays[dtype as keyof typeof arrays].BYTES_PER_ELEMENT : undefined;
}

/** Product of dims, or undefined where a dim is negative or the product is no exact integer. */
export function elementCount(dims: readonly number[]): number | undefined {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && Number.isSafeInteger(count) ? count : undefined;
}

interface ArrayMaker {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
  from(values: readonly (number | bigint)[]): TensorData;
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as unknown as Record<Exclude<Dtype, 'string' | 'uint4' | 'int4'>, ArrayMaker>;

function fromBytes(name: string, make: ArrayMaker, raw: Uint8Array): TensorData {
  const size = make.BYTES_PER_ELEMENT;
  if (raw.byteLength % size !== 0) throw malformedTensor(name, `holds ${raw.byteLength} bytes, not a multiple of its element size ${size}`);
  const aligned = raw.byteOffset % size === 0 ? raw : Uint8Array.from(raw);
  return new make(aligned.buffer, aligned.byteOffset, raw.byteLength / size);
}

/** The typed fields that stand in for raw bytes; small integer types and float16 bits share int32_data. */
function listed(proto: TensorProto, dtype: Dtype): readonly (number | bigint)[] {
  switch (dtype) {
    case 'float32':
      return proto.floatData ?? [];
    case 'float64':
      return proto.doubleData ?? [];
    case 'int64':
      return (proto.int64Data ?? []).map((value) => BigInt(value.toString()));
    case 'uint64':
      return (proto.uint64Data ?? []).map((value) => BigInt(value.toString()));
    case 'uint32':
      return (proto.uint64Data ?? []).map(Number);
    default:
      return proto.int32Data ?? [];
  }
}

function defaultDtype(data: TensorData): Dtype {
  if (data instanceof Uint16Array) return 'float16';
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint32Array) return 'uint32';
  return data instanceof BigInt64Array ? 'int64' : 'uint64';
}
