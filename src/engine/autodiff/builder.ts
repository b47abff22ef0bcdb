/**
 * Writes the nodes of a backward pass. Every value carries its dims and element type, so that rules read like the
 * formulas they come from: broadcasting is worked out here, shapes that do not change emit no node, and operators whose
 * axes moved from attributes to inputs (ReduceSum in opset 13, the other reductions in 18) are written in the form of
 * the model's opset. Squeeze and Unsqueeze, which moved as well, are never needed: all dims are known, Reshape will do.
 */
import { node, type AttributeValue } from '../onnx/build';
import type { Dtype } from '../onnx/dtypes';
import type { NodeProto, TensorProto } from '../onnx/schema';
import { tensorProto } from '../onnx/tensor';

/** A value of the graph: its name, dims and element type. */
export interface Value {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: Dtype;
}

export type Builder = ReturnType<typeof graphBuilder>;

/** A number stands for a scalar constant of the other operand's element type. */
type Operand = Value | number;

/** An empty list of nodes and constants, whose names all start with `prefix`, and the functions that add to it. */
export function graphBuilder(opset: number, prefix: string) {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const known = new Map<string, Value>();
  let count = 0;

  /** A node with several outputs, given their dims and element types. */
  function outputs(opType: string, inputs: readonly Value[], ends: readonly Omit<Value, 'name'>[], attributes: Readonly<Record<string, AttributeValue>> = {}): Value[] {
    count += 1;
    const values = ends.map((end, index) => ({ ...end, name: `${prefix}${opType}_${count}${index ? `_${index}` : ''}` }));
    nodes.push(node(opType, inputs.map(({ name }) => name), values.map(({ name }) => name), attributes));
    return values;
  }

  /** A node with one output of the given dims; its element type is the first input's unless told. */
  function op(opType: string, inputs: readonly Value[], dims: readonly number[], attributes: Readonly<Record<string, AttributeValue>> = {}, dtype: Dtype = inputs[0]!.dtype): Value {
    return outputs(opType, inputs, [{ dims, dtype }], attributes)[0]!;
  }

  function tensor(dims: readonly number[], data: readonly number[] | Float32Array, dtype: Dtype): Value {
    const value = { name: `${prefix}constant_${initializers.length}`, dims, dtype };
    initializers.push(tensorProto(value.name, dims, typed(data, dtype)));
    return value;
  }

  /** One copy of each constant, however often it is asked for. */
  function shared(dims: readonly number[], data: readonly number[], dtype: Dtype): Value {
    const key = `${dtype} ${dims.join()} ${data.join()}`;
    const value = known.get(key) ?? tensor(dims, data, dtype);
    known.set(key, value);
    return value;
  }

  const scalar = (value: number, dtype: Dtype) => shared([], [value], dtype);
  const ints = (values: readonly number[]) => shared([values.length], values, 'int64');

  function filled(dims: readonly number[], value: number, dtype: Dtype): Value {
    return op('ConstantOfShape', [ints(dims)], dims, { value: tensorProto('', [1], typed([value], dtype)) }, dtype);
  }

  function pair(x: Operand, y: Operand): [Value, Value] {
    const dtype = typeof x === 'number' ? (y as Value).dtype : x.dtype;
    return [typeof x === 'number' ? scalar(x, dtype) : x, typeof y === 'number' ? scalar(y, dtype) : y];
  }

  const binary = (opType: string, dtype?: Dtype) => (x: Operand, y: Operand): Value => {
    const operands = pair(x, y);
    return op(opType, operands, broadcast(operands[0].dims, operands[1].dims), {}, dtype);
  };
  const unary = (opType: string) => (x: Value): Value => op(opType, [x], x.dims);

  const mul = binary('Mul');

  function cast(x: Value, dtype: Dtype): Value {
    return x.dtype === dtype ? x : op('Cast', [x], x.dims, { to: castTo[dtype as keyof typeof castTo] }, dtype);
  }

  function where(condition: Value, x: Operand, y: Operand): Value {
    const operands = pair(x, y);
    const dims = broadcast(condition.dims, broadcast(operands[0].dims, operands[1].dims));
    return op('Where', [condition, ...operands], dims, {}, operands[0].dtype);
  }

  function clip(x: Value, low: number, high: number): Value {
    return op('Clip', [x, scalar(low, x.dtype), scalar(high, x.dtype)], x.dims);
  }

  function reshape(x: Value, dims: readonly number[]): Value {
    return same(x.dims, dims) ? x : op('Reshape', [x, ints(dims)], dims);
  }

  function transpose(x: Value, perm: readonly number[]): Value {
    return perm.every((axis, index) => axis === index) ? x : op('Transpose', [x], perm.map((axis) => x.dims[axis]!), { perm });
  }

  function expand(x: Value, dims: readonly number[]): Value {
    return same(x.dims, dims) ? x : op('Expand', [x, ints(dims)], dims);
  }

  /** Keeps the reduced axes, with size 1. */
  function reduce(opType: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceProd', x: Value, axes: readonly number[]): Value {
    if (axes.length === 0) return x;
    const dims = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const asInput = opset >= (opType === 'ReduceSum' ? 13 : 18);
    return asInput ? op(opType, [x, ints(axes)], dims, { keepdims: 1 }) : op(opType, [x], dims, { axes, keepdims: 1 });
  }

  /** Sums what broadcasting repeated: the gradient of a value of shape `dims` that was broadcast to x's shape. */
  function unbroadcast(x: Value, dims: readonly number[]): Value {
    const lead = x.dims.length - dims.length;
    const axes = x.dims.flatMap((size, axis) => (axis < lead || (dims[axis - lead] === 1 && size !== 1) ? [axis] : []));
    return reshape(reduce('ReduceSum', x, axes), dims);
  }

  function slice(x: Value, axis: number, start: number, end: number, step = 1): Value {
    if (start === 0 && end === x.dims[axis] && step === 1) return x;
    const dims = x.dims.with(axis, Math.ceil((end - start) / step));
    return op('Slice', [x, ints([start]), ints([end]), ints([axis]), ints([step])], dims);
  }

  /** Constant padding; begins and ends per axis, none negative. */
  function pad(x: Value, begins: readonly number[], ends: readonly number[], value = 0): Value {
    if ([...begins, ...ends].every((size) => size === 0)) return x;
    const dims = x.dims.map((size, axis) => begins[axis]! + size + ends[axis]!);
    return op('Pad', [x, ints([...begins, ...ends]), scalar(value, x.dtype)], dims);
  }

  function concat(values: readonly Value[], axis: number): Value {
    if (values.length === 1) return values[0]!;
    const size = values.reduce((sum, { dims }) => sum + dims[axis]!, 0);
    return op('Concat', values, values[0]!.dims.with(axis, size), { axis });
  }

  /** numpy's matmul for operands of rank 2 and more. */
  function matmul(a: Value, b: Value): Value {
    const batch = broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2));
    return op('MatMul', [a, b], [...batch, a.dims.at(-2)!, b.dims.at(-1)!]);
  }

  function swapLast(x: Value): Value {
    const rank = x.dims.length;
    return transpose(x, [...x.dims.keys()].map((axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis)));
  }

  return {
    opset,
    nodes,
    initializers,
    op,
    outputs,
    tensor,
    scalar,
    ints,
    filled,
    add: binary('Add'),
    sub: binary('Sub'),
    mul,
    div: binary('Div'),
    pow: binary('Pow'),
    equal: binary('Equal', 'bool'),
    less: binary('Less', 'bool'),
    greater: binary('Greater', 'bool'),
    neg: unary('Neg'),
    exp: unary('Exp'),
    log: unary('Log'),
    sqrt: unary('Sqrt'),
    sigmoid: unary('Sigmoid'),
    tanh: unary('Tanh'),
    erf: unary('Erf'),
    cast,
    where,
    clip,
    /** 1 where x > 0, else 0. Cheaper than a comparison and a Where, and every provider has it (Sign it may not). */
    step: (x: Value) => clip(mul(x, 1e38), 0, 1),
    sign: (x: Value) => clip(mul(x, 1e38), -1, 1),
    reshape,
    transpose,
    expand,
    reduceSum: (x: Value, axes: readonly number[]) => reduce('ReduceSum', x, axes),
    reduceMean: (x: Value, axes: readonly number[]) => reduce('ReduceMean', x, axes),
    reduceMax: (x: Value, axes: readonly number[]) => reduce('ReduceMax', x, axes),
    reduceProd: (x: Value, axes: readonly number[]) => reduce('ReduceProd', x, axes),
    unbroadcast,
    slice,
    pad,
    concat,
    matmul,
    swapLast,
  };
}

/** Number of elements. */
export const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);

/** ONNX's multidirectional broadcasting of two shapes that are known to fit. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const x = a[a.length - rank + index] ?? 1;
    const y = b[b.length - rank + index] ?? 1;
    return x === 1 ? y : x;
  });
}

/** Whether gradients can flow through a value. Half precision is too coarse for them (see differentiate.ts). */
export const isFloating = ({ dtype }: Value) => dtype === 'float32' || dtype === 'float64';

export const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((size, axis) => size === b[axis]);

const castTo = { float32: 1, int64: 7, float64: 11 } as const;

function typed(data: readonly number[] | Float32Array, dtype: Dtype): Float32Array | Float64Array | BigInt64Array {
  if (dtype === 'int64') return BigInt64Array.from([...data].map(BigInt));
  if (dtype === 'float64') return Float64Array.from(data);
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
