/**
 * Region embeddings -> points in the plane. Up to `mostFitted` regions are laid out by UMAP on their exact nearest neighbours
 * by cosine; of more, a sample is, drawn from every cluster, and each other region is put among its nearest sampled ones.
 * Everything random is seeded: the same embeddings give the same points, byte for byte.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { counted } from '../../shared/format';
import { similarityMatrix } from '../runtime/matmul';
import { layoutInThread } from './layoutThread';
import { nearestRows, type Neighbours } from './nearestRows';
import { principalPlane } from './principalPlane';

/** Counts up whenever the same embeddings give other points than before. */
export const projectionVersion = 1;

const mostFitted = 4000;
const neighbours = 15;
/** Nearest sampled regions that place one that was not sampled. */
const placedBy = 5;

export interface ProjectionInput {
  /** [n, dim] L2-normalised rows; one that is not finite counts as zero. */
  readonly embeddings: Float32Array;
  readonly n: number;
  readonly dim: number;
  /** [n] cluster of each row, which a sample is drawn by. */
  readonly cluster: Int32Array;
  readonly seed: number;
}

export interface ProjectionOptions {
  readonly signal: AbortSignal;
  progress?(done: number, total: number): void;
  /** Rows that are fitted at most. */
  readonly mostFitted?: number;
}

/** How `projectRows` makes the points of so many rows, in words. */
export function projectionMethod(n: number, most = mostFitted): string {
  if (n <= neighbours) return 'The two principal components of the region embeddings: UMAP needs more regions.';
  const umap = `UMAP (${neighbours} neighbours, cosine) of`;
  if (n <= most) return `${umap} all ${counted(n, 'region')}.`;
  return `${umap} ${counted(most, 'region')} drawn from all clusters; each of the other ${counted(n - most, 'region')} lies among its ${placedBy} nearest of them.`;
}

/** [n, 2] points within 0..1, both axes at one scale. Throws the signal's reason once it is aborted. */
export async function projectRows({ embeddings, n, dim, cluster, seed }: ProjectionInput, options: ProjectionOptions): Promise<Float32Array> {
  const { signal, progress = () => undefined, mostFitted: most = mostFitted } = options;
  const rows = finiteRows(embeddings, n, dim);
  const random = xoroshiro128plus(seed | 0);
  const sample = n <= most ? Int32Array.from({ length: n }, (_, row) => row) : stratifiedSample(cluster, n, most, random);
  const fitted = n <= most ? rows : gather(rows, sample, dim);
  const plane = principalPlane(fitted, sample.length, dim, random);
  // UMAP would blow up rounding errors where all rows are the same.
  if (n <= neighbours || plane.every((value) => Math.abs(value) < 1e-6)) return normalised(n <= neighbours ? plane : new Float32Array(2 * n));

  const blocks = Math.ceil((n - (n <= most ? n : sample.length)) / blockRows);
  const total = epochs + blocks;
  progress(0, total);
  const near = await nearest(fitted, sample.length, fitted, sample.length, dim, neighbours, signal, true);
  const layout = await layoutInThread(
    { n: sample.length, k: neighbours, neighbours: near.rows, distances: near.similarities.map((s) => Math.max(0, 1 - s)), start: spread(plane, random), epochs, seed: seed | 0 },
    (done) => progress(done, total),
    signal,
  );
  if (n <= most) return normalised(layout);
  return normalised(await placed(rows, n, dim, sample, fitted, layout, (block) => progress(epochs + block, total), signal));
}

/** Fewer leave clusters torn, more change nothing that is seen. */
const epochs = 200;
/** Rows that are compared at once; in between, the process answers others. */
const blockRows = 512;

function finiteRows(embeddings: Float32Array, n: number, dim: number): Float32Array {
  const bad: number[] = [];
  for (let row = 0; row < n; row++) if (!embeddings.subarray(row * dim, (row + 1) * dim).every(Number.isFinite)) bad.push(row);
  if (bad.length === 0) return embeddings;
  const rows = embeddings.slice(0, n * dim);
  for (const row of bad) rows.fill(0, row * dim, (row + 1) * dim);
  return rows;
}

/** `size` rows, ascending: from each cluster its share, but at least 20 or all it has, at random. */
function stratifiedSample(cluster: Int32Array, n: number, size: number, random: RandomGenerator): Int32Array {
  const members = new Map<number, number[]>();
  for (let row = 0; row < n; row++) {
    const rows = members.get(cluster[row]!);
    if (rows) rows.push(row);
    else members.set(cluster[row]!, [row]);
  }
  const clusters = [...members.entries()].sort(([a], [b]) => a - b).map(([, rows]) => shuffled(rows, random));
  const least = Math.min(20, Math.floor(size / clusters.length));
  const chosen = clusters.flatMap((rows) => rows.slice(0, least));
  const rest = shuffled(clusters.flatMap((rows) => rows.slice(least)), random);
  return Int32Array.from([...chosen, ...rest.slice(0, size - chosen.length)]).sort();
}

function shuffled(rows: number[], random: RandomGenerator): number[] {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i);
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  return rows;
}

function gather(rows: Float32Array, chosen: Int32Array, dim: number): Float32Array {
  const out = new Float32Array(chosen.length * dim);
  chosen.forEach((row, i) => out.set(rows.subarray(row * dim, (row + 1) * dim), i * dim));
  return out;
}

/** The k most similar of `others` for each of `rows`, block by block. `self`: both are the same, and a row comes first among its own. */
async function nearest(rows: Float32Array, n: number, others: Float32Array, m: number, dim: number, k: number, signal: AbortSignal, self: boolean): Promise<Neighbours> {
  const all: Neighbours = { rows: new Int32Array(n * k), similarities: new Float32Array(n * k) };
  for (let first = 0; first < n; first += blockRows) {
    const height = Math.min(blockRows, n - first);
    const similarity = await similarityMatrix(rows.subarray(first * dim, (first + height) * dim), height, others, m, dim);
    nearestRows(similarity, height, m, k, self ? first : null, all, first);
    await nextTurn();
    signal.throwIfAborted();
  }
  return all;
}

/**
 * Every row at the mean of its nearest fitted ones, each weighted by how much more similar it is than the first that no
 * longer counts: a row that is one of a group is not drawn to the next.
 */
async function placed(rows: Float32Array, n: number, dim: number, sample: Int32Array, fitted: Float32Array, layout: Float32Array, progress: (block: number) => void, signal: AbortSignal): Promise<Float32Array> {
  const points = new Float32Array(2 * n).fill(NaN);
  sample.forEach((row, i) => points.set(layout.subarray(2 * i, 2 * i + 2), 2 * row));
  const others = Int32Array.from({ length: n }, (_, row) => row).filter((row) => Number.isNaN(points[2 * row]!));
  const k = placedBy + 1;
  for (let first = 0; first < others.length; first += blockRows) {
    const block = others.subarray(first, first + blockRows);
    const near = await nearest(gather(rows, block, dim), block.length, fitted, sample.length, dim, k, signal, false);
    block.forEach((row, i) => {
      const limit = near.similarities[i * k + placedBy]!;
      let [x, y, sum] = [0, 0, 0];
      for (let at = i * k; at < i * k + placedBy; at++) {
        const weight = near.similarities[at]! - limit + 1e-6;
        sum += weight;
        x += weight * layout[2 * near.rows[at]!]!;
        y += weight * layout[2 * near.rows[at]! + 1]!;
      }
      points.set([x / sum, y / sum], 2 * row);
    });
    progress(1 + first / blockRows);
  }
  return points;
}

/** The plane as a start: 10 units to the farthest, and a little apart what lies on one point. */
function spread(plane: Float32Array, random: RandomGenerator): Float32Array {
  const farthest = plane.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return plane.map((value) => (10 * value) / farthest + 0.01 * (uniformFloat64(random) - 0.5));
}

/** Moved and scaled into 0..1, the shorter side in the middle; all in the middle where there is one point. */
function normalised(points: Float32Array): Float32Array {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  points.forEach((value, at) => {
    low[at % 2] = Math.min(low[at % 2]!, value);
    high[at % 2] = Math.max(high[at % 2]!, value);
  });
  const range = Math.max(high[0]! - low[0]!, high[1]! - low[1]!);
  return points.map((value, at) => (range > 1e-6 ? Math.min(1, Math.max(0, 0.5 + (value - (low[at % 2]! + high[at % 2]!) / 2) / range)) : 0.5));
}
