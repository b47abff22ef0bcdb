import type { Report } from '../../shared/progress';
import { clara } from './clara';
import { cosineDistances } from './distances';
import { embeddingNotUnit, nothingToAnalyze } from './errors';
import type { Medoids } from './kMedoids';
import { bestTrial, sweepClusters, type Trial } from './sweep';

export interface ClusterOptions {
  /** Smallest and largest number of clusters tried, both included. */
  readonly min: number;
  readonly max: number;
  readonly seed: number;
  /** MiB for the distance matrix; where n·n·4 bytes are more, clustering works on samples. */
  readonly memoryBudget: number;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

export interface Clustering {
  readonly k: number;
  /** Mean silhouette of the chosen clustering; over the sample where the regions were sampled. */
  readonly silhouette: number;
  /** Every k tried, ascending; `loss` is the sum of distances to the medoids over the rows clustered. */
  readonly sweep: readonly { readonly k: number; readonly silhouette: number; readonly loss: number }[];
  /** [n] cluster of every row: its nearest medoid, ties to the smaller id. */
  readonly assignment: Int32Array;
  /** [k] row of every cluster's medoid, ascending: clusters are numbered by it. */
  readonly medoids: Int32Array;
  /** [n] cosine similarity to the own medoid. */
  readonly similarity: Float32Array;
  /** `exact`, or how many regions were sampled and why. */
  readonly method: string;
}

/**
 * Clusters region embeddings by K-Medoids with the cosine distance; k is the one with the best silhouette, ties to the
 * smaller (paper, section 3.1). k is held to 1..n-1: with as many clusters as rows there is nothing to tell apart.
 *
 * @param embeddings [n, dim], L2-normalised rows; never copied as a whole
 * @throws RavlError `dataset-nothing-left`, `discovery-embedding-not-unit`
 */
export async function clusterRegions(embeddings: Float32Array, n: number, dim: number, options: ClusterOptions): Promise<Clustering> {
  if (n === 0) throw nothingToAnalyze('there is no region to cluster');
  checkUnitRows(embeddings, n, dim);
  const ks = clusterCounts(n, options);
  const size = sampleSize(n, ks.at(-1)!, options.memoryBudget);
  const { trials, chosen, clustering, method } = await (size < n ? sampled : exact)(embeddings, n, dim, ks, size, options);
  return {
    k: chosen.k,
    silhouette: chosen.silhouette,
    sweep: trials.map(({ k, silhouette, loss }) => ({ k, silhouette, loss })),
    assignment: clustering.assignment,
    medoids: clustering.medoids,
    similarity: medoidSimilarity(embeddings, n, dim, clustering),
    method,
  };
}

interface Outcome {
  readonly trials: readonly Trial[];
  readonly chosen: Trial;
  readonly clustering: Medoids;
  readonly method: string;
}

type Cluster = (embeddings: Float32Array, n: number, dim: number, ks: number[], size: number, options: ClusterOptions) => Promise<Outcome>;

const exact: Cluster = async (embeddings, n, dim, ks, _size, options) => {
  const shared = new Float32Array(new SharedArrayBuffer(n * n * 4));
  const trials = await sweepClusters(await cosineDistances(embeddings, n, dim, shared), n, ks, options);
  const chosen = bestTrial(trials);
  return { trials, chosen, clustering: chosen, method: 'exact' };
};

const sampled: Cluster = async (embeddings, n, dim, ks, size, options) => {
  const needed = Math.ceil((n * n * 4) / mebibyte);
  const method =
    `CLARA on samples of ${size} of ${n} regions: the distances of all would take ${needed} MiB, ` +
    `the budget is ${options.memoryBudget} MiB`;
  options.report?.({ type: 'note', level: 'info', text: `Clustering by ${method}.` });
  return { ...(await clara(embeddings, n, dim, ks, size, options)), method };
};

const mebibyte = 2 ** 20;

/** A larger sample costs its square in time, and finds hardly better medoids. */
const largestSample = 8192;

/** The longest array of distances that one ArrayBuffer of 4 GiB holds. */
const mostRows = 32_000;

/** n where the distances of all rows fit the budget; else as many rows as fit, but at least CLARA's 40 + 2k. */
function sampleSize(n: number, k: number, memoryBudget: number): number {
  const fitting = Math.min(mostRows, Math.floor(Math.sqrt((memoryBudget * mebibyte) / 4)));
  return n <= fitting ? n : Math.min(n, Math.max(Math.min(fitting, largestSample), 40 + 2 * k));
}

function clusterCounts(n: number, { min, max, report }: ClusterOptions): number[] {
  const most = Math.max(1, n - 1);
  const last = Math.max(1, Math.min(max, most));
  const first = Math.max(1, Math.min(min, last));
  if (last < max) report?.({ type: 'note', level: 'warning', text: `${n} regions allow at most ${last} clusters: fewer than the ${max} asked for.` });
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function checkUnitRows(embeddings: Float32Array, n: number, dim: number): void {
  for (let row = 0; row < n; row++) {
    let square = 0;
    for (let i = row * dim; i < (row + 1) * dim; i++) square += embeddings[i] * embeddings[i];
    // Written so that NaN fails; float16 encoders reach unit length to about 1e-3.
    if (!(Math.abs(square - 1) < 0.01)) throw embeddingNotUnit(row, Number.isFinite(square) ? `has length ${Math.sqrt(square).toPrecision(3)}` : 'is not a number');
  }
}

function medoidSimilarity(embeddings: Float32Array, n: number, dim: number, { assignment, medoids }: Medoids): Float32Array {
  const similarity = new Float32Array(n);
  for (let row = 0; row < n; row++) {
    const own = row * dim;
    const medoid = medoids[assignment[row]] * dim;
    let dot = 0;
    for (let i = 0; i < dim; i++) dot += embeddings[own + i] * embeddings[medoid + i];
    similarity[row] = dot;
  }
  return similarity;
}
