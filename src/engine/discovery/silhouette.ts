import { groupBy } from './groups';

/**
 * Mean silhouette of a clustering (Rousseeuw 1987): for every row (b - a) / max(a, b), with a the mean distance to the
 * other rows of its cluster and b the smallest mean distance to the rows of another; 0 for a row alone in its cluster,
 * for a row with a = b = 0, and for all rows when there is one cluster. O(n²).
 *
 * @param distances row-major [n, n]
 * @param assignment [n] cluster of every row, in 0..k-1, no cluster empty
 * @returns -1 .. 1
 */
export function silhouette(distances: Float32Array, n: number, assignment: Int32Array, k: number): number {
  if (k < 2) return 0;
  const { offsets, members } = groupBy(assignment, k);
  const size = (cluster: number) => offsets[cluster + 1] - offsets[cluster];
  const sums = new Float64Array(4 * k);
  let total = 0;
  for (let row = 0; row < n; row += 4) {
    // Four rows at a time: their additions do not wait for each other. Past the end the last row is read again.
    const [p, q, r, s] = [0, 1, 2, 3].map((i) => Math.min(row + i, n - 1) * n);
    sumByCluster(distances, p, q, r, s, offsets, members, sums);
    for (let i = 0; i < 4 && row + i < n; i++) {
      const own = assignment[row + i];
      if (size(own) === 1) continue;
      const a = sums[own * 4 + i] / (size(own) - 1);
      let b = Infinity;
      for (let cluster = 0; cluster < k; cluster++) if (cluster !== own) b = Math.min(b, sums[cluster * 4 + i] / size(cluster));
      if (a !== b) total += (b - a) / Math.max(a, b);
    }
  }
  return total / n;
}

/** [k, 4] sums of the four rows of distances that start at p, q, r and s, over the members of each cluster. */
function sumByCluster(
  distances: Float32Array,
  p: number,
  q: number,
  r: number,
  s: number,
  offsets: Int32Array,
  members: Int32Array,
  sums: Float64Array,
): void {
  for (let cluster = 0; cluster + 1 < offsets.length; cluster++) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = offsets[cluster]; i < offsets[cluster + 1]; i++) {
      const member = members[i];
      a += distances[p + member];
      b += distances[q + member];
      c += distances[r + member];
      d += distances[s + member];
    }
    sums[cluster * 4] = a;
    sums[cluster * 4 + 1] = b;
    sums[cluster * 4 + 2] = c;
    sums[cluster * 4 + 3] = d;
  }
}
