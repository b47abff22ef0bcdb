/** ONNX element types by their number in TensorProto.DataType (onnx.proto); names are onnxruntime's where it has one. */
export const dtypeNumbers = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
} as const;

export type Dtype = keyof typeof dtypeNumbers;

const names = new Map<number, Dtype>((Object.keys(dtypeNumbers) as Dtype[]).map((name) => [dtypeNumbers[name], name]));

/** Name of an element type, or undefined for those RaVL does not know (float8 variants, complex). */
export function dtypeName(number: number | undefined): Dtype | undefined {
  return number === undefined ? undefined : names.get(number);
}
