/** Pseudo-groups of the training images, class × suspected feature, and what rivals make of them. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { seededRandom } from '../random';

/** [images] group of each: 2 · class + 1 with the feature, 2 · class without, -1 for an image without a class. */
export function groupIds(labels: Int32Array, present: Uint8Array): Int32Array {
  return labels.map((label, image) => (label < 0 ? -1 : 2 * label + present[image]!));
}

/**
 * A weighted sampler: `count` images drawn with replacement so that every group is as likely as any other. Images without a
 * class are never drawn.
 */
export function balancedSample(groups: Int32Array, count: number, seed: number): Int32Array {
  const members = new Map<number, number[]>();
  groups.forEach((group, image) => {
    if (group >= 0) members.set(group, [...(members.get(group) ?? []), image]);
  });
  const lists = [...members.entries()].sort(([a], [b]) => a - b).map(([, list]) => list);
  if (lists.length === 0) return new Int32Array(0);
  const random = seededRandom(seed, 'sampler');
  return Int32Array.from({ length: count }, () => {
    const list = lists[uniformInt(random, 0, lists.length - 1)]!;
    return list[uniformInt(random, 0, list.length - 1)]!;
  });
}

/**
 * Weights of groups in group DRO (Sagawa et al., ICLR 2020, algorithm 1): after each step every group of the batch grows by
 * exp(eta · its mean loss), and all are scaled to sum to 1. The weights of a step are those before it.
 */
export function groupWeights(groups: number, eta: number) {
  const weights = new Float64Array(groups).fill(1 / groups);
  const means = (ids: Int32Array, losses: ArrayLike<number>) => {
    const [sum, count] = [new Float64Array(groups), new Float64Array(groups)];
    ids.forEach((group, i) => {
      if (group < 0) return;
      sum[group]! += losses[i]!;
      count[group]! += 1;
    });
    return { sum, count };
  };
  return {
    weights,
    /** [batch] weight of each sample, such that their weighted sum is Σ_g q_g · mean loss of the group, scaled to the groups in the batch. */
    ofSamples(ids: Int32Array): Float64Array {
      const { count } = means(ids, new Float64Array(ids.length));
      const there = weights.reduce((sum, weight, group) => sum + (count[group]! > 0 ? weight : 0), 0);
      return Float64Array.from(ids, (group) => (group < 0 ? 0 : weights[group]! / (there * count[group]!)));
    },
    update(ids: Int32Array, losses: ArrayLike<number>): void {
      const { sum, count } = means(ids, losses);
      for (let group = 0; group < groups; group++) if (count[group]! > 0) weights[group]! *= Math.exp((eta * sum[group]!) / count[group]!);
      const total = weights.reduce((a, b) => a + b, 0);
      for (let group = 0; group < groups; group++) weights[group]! /= total;
    },
  };
}
