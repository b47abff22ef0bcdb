import { similarityMatrix } from '../runtime/matmul';

/**
 * Cosine distances 1 - v·v' of all pairs, clipped to [0, 1], with a zero diagonal (the authors' code): row-major [n, n].
 *
 * @param embeddings [n, dim], L2-normalised rows
 * @param out [n, n] to fill; may lie in a SharedArrayBuffer
 */
export async function cosineDistances(
  embeddings: Float32Array,
  n: number,
  dim: number,
  out: Float32Array = new Float32Array(n * n),
): Promise<Float32Array> {
  await similarityMatrix(embeddings, n, embeddings, n, dim, out);
  toDistances(out, n * n);
  for (let row = 0; row < n; row++) out[row * n + row] = 0;
  return out;
}

/** Cosine distances of all rows to their medoid's row: which is nearest (ties to the first), and how far in all. */
export async function assignToMedoids(
  embeddings: Float32Array,
  n: number,
  dim: number,
  medoids: Int32Array,
): Promise<{ assignment: Int32Array; loss: number }> {
  const k = medoids.length;
  const targets = gatherRows(embeddings, dim, medoids);
  const assignment = new Int32Array(n);
  let loss = 0;
  for (let start = 0; start < n; start += blockRows) {
    const rows = Math.min(blockRows, n - start);
    const distances = await similarityMatrix(embeddings.subarray(start * dim, (start + rows) * dim), rows, targets, k, dim);
    toDistances(distances, rows * k);
    for (let row = 0; row < rows; row++) {
      let nearest = row * k;
      for (let at = row * k + 1; at < (row + 1) * k; at++) if (distances[at] < distances[nearest]) nearest = at;
      assignment[start + row] = nearest - row * k;
      loss += distances[nearest];
    }
  }
  // Of two medoids that are duplicates, both would else go to the first, and a cluster would be empty.
  medoids.forEach((medoid, cluster) => (assignment[medoid] = cluster));
  return { assignment, loss };
}

/** The given rows of `embeddings`, as a matrix of their own. */
export function gatherRows(embeddings: Float32Array, dim: number, rows: Int32Array): Float32Array {
  const gathered = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => gathered.set(embeddings.subarray(row * dim, (row + 1) * dim), i * dim));
  return gathered;
}

const blockRows = 8192;

/** A dot product of two unit vectors in float32 is off by about this much: what lies nearer counts as the same place. */
const rounding = 1e-6;

function toDistances(similarity: Float32Array, length: number): void {
  for (let i = 0; i < length; i++) {
    const distance = 1 - similarity[i];
    similarity[i] = distance < rounding ? 0 : distance > 1 ? 1 : distance;
  }
}
