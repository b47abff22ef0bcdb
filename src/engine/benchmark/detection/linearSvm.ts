import { seededRandom, shuffle } from '../random';

export interface LinearSvm {
  /** [dim] */
  readonly weights: Float64Array;
  readonly bias: number;
}

/**
 * A linear support vector machine with the hinge loss: min ½|w|² + Σ C_i max(0, 1 - y_i (<w, x_i> + b)), by dual coordinate
 * descent (Hsieh et al., A Dual Coordinate Descent Method for Large-scale Linear SVM, ICML 2008, algorithm 1). The bias is a
 * weight of a constant 1. Both classes weigh the same in sum: C_i = C·n/(2·n of its class).
 *
 * @param rows [n, dim], of which `ids` are used
 * @param positive whether a row is of the positive class, by its place in `ids`
 */
export function trainLinearSvm(rows: Float32Array, dim: number, ids: Int32Array, positive: readonly boolean[], c: number, seed: number): LinearSvm {
  const n = ids.length;
  const positives = positive.filter(Boolean).length;
  const weights = new Float64Array(dim);
  let bias = 0;
  if (positives === 0 || positives === n) return { weights, bias };
  const limit = { true: (c * n) / (2 * positives), false: (c * n) / (2 * (n - positives)) };
  const alpha = new Float64Array(n);
  const square = Float64Array.from(ids, (id) => 1 + dot(rows, id * dim, rows, id * dim, dim));
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const random = seededRandom(seed, 'detection');
  for (let pass = 0; pass < passes; pass++) {
    let largest = 0;
    for (const i of shuffle(order, random)) {
      const y = positive[i] ? 1 : -1;
      const at = ids[i]! * dim;
      const gradient = y * (decision(rows, at, dim, weights) + bias) - 1;
      const most = positive[i] ? limit.true : limit.false;
      // At a limit, only what leads away from it counts.
      const projected = alpha[i] === 0 ? Math.min(gradient, 0) : alpha[i] === most ? Math.max(gradient, 0) : gradient;
      if (projected === 0) continue;
      largest = Math.max(largest, Math.abs(projected));
      const next = Math.min(most, Math.max(0, alpha[i]! - gradient / square[i]!));
      const step = (next - alpha[i]!) * y;
      alpha[i] = next;
      for (let d = 0; d < dim; d++) weights[d]! += step * rows[at + d]!;
      bias += step;
    }
    if (largest < tolerance) break;
  }
  return { weights, bias };
}

/** <w, x> + b of one row. */
export function svmDecision({ weights, bias }: LinearSvm, rows: Float32Array, row: number): number {
  return decision(rows, row * weights.length, weights.length, weights) + bias;
}

const passes = 1000;
/** Of the margin: what is left to gain by any one row. */
const tolerance = 1e-3;

function decision(rows: Float32Array, at: number, dim: number, weights: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += weights[d]! * rows[at + d]!;
  return sum;
}

function dot(a: Float32Array, from: number, b: Float32Array, start: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += a[from + d]! * b[start + d]!;
  return sum;
}
