/**
 * K-Medoids of more rows than a distance matrix has room for, after CLARA (Kaufman & Rousseeuw 1990): cluster samples,
 * assign all rows to their medoids, keep the sample whose medoids serve all rows best. Samples here are thousands of
 * rows, not CLARA's 40 + 2k, because FasterPAM affords it; as in CLARA each holds the best medoids found so far.
 */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { assignToMedoids, cosineDistances, gatherRows } from './distances';
import { greedyMedoids, kMedoids, sampleRows, type Medoids } from './kMedoids';
import { bestTrial, sweepClusters, type SweepOptions, type Trial } from './sweep';

export interface Sampled {
  /** Of the first sample: silhouettes and losses are over its rows. */
  readonly trials: readonly Trial[];
  readonly chosen: Trial;
  /** Over all rows. */
  readonly clustering: Medoids;
}

/**
 * Chooses k by the exact silhouettes of one sample, then the medoids by `samples` of them.
 *
 * @param embeddings [n, dim], L2-normalised rows
 * @param size rows in a sample, fewer than n, more than the largest k
 */
export async function clara(
  embeddings: Float32Array,
  n: number,
  dim: number,
  ks: readonly number[],
  size: number,
  options: SweepOptions,
): Promise<Sampled> {
  const random = xoroshiro128plus(options.seed);
  // One matrix for all samples: it is most of the memory.
  const distances = new Float32Array(new SharedArrayBuffer(size * size * 4));
  const fill = (rows: Int32Array) => cosineDistances(gatherRows(embeddings, dim, rows), size, dim, distances);
  const overAll = async (rows: Int32Array, { medoids }: Medoids): Promise<Medoids> => {
    const chosen = medoids.map((row) => rows[row]);
    return { medoids: chosen, ...(await assignToMedoids(embeddings, n, dim, chosen)) };
  };

  const first = sampleRows(n, size, random).sort();
  await fill(first);
  const trials = await sweepClusters(distances, size, ks, options);
  const chosen = bestTrial(trials);
  let best = await overAll(first, chosen);
  for (let sample = 1; sample < samples; sample++) {
    options.signal?.throwIfAborted();
    const rows = Int32Array.from(new Set([...best.medoids, ...sampleRows(n, size, random)]))
      .subarray(0, size)
      .sort();
    await fill(rows);
    const greedy = greedyMedoids(distances, size, chosen.k);
    const other = await overAll(rows, kMedoids(distances, size, chosen.k, greedy, options.seed));
    if (other.loss < best.loss) best = other;
  }
  return { trials, chosen, clustering: best };
}

/** CLARA's own number. */
const samples = 5;
