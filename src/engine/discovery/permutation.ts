import type { Contingency } from './contingency';
import { clusterGap, weightedGap } from './gap';

/** Grid steps between 0 and the observed G_c, at least, at most, and for each class that takes part. */
const STEPS = { min: 4096, max: 32768, perClass: 512 };
/** Probabilities below this are dropped: products of two of them still do not underflow. */
const NEGLIGIBLE = 1e-150;

/**
 * Permutation p-value of G_c of every cluster. Null hypothesis: within each class, owning a region of the cluster says
 * nothing about being predicted right. Shuffling correctness inside the classes then makes the right images among the
 * present ones hypergeometric, independently in each class, so the whole permutation distribution of the sum G_c follows by
 * convolution: no sampling, no seed, and no floor of 1/(1 + B) that would sink under a correction for many clusters.
 *
 * The convolution runs on a grid up to the observed value, every term rounded up: the p-value is never too small, and
 * too large only by what a shift of G_c by at most classes/steps (some 0.1%) changes.
 *
 * @param minSupport a cluster is tested when some class has this many images both with and without it; this looks at
 *   no error, so it does not bend the p-values that a correction for multiple tests is then given
 * @returns [clusters], NaN where not tested
 */
export function permutationPValues(table: Contingency, minSupport: number): Float64Array {
  const logFactorial = logFactorials(table.totalN.reduce((max, n) => Math.max(max, n), 0));
  return Float64Array.from({ length: table.clusters }, (_, c) =>
    hasSupport(table, c, minSupport) ? pValue(table, c, logFactorial) : NaN,
  );
}

/** Whether some class has at least `minSupport` images both with and without the cluster. */
export function hasSupport({ totalN, presentN, classes }: Contingency, cluster: number, minSupport: number): boolean {
  return totalN.some((n, y) => {
    const present = presentN[cluster * classes + y];
    return Math.min(present, n - present) >= minSupport;
  });
}

function pValue(table: Contingency, cluster: number, logFactorial: Float64Array): number {
  const observed = clusterGap(table, cluster);
  if (observed < 1e-12) return 1;
  const { classes, presentN, totalN } = table;
  const rows = Array.from(totalN.keys()).filter((y) => {
    const present = presentN[cluster * classes + y];
    return present > 0 && present < totalN[y];
  });
  const steps = Math.min(STEPS.max, Math.max(STEPS.min, STEPS.perClass * rows.length));
  // Rounding up also counts every tie with the observed value, whatever summation did to its last digits.
  const step = observed / steps;

  let sum = new Float64Array(steps);
  let next = new Float64Array(steps);
  let tail = 0;
  let end = 1;
  sum[0] = 1;
  for (const y of rows) {
    const atoms = gapAtoms(presentN[cluster * classes + y], totalN[y], table.totalRight[y], step, steps, logFactorial);
    const above = suffixSums(sum, end);
    next.fill(0);
    let reached = 0;
    for (const [shift, probability] of atoms) {
      const stays = Math.min(end, steps - shift);
      for (let i = 0; i < stays; i++) next[i + shift] += probability * sum[i];
      // Terms are not negative: what has reached the observed value never falls back below it.
      tail += probability * above[stays];
      reached = Math.max(reached, stays + shift);
    }
    [sum, next] = [next, sum];
    end = reached;
  }
  return Math.min(1, tail);
}

/** Distribution of |G_c^y| under the null: grid shift (at most `steps`) -> probability. */
function gapAtoms(
  presentN: number,
  totalN: number,
  totalRight: number,
  step: number,
  steps: number,
  logFactorial: Float64Array,
): Map<number, number> {
  const logChoose = (n: number, k: number) => logFactorial[n] - logFactorial[k] - logFactorial[n - k];
  const atoms = new Map<number, number>();
  const most = Math.min(presentN, totalRight);
  for (let right = Math.max(0, presentN - (totalN - totalRight)); right <= most; right++) {
    const probability = Math.exp(
      logChoose(totalRight, right) + logChoose(totalN - totalRight, presentN - right) - logChoose(totalN, presentN),
    );
    if (probability < NEGLIGIBLE) continue;
    const value = Math.abs(weightedGap(presentN, right, totalN, totalRight));
    const shift = Math.min(steps, Math.ceil(value / step));
    atoms.set(shift, (atoms.get(shift) ?? 0) + probability);
  }
  return atoms;
}

/** [end + 1]: sums of values[i..end). Clears what is negligible on the way, before it becomes slow denormals. */
function suffixSums(values: Float64Array, end: number): Float64Array {
  const sums = new Float64Array(end + 1);
  for (let i = end - 1; i >= 0; i--) {
    if (values[i] < NEGLIGIBLE) values[i] = 0;
    sums[i] = sums[i + 1] + values[i];
  }
  return sums;
}

function logFactorials(max: number): Float64Array {
  const logs = new Float64Array(max + 1);
  for (let n = 2; n <= max; n++) logs[n] = logs[n - 1] + Math.log(n);
  return logs;
}
