import type { Tensor } from 'onnxruntime-node';
import { float16ToFloat32 } from '../onnx/float16';

export interface Tolerance {
  /** Largest cosine distance between a row (axis 0) of an output and its reference. */
  readonly cosine: number;
  /** Largest difference of a value, as a share of the largest magnitude in its output. */
  readonly relative: number;
}

/**
 * How far a device may be from the CPU. Other orders of summation move float32 results by about 1e-5 over a deep
 * encoder, TF32 on recent NVIDIA cards by up to about 1e-3; half precision moves them by some 1e-2 and embeddings by a
 * cosine distance of about 1e-4. Wrong kernels, which this is to catch, are off by 0.1 and more.
 */
export const tolerances = {
  float32: { cosine: 1e-4, relative: 1e-2 },
  float16: { cosine: 1e-3, relative: 5e-2 },
} as const satisfies Record<string, Tolerance>;

export interface Difference extends Tolerance {
  /** The output that differs most (by `relative`, then `cosine`). */
  readonly output: string;
}

type Outputs = Readonly<Record<string, Tensor>>;

/**
 * Largest differences between two results of the same graph. A missing output, another shape or a value that is not
 * finite where the reference is finite counts as Infinity, and so does any difference between integers.
 */
export function difference(reference: Outputs, result: Outputs): Difference {
  let worst: Difference = { output: '', relative: 0, cosine: 0 };
  for (const [output, expected] of Object.entries(reference)) {
    const { relative, cosine } = tensorDifference(expected, result[output]);
    worst = {
      output: relative > worst.relative || worst.output === '' ? output : worst.output,
      relative: Math.max(relative, worst.relative),
      cosine: Math.max(cosine, worst.cosine),
    };
  }
  return worst;
}

function tensorDifference(expected: Tensor, actual: Tensor | undefined): Tolerance {
  if (!actual || actual.dims.join() !== expected.dims.join()) return { relative: Infinity, cosine: 1 };
  const [a, b] = [floats(expected), floats(actual)];
  if (!a || !b) return equal(expected, actual) ? { relative: 0, cosine: 0 } : { relative: Infinity, cosine: 1 };
  let largest = 0;
  let apart = 0;
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(a[i]!)) continue;
    largest = Math.max(largest, Math.abs(a[i]!));
    apart = Number.isFinite(b[i]!) ? Math.max(apart, Math.abs(a[i]! - b[i]!)) : Infinity;
    if (apart === Infinity) break;
  }
  return { relative: apart === 0 ? 0 : apart / largest, cosine: rowDistance(a, b, expected.dims) };
}

/** Largest cosine distance between rows; 1 where only one of two rows is zero or not finite. */
function rowDistance(a: ArrayLike<number>, b: ArrayLike<number>, dims: readonly number[]): number {
  const rows = dims.length > 1 ? dims[0]! : 1;
  const size = rows > 0 ? a.length / rows : 0;
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    let [aa, bb, ab] = [0, 0, 0];
    for (let i = row * size; i < (row + 1) * size; i++) {
      if (!Number.isFinite(a[i]!)) continue;
      aa += a[i]! ** 2;
      bb += b[i]! ** 2;
      ab += a[i]! * b[i]!;
    }
    if (aa === 0 && bb === 0) continue;
    const cosine = ab / Math.sqrt(aa * bb);
    worst = Math.max(worst, Number.isFinite(cosine) ? 1 - cosine : 1);
  }
  return worst;
}

function floats({ type, data }: Tensor): ArrayLike<number> | undefined {
  if (type === 'float32' || type === 'float64') return data as Float32Array | Float64Array;
  if (type !== 'float16') return undefined;
  // A Uint16Array of bits; newer versions of Node hold true halves instead.
  return data instanceof Uint16Array ? float16ToFloat32(data) : (data as unknown as ArrayLike<number>);
}

function equal(a: Tensor, b: Tensor): boolean {
  const [left, right] = [a.data as ArrayLike<unknown>, b.data as ArrayLike<unknown>];
  return a.type === b.type && left.length === right.length && Array.from(left).every((value, i) => value === right[i]);
}
