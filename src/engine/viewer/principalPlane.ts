import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

/**
 * Rows on their two principal components [n, 2], by power iteration on the centred rows, whose covariance is never formed. The
 * iterations are few: the plane is where a layout starts, not a result that is measured.
 */
export function principalPlane(rows: Float32Array, n: number, dim: number, random: RandomGenerator): Float32Array {
  const mean = new Float64Array(dim);
  for (let row = 0; row < n; row++) for (let d = 0; d < dim; d++) mean[d]! += rows[row * dim + d]! / n;
  const first = component(rows, n, dim, mean, null, random);
  const second = component(rows, n, dim, mean, first, random);
  const plane = new Float32Array(2 * n);
  for (const [axis, direction] of [first, second].entries()) {
    const along = project(rows, n, dim, mean, direction);
    for (let row = 0; row < n; row++) plane[2 * row + axis] = along[row]!;
  }
  return plane;
}

const iterations = 30;

/** The direction of most variance, orthogonal to `before`; zero where there is none. */
function component(rows: Float32Array, n: number, dim: number, mean: Float64Array, before: Float64Array | null, random: RandomGenerator): Float64Array {
  let direction: Float64Array = Float64Array.from({ length: dim }, () => uniformFloat64(random) - 0.5);
  for (let i = 0; i < iterations; i++) {
    if (before) {
      const part = inner(direction, before);
      direction.forEach((value, d) => (direction[d] = value - part * before[d]!));
    }
    const length = Math.sqrt(inner(direction, direction));
    if (length < 1e-12) return new Float64Array(dim);
    direction = direction.map((value) => value / length);
    if (i === iterations - 1) break;
    const along = project(rows, n, dim, mean, direction);
    const next = new Float64Array(dim);
    for (let row = 0; row < n; row++) for (let d = 0; d < dim; d++) next[d]! += along[row]! * (rows[row * dim + d]! - mean[d]!);
    direction = next;
  }
  return direction;
}

function project(rows: Float32Array, n: number, dim: number, mean: Float64Array, direction: Float64Array): Float64Array {
  const shift = inner(mean, direction);
  return Float64Array.from({ length: n }, (_, row) => {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += rows[row * dim + d]! * direction[d]!;
    return sum - shift;
  });
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}
