/**
 * K-Medoids over a distance matrix: choose k rows (medoids) so that the distances of all rows to their nearest one add
 * up to little.
 *
 * FasterPAM (Schubert & Rousseeuw 2021, "Fast and eager k-medoids clustering", Inf. Syst. 101, algorithm 4) makes a swap
 * as soon as it finds one that helps, and weighs a candidate against all k medoids in one pass over the rows: what
 * removing each medoid would cost is kept in an array, what the candidate changes is added on top. It starts from PAM's
 * own greedy BUILD, whose choices for k are the first k of its choices for any larger k, so one run serves a whole sweep.
 *
 * All functions read `distances`, row-major [n, n] float32, symmetric, in 0..1, with a zero diagonal.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { openScan, type Scan } from './scan';

export interface Medoids {
  /** [k] rows, ascending: a medoid's place is its cluster's id. */
  readonly medoids: Int32Array;
  /** [n] cluster of every row: its nearest medoid, ties to the smaller id; a medoid is in its own cluster. */
  readonly assignment: Int32Array;
  /** Sum of the distances of all rows to their medoid. */
  readonly loss: number;
}

/**
 * The best of FasterPAM from the greedy start and, where n is small enough for them to be cheap, from random starts.
 *
 * Eager swaps end in another optimum than textbook PAM's best swaps, better or worse by chance. Over 500 random problems of
 * 30 to 120 rows the greedy start alone was worse than PAM in 54 (by up to 7%), with the restarts in 3 (by up to 0.5%).
 *
 * @param greedy [k or more] of `greedyMedoids`
 * @param seed of the random starts; without effect from 2,049 rows on
 */
export function kMedoids(distances: Float32Array, n: number, k: number, greedy: Int32Array, seed: number): Medoids {
  const random = xoroshiro128plus(seed);
  let best = fasterPam(distances, n, greedy.subarray(0, k));
  for (let restart = 0; restart < restarts(n); restart++) {
    const other = fasterPam(distances, n, sampleRows(n, k, random));
    if (other.loss < best.loss) best = other;
  }
  return best;
}

/** As many as cost little in all. */
const restarts = (n: number) => Math.min(64, Math.floor(2 ** 22 / (n * n)));

/**
 * PAM's BUILD (Kaufman & Rousseeuw 1990): the row with the smallest sum of distances, then again and again the row that
 * lowers the loss most; ties to the smaller row. A row's gain only falls as medoids are added (the loss is submodular),
 * so a gain computed earlier is an upper bound, and only rows whose bound is the highest are looked at again.
 *
 * @returns [k] rows in the order of choice
 */
export function greedyMedoids(distances: Float32Array, n: number, k: number): Int32Array {
  const greedy = new Int32Array(k);
  const scan = openScan(n);
  const nearest = scan.limits.fill(farthest);
  const bound = new Float64Array(n).fill(Infinity);
  const computedFor = new Int32Array(n).fill(-1);
  for (let slot = 0; slot < k; slot++) {
    let best = indexOfMaximum(bound);
    while (computedFor[best] !== slot) {
      bound[best] = gain(distances.subarray(best * n, (best + 1) * n), scan);
      computedFor[best] = slot;
      best = indexOfMaximum(bound);
    }
    greedy[slot] = best;
    bound[best] = -1;
    for (let o = 0; o < n; o++) nearest[o] = Math.min(nearest[o], distances[best * n + o]);
  }
  return greedy;
}

/** By how much the loss falls when the row whose distances are given becomes a medoid. */
function gain(row: Float32Array, scan: Scan): number {
  const { limits, hits } = scan;
  const count = scan.below(row);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += limits[hits[i]] - row[hits[i]];
  return sum;
}

function indexOfMaximum(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * FasterPAM from given medoids: ends where no single swap lowers the loss. O(n²) a pass over the candidates.
 *
 * @param start [k] distinct rows
 */
export function fasterPam(distances: Float32Array, n: number, start: Int32Array): Medoids {
  const k = start.length;
  const medoids = start.slice();
  const isMedoid = new Uint8Array(n);
  for (const medoid of medoids) isMedoid[medoid] = 1;
  const scan = openScan(n);
  const near = nearestTwo(distances, n, medoids, scan.limits);
  const { firstDistance, secondDistance } = near;
  const removal = removalLoss(near, n, k);
  const change = new Float64Array(k);

  for (let candidate = 0, unchanged = 0; unchanged < n; candidate = (candidate + 1) % n, unchanged++) {
    if (isMedoid[candidate]) continue;
    change.set(removal);
    let added = 0;
    const row = distances.subarray(candidate * n, (candidate + 1) * n);
    const hits = scan.below(row);
    for (let i = 0; i < hits; i++) {
      const o = scan.hits[i];
      const first = firstDistance[o];
      // A row that the candidate would take is no longer a loss when its medoid leaves: its part of the removal loss goes.
      if (row[o] < first) {
        added += row[o] - first;
        change[near.first[o]] += first - secondDistance[o];
      } else {
        change[near.first[o]] += row[o] - secondDistance[o];
      }
    }
    let slot = 0;
    for (let m = 1; m < k; m++) if (change[m] < change[slot]) slot = m;
    // The sums carry rounding of about 1e-13: less than this is no improvement, and could swap for ever.
    if (!(added + change[slot] < -1e-9)) continue;
    isMedoid[medoids[slot]] = 0;
    isMedoid[candidate] = 1;
    medoids[slot] = candidate;
    swapIn(distances, n, medoids, slot, near);
    removal.set(removalLoss(near, n, k));
    unchanged = 0;
  }
  return assign(distances, n, medoids.sort());
}

/** No distance is larger. Where there is one medoid only, the second counts as this far, which leaves every swap's sum right. */
const farthest = 1;

/** The nearest and the second nearest medoid of every row, as slots. */
interface NearestTwo {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly firstDistance: Float32Array;
  readonly secondDistance: Float32Array;
}

function nearestTwo(distances: Float32Array, n: number, medoids: Int32Array, secondDistance: Float32Array): NearestTwo {
  const near = { first: new Int32Array(n), second: new Int32Array(n), firstDistance: new Float32Array(n), secondDistance };
  for (let o = 0; o < n; o++) searchRow(distances, n, medoids, o, near);
  return near;
}

function searchRow(distances: Float32Array, n: number, medoids: Int32Array, o: number, near: NearestTwo): void {
  let first = -1;
  let second = -1;
  let firstDistance = Infinity;
  let secondDistance = farthest;
  for (let m = 0; m < medoids.length; m++) {
    const d = distances[medoids[m] * n + o];
    if (d < firstDistance) {
      second = first;
      secondDistance = Math.min(firstDistance, farthest);
      first = m;
      firstDistance = d;
    } else if (d < secondDistance) {
      second = m;
      secondDistance = d;
    }
  }
  near.first[o] = first;
  near.second[o] = second;
  near.firstDistance[o] = firstDistance;
  near.secondDistance[o] = secondDistance;
}

/** Brings `near` up to date after the medoid in `slot` has been replaced. */
function swapIn(distances: Float32Array, n: number, medoids: Int32Array, slot: number, near: NearestTwo): void {
  const { first, second, firstDistance, secondDistance } = near;
  for (let o = 0, at = medoids[slot] * n; o < n; o++, at++) {
    const d = distances[at];
    if (first[o] === slot || second[o] === slot) searchRow(distances, n, medoids, o, near);
    else if (d < firstDistance[o]) {
      second[o] = first[o];
      secondDistance[o] = firstDistance[o];
      first[o] = slot;
      firstDistance[o] = d;
    } else if (d < secondDistance[o]) {
      second[o] = slot;
      secondDistance[o] = d;
    }
  }
}

/** [k] by how much the loss rises when a medoid is removed and its rows go to their second nearest. */
function removalLoss(near: NearestTwo, n: number, k: number): Float64Array {
  const loss = new Float64Array(k);
  for (let o = 0; o < n; o++) loss[near.first[o]] += near.secondDistance[o] - near.firstDistance[o];
  return loss;
}

function assign(distances: Float32Array, n: number, medoids: Int32Array): Medoids {
  const assignment = new Int32Array(n);
  let loss = 0;
  for (let o = 0; o < n; o++) {
    let best = 0;
    for (let m = 1; m < medoids.length; m++) if (distances[medoids[m] * n + o] < distances[medoids[best] * n + o]) best = m;
    assignment[o] = best;
    loss += distances[medoids[best] * n + o];
  }
  // Of two medoids that are duplicates, both would else go to the first, and a cluster would be empty.
  medoids.forEach((medoid, cluster) => (assignment[medoid] = cluster));
  return { medoids, assignment, loss };
}

/** k distinct rows, by a partial Fisher-Yates shuffle. */
export function sampleRows(n: number, k: number, random: RandomGenerator): Int32Array {
  const rows = Int32Array.from({ length: n }, (_, row) => row);
  for (let i = 0; i < k; i++) {
    const j = uniformInt(random, i, n - 1);
    [rows[i], rows[j]] = [rows[j], rows[i]];
  }
  return rows.slice(0, k);
}
