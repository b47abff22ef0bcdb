import type * as tfjs from '@tensorflow/tfjs-core';
import { dtypeName } from '../../onnx/dtypes';
import type { NodeProto } from '../../onnx/schema';
import { readTensor, type DenseTensor } from '../../onnx/tensor';
import { formUnsupported } from './errors';

/** TensorFlow.js, with whatever backend it was given: the types are its core's alone, so that no backend is imported here. */
export type TensorFlow = typeof tfjs;
export type TfTensor = tfjs.Tensor;

/** Computes a node's outputs from its inputs. What it returns may be one of its inputs; what it makes besides is disposed of. */
export type Operator = (op: Operation) => TfTensor | TfTensor[];

export type Operators = Readonly<Record<string, Operator>>;

/** A node at work: its inputs' values and its attributes. */
export interface Operation {
  readonly tf: TensorFlow;
  readonly opset: number;
  /** The inputs, in position; undefined where left out. */
  readonly inputs: readonly (TfTensor | undefined)[];
  /** The inputs that are given. For operators without optional inputs, the same as `inputs`. */
  readonly operands: readonly TfTensor[];
  /** The first input. */
  readonly x: TfTensor;
  /** Which outputs are asked for. */
  readonly wanted: readonly boolean[];
  int(name: string, fallback: number): number;
  ints(name: string): number[] | undefined;
  float(name: string, fallback: number): number;
  text(name: string, fallback: string): string;
  tensor(name: string): DenseTensor | undefined;
  /** The numbers of an input, such as a shape; undefined where it is left out. Those of a constant are at hand, others come off the device. */
  numbers(index: number): number[] | undefined;
  /** The operator is known, but not in this form. */
  unsupported(what: string): Error;
}

/** What stays the same from run to run. `constants` are the numbers of small constants, by name. */
export interface OperationSite {
  readonly tf: TensorFlow;
  readonly node: NodeProto;
  readonly opset: number;
  readonly file: string;
  readonly constants: ReadonlyMap<string, readonly number[]>;
}

export function operation({ tf, node, opset, file, constants }: OperationSite, inputs: readonly (TfTensor | undefined)[]): Operation {
  const attribute = (name: string) => node.attribute.find((each) => each.name === name);
  return {
    tf,
    opset,
    inputs,
    operands: inputs.filter((input) => input !== undefined),
    x: inputs[0]!,
    wanted: node.output.map((name) => name !== ''),
    int: (name, fallback) => Number(attribute(name)?.i ?? fallback),
    ints: (name) => attribute(name)?.ints?.map(Number),
    float: (name, fallback) => attribute(name)?.f ?? fallback,
    text: (name, fallback) => {
      const bytes = attribute(name)?.s;
      return bytes ? new TextDecoder().decode(bytes) : fallback;
    },
    tensor: (name) => {
      const proto = attribute(name)?.t;
      return proto && readTensor(proto);
    },
    numbers: (index) => {
      const input = inputs[index];
      return input && [...(constants.get(node.input[index]!) ?? input.dataSync())];
    },
    unsupported: (what) => formUnsupported(file, node, what),
  };
}

/** An axis as 0 … rank - 1. */
export const axisOf = (index: number, rank: number) => (index < 0 ? index + rank : index);

/** Number of elements. */
export const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);

/** Elements from one index to the next, for each axis of a row-major tensor. */
export const rowMajorStrides = (dims: readonly number[]) => dims.map((_, index) => product(dims.slice(index + 1)));

/** ONNX's multidirectional broadcasting of two shapes that fit. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const x = a[a.length - rank + index] ?? 1;
    const y = b[b.length - rank + index] ?? 1;
    return x === 1 ? y : x;
  });
}

/** The type TensorFlow.js holds an ONNX type in: there are no other floats than float32, no other integers than int32. */
export function heldType(dtype: number | undefined): 'float32' | 'int32' | 'bool' {
  const name = dtypeName(dtype) ?? 'float32';
  if (name === 'bool') return 'bool';
  return name.includes('float') ? 'float32' : 'int32';
}
