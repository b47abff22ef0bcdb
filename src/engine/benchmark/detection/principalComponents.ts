import { normal } from './normal';

/**
 * The first principal components of rows, by orthogonal iteration on the covariance matrix. Rows of no more than `most`
 * dimensions are only centred: a rotation changes nothing for what follows.
 *
 * @param rows [n, dim]
 * @returns [n, components] centred rows
 */
export function principalComponents(rows: Float32Array, n: number, dim: number, most: number, seed: number): { data: Float64Array; components: number } {
  const mean = new Float64Array(dim);
  for (let i = 0; i < n; i++) for (let d = 0; d < dim; d++) mean[d]! += rows[i * dim + d]! / n;
  const centred = Float64Array.from(rows.subarray(0, n * dim), (value, at) => value - mean[at % dim]!);
  const components = Math.min(most, dim, n);
  if (components === dim) return { data: centred, components };
  const covariance = product(centred, centred, n, dim);
  const random = normal(seed);
  let basis: Float64Array = orthonormal(Float64Array.from({ length: components * dim }, random), components, dim);
  for (let round = 0; round < rounds; round++) {
    const next = new Float64Array(components * dim);
    for (let c = 0; c < components; c++) {
      for (let d = 0; d < dim; d++) {
        const weight = basis[c * dim + d]!;
        for (let e = 0; e < dim; e++) next[c * dim + e]! += weight * covariance[d * dim + e]!;
      }
    }
    basis = orthonormal(next, components, dim);
  }
  const data = new Float64Array(n * components);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < components; c++) for (let d = 0; d < dim; d++) data[i * components + c]! += centred[i * dim + d]! * basis[c * dim + d]!;
  }
  return { data, components };
}

/** Enough for directions that matter to settle; those of nearly equal variance may stay mixed. */
const rounds = 20;

/** aᵀb of [n, dim] each, as [dim, dim]. */
function product(a: Float64Array, b: Float64Array, n: number, dim: number): Float64Array {
  const out = new Float64Array(dim * dim);
  for (let i = 0; i < n; i++) {
    for (let d = 0; d < dim; d++) {
      const value = a[i * dim + d]!;
      for (let e = 0; e < dim; e++) out[d * dim + e]! += value * b[i * dim + e]!;
    }
  }
  return out;
}

/** Gram-Schmidt over rows [count, dim], in place; a row that depends on those before it becomes 0. */
function orthonormal(rows: Float64Array, count: number, dim: number): Float64Array {
  for (let c = 0; c < count; c++) {
    const row = rows.subarray(c * dim, (c + 1) * dim);
    const before = Math.hypot(...row);
    for (let other = 0; other < c; other++) {
      const earlier = rows.subarray(other * dim, (other + 1) * dim);
      const along = row.reduce((sum, value, d) => sum + value * earlier[d]!, 0);
      for (let d = 0; d < dim; d++) row[d]! -= along * earlier[d]!;
    }
    const length = Math.hypot(...row);
    for (let d = 0; d < dim; d++) row[d] = length > 1e-10 * before ? row[d]! / length : 0;
  }
  return rows;
}
