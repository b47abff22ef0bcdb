import { describe, expect, it } from 'vitest';
import { clusterRegions } from '../../../src/engine/discovery/clustering';
import { rankClusters, type RankingInput } from '../../../src/engine/discovery/ranking';
import { configSchema, type DiscoveryConfig } from '../../../src/shared/config';
import { syntheticRegions, type SyntheticRegions } from '../../fixtures/syntheticRegions';

const defaults = configSchema.parse({ checkpoint: 'c', data: { validation: 'v' } }).discovery;
const seeds = Array.from({ length: 10 }, (_, seed) => seed);

const cluster = ({ embeddings, dim, regionImage }: SyntheticRegions, k: number) =>
  clusterRegions(embeddings, regionImage.length, dim, { min: k, max: k, seed: 0, memoryBudget: 1024 });

async function rank(data: SyntheticRegions, seed: number) {
  return rankClusters({ ...data, clustering: await cluster(data, 2 * data.classes.length) }, { ...defaults, bootstrap: 100 }, seed);
}

describe('synthetic regions', () => {
  it('with a planted feature, the top cluster is the feature, in 10 of 10 seeds', async () => {
    for (const seed of seeds) {
      const data = syntheticRegions({ planted: true, seed });
      const [top] = await rank(data, seed);
      expect(top).toMatchObject({ rank: 1, flagged: true, reasons: [], attribute: 'class 0' });
      const first = Array.from(top.regions.subarray(0, 10));
      expect(first.filter((region) => data.hasFeature[region] === 1)).toHaveLength(10);
      expect(top.pValue).toBeLessThan(0.05);
      expect(top.qValue).toBeGreaterThanOrEqual(top.pValue!);
      expect(top.gapInterval![0]).toBeGreaterThan(1);
      // Planted: 90% of the errors with the feature go to class 0, and its accuracy turns from 10% to 90%.
      const gains = top.classes[0];
      expect(gains.gap).toBeGreaterThan(0.6);
      expect(gains.interval![0]).toBeGreaterThan(0);
      for (const loses of top.classes.slice(1)) expect(loses.interval![1]).toBeLessThan(0);
    }
  });

  it('with nothing planted, no cluster is flagged in at least 9 of 10 seeds', async () => {
    const runs = await Promise.all(seeds.map((seed) => rank(syntheticRegions({ planted: false, seed }), seed)));
    expect(runs.filter((ranked) => ranked.every((c) => !c.flagged)).length).toBeGreaterThanOrEqual(9);
  });

  it('without any pruning either: the test alone keeps chance out', async () => {
    const config: DiscoveryConfig = { ...defaults, minInfluence: 0, bothSigns: false, bootstrap: 0 };
    let clean = 0;
    for (const seed of seeds) {
      const data = syntheticRegions({ planted: false, seed: 100 + seed });
      const ranked = rankClusters({ ...data, clustering: await cluster(data, 10) }, config, seed);
      if (ranked.every((c) => !c.flagged)) clean++;
    }
    expect(clean).toBeGreaterThanOrEqual(9);
  });
});

/** Images with the clusters of their regions; scores blame every region alike, so the first of each image. */
function small(labels: number[], predictions: number[], clusters: number[][], classes = 2): RankingInput {
  const regions = clusters.flatMap((own, image) => own.map((c) => ({ image, c })));
  const k = Math.max(...regions.map((r) => r.c)) + 1;
  return {
    classes: Array.from({ length: classes }, (_, y) => `c${y}`),
    labels: Int32Array.from(labels),
    predictions: Int32Array.from(predictions),
    regionImage: Int32Array.from(regions, (r) => r.image),
    regionScores: new Float32Array(regions.length * classes).fill(1 / classes),
    clustering: {
      k,
      assignment: Int32Array.from(regions, (r) => r.c),
      medoids: Int32Array.from({ length: k }, (_, c) => regions.findIndex((r) => r.c === c)),
      similarity: new Float32Array(regions.length).fill(0.5),
    },
  };
}

describe('ranking', async () => {
  const planted = syntheticRegions({ planted: true, seed: 42 });
  const input = { ...planted, clustering: await cluster(planted, 12) };
  const ranked = rankClusters(input, { ...defaults, bootstrap: 50 }, 0);

  it('lists every cluster once: flagged, then ranked by G_c, then pruned by G_c, each with its reasons', () => {
    expect(ranked.map((c) => c.cluster).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, c) => c));
    const group = (c: (typeof ranked)[number]) => (c.flagged ? 0 : c.rank !== null ? 1 : 2);
    for (let i = 1; i < ranked.length; i++) {
      expect(group(ranked[i])).toBeGreaterThanOrEqual(group(ranked[i - 1]));
      if (group(ranked[i]) === group(ranked[i - 1])) expect(ranked[i].gap).toBeLessThanOrEqual(ranked[i - 1].gap);
    }
    const ranks = ranked.filter((c) => c.rank !== null).sort((a, b) => a.rank! - b.rank!);
    ranks.forEach((c, i) => expect(c.rank).toBe(i + 1));
    ranks.slice(1).forEach((c, i) => expect(c.gap).toBeLessThanOrEqual(ranks[i].gap));
    for (const c of ranked) expect(c.reasons.length === 0).toBe(c.flagged);
    expect(ranked.some((c) => c.rank === null)).toBe(true);
  });

  it('orders members by similarity to the medoid and keeps 100', () => {
    for (const c of ranked) {
      expect(c.regions).toHaveLength(Math.min(100, c.size));
      const { similarity, assignment } = input.clustering;
      const best = Array.from(similarity.keys()).filter((r) => assignment[r] === c.cluster);
      best.sort((a, b) => similarity[b] - similarity[a] || a - b);
      expect(Array.from(c.regions)).toEqual(best.slice(0, 100));
    }
  });

  it('gives counter-examples that are what they say', () => {
    for (const c of ranked) {
      const has = (image: number) => [0, 1, 2, 3].some((r) => input.clustering.assignment[image * 4 + r] === c.cluster);
      const loses = (image: number) => (c.classes[planted.labels[image]].gap ?? 0) < 0;
      const right = (image: number) => planted.predictions[image] === planted.labels[image];
      const counted = (test: (image: number) => boolean) => Math.min(20, Array.from(planted.labels.keys()).filter(test).length);
      const { presentRight, absentWrong } = c.counterExamples;
      for (const image of presentRight) expect([has(image), loses(image), right(image)]).toEqual([true, true, true]);
      for (const image of absentWrong) expect([has(image), loses(image), right(image)]).toEqual([false, true, false]);
      expect(new Set(presentRight).size).toBe(counted((i) => has(i) && loses(i) && right(i)));
      expect(new Set(absentWrong).size).toBe(counted((i) => !has(i) && loses(i) && !right(i)));
    }
  });

  it('prunes what falls short of minInfluence', () => {
    const top = ranked[0];
    expect(top.influence).toBeGreaterThan(defaults.minInfluence);
    const asked = (minInfluence: number) =>
      rankClusters(input, { ...defaults, bootstrap: 0, minInfluence }, 0).find((c) => c.cluster === top.cluster)!;
    expect(asked(top.influence!)).toMatchObject({ rank: 1, flagged: true });
    // Nothing exceeds 1, so this asks for more than there is.
    const pruned = asked(1 + 1e-9);
    expect(pruned).toMatchObject({ rank: null, flagged: false });
    expect(pruned.reasons[0]).toContain(`influence ${top.influence!.toFixed(2)} is below`);
  });

  it('does not flag what rests on fewer images than minSupport', () => {
    const strict = rankClusters(input, { ...defaults, bootstrap: 0, minSupport: 1000 }, 0);
    expect(strict.every((c) => !c.flagged && c.pValue === null && c.qValue === null)).toBe(true);
    expect(strict.find((c) => c.rank === 1)!.reasons).toEqual(['No class has 1000 images both with and without it.']);
  });
});

describe('minimum support', () => {
  // Class 0 loses by cluster 0 (0 of 6 right with it, 6 of 6 without); class 1 gains, but only one image shows it.
  const many = (n: number, of: number) => new Array<number>(n).fill(of);
  const labels = [...many(12, 0), ...many(13, 1), ...many(12, 2)];
  const predictions = [...many(6, 1), ...many(6, 0), 1, ...many(12, 0), ...many(6, 2), ...many(6, 2)];
  const clusters = [...many(6, 0), ...many(6, 1), 0, ...many(12, 1), ...many(6, 0), ...many(6, 1)].map((c) => [c, 2]);
  const data = small(labels, predictions, clusters, 3);

  it('keeps a gain that one image makes from flagging a cluster and from naming its class', () => {
    const find = (minSupport: number) => rankClusters(data, { ...defaults, bootstrap: 0, minSupport }, 0).find((c) => c.cluster === 0)!;
    expect(find(1)).toMatchObject({ rank: 1, flagged: true, attribute: 'c1', influence: 1 });
    expect(find(5)).toMatchObject({ rank: 1, flagged: false, attribute: 'c2' });
    expect(find(5).reasons).toEqual(['No class that gains by it has 5 images both with and without it.']);
  });
});

describe('degenerate data', () => {
  const config = { ...defaults, bootstrap: 20 };

  it('one class only: a gap, but nothing that gains', () => {
    const [top] = rankClusters(small([0, 0, 0, 0], [1, 1, 0, 0], [[0, 1], [0, 1], [1, 1], [1, 1]], 2), config, 0);
    expect(top).toMatchObject({ cluster: 0, gap: 1, attribute: 'c0', rank: null, flagged: false });
    expect(top.reasons).toContain('No class gains by it.');
  });

  it('a single region an image: no influence to measure, unless asked for', () => {
    const single = small([0, 0, 1, 1], [1, 0, 1, 0], [[0], [1], [0], [1]]);
    const [skipped] = rankClusters(single, config, 0);
    expect(skipped).toMatchObject({ gap: 2, influence: null, rank: null });
    expect(skipped.reasons).toContain('No class that loses by it has a wrong image to trace back to a region.');
    // The two clusters mirror each other: equal gaps, the smaller id first.
    const both = rankClusters(single, { ...config, skipSingleRegionImages: false }, 0);
    expect(both.map((c) => [c.cluster, c.gap, c.rank])).toEqual([[0, 2, 1], [1, 2, 2]]);
    const [counted] = rankClusters(single, { ...config, skipSingleRegionImages: false }, 0);
    expect(counted).toMatchObject({ gap: 2, influence: 1, rank: 1 });
  });

  it('a cluster in every image, and a class without images', () => {
    const everywhere = rankClusters(small([0, 0, 1], [0, 1, 1], [[0], [0], [0]], 3), config, 0);
    expect(everywhere).toHaveLength(1);
    expect(everywhere[0]).toMatchObject({ gap: 0, gapInterval: null, pValue: null, influence: null, attribute: null, support: 3, size: 3 });
    expect(everywhere[0].reasons[0]).toBe('No class has images both with and without it.');
    expect(everywhere[0].classes[2]).toMatchObject({ presentN: 0, absentN: 0, presentAcc: null, absentAcc: null, interval: null });
  });
});
