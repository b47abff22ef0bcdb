import type { DiscoveryConfig } from '../../shared/config';
import type { Finding } from '../../shared/findings';
import { gapIntervals } from './bootstrap';
import { countContingency, emptyContingency, imageClusters, type Contingency } from './contingency';
import { benjaminiHochberg } from './falseDiscovery';
import { classGaps, hasBothSigns, strongestClass, type ClassGap } from './gap';
import { groupBy, type Groups } from './groups';
import { influence } from './influence';
import { newcombeInterval, type Interval } from './intervals';
import { permutationPValues } from './permutation';

/** At most this many rows of evidence a cluster. */
const EVIDENCE = { regions: 100, counterExamples: 20 };

export interface RankingInput {
  /** Class names in class-id order. */
  readonly classes: readonly string[];
  /** [images] class ids. */
  readonly labels: Int32Array;
  /** [images] zero-shot predictions, class ids. */
  readonly predictions: Int32Array;
  /** [regions] image of each region. */
  readonly regionImage: Int32Array;
  /** [regions, classes] zero-shot scores of the regions. */
  readonly regionScores: Float32Array;
  readonly clustering: {
    readonly k: number;
    /** [regions] cluster of each region. */
    readonly assignment: Int32Array;
    /** [k] region ids. */
    readonly medoids: Int32Array;
    /** [regions] cosine similarity to the own medoid. */
    readonly similarity: Float32Array;
  };
}

/** A finding in ids: what is left to add is its name and what the ids stand for. */
export type RankedCluster = Omit<Finding, 'name' | 'regions' | 'counterExamples'> & {
  /** Region ids, nearest to the medoid first, 100 at most. */
  readonly regions: Int32Array;
  /** Image ids, 20 at most each. */
  readonly counterExamples: { readonly presentRight: Int32Array; readonly absentWrong: Int32Array };
};

/**
 * Scores, tests, prunes and ranks the clusters (paper, section 3.2).
 *
 * - Pruned: H_c below `minInfluence` (or nothing to measure it on), or, with `bothSigns`, no class that gains or none that loses.
 *   The others are ranked by G_c, ties by cluster id.
 * - Tested: every cluster with enough support, before any pruning: pruning looks at errors and would bend the p-values.
 * - Flagged: ranked, q < alpha, and the gap shows (with `bothSigns`, in both directions) in classes with `minSupport` images
 *   both with and without the feature. Those classes come first for the attribute as well. G_c itself sums over all classes, as in the paper.
 *
 * @returns flagged clusters by rank, then the other ranked ones, then the pruned by G_c
 */
export function rankClusters(input: RankingInput, config: DiscoveryConfig, seed: number): RankedCluster[] {
  const { labels, predictions, regionImage, regionScores, classes, clustering } = input;
  const { k, assignment, medoids } = clustering;
  const regions = groupBy(regionImage, labels.length);
  const presence = imageClusters(regions, assignment);
  const table = countContingency(presence, labels, predictions, emptyContingency(k, classes.length));
  const influences = influence(
    { labels, predictions, regions, presence, assignment, regionScores, table },
    config.skipSingleRegionImages,
  );
  const pValues = permutationPValues(table, config.minSupport);
  const qValues = benjaminiHochberg(pValues);
  const intervals = gapIntervals(table, presence, labels, predictions, config.bootstrap, seed);
  const members = groupBy(assignment, k);
  const support = new Int32Array(k);
  for (const c of presence.members) support[c]++;
  const imagesOfClass = groupBy(labels, classes.length);

  const judged = Array.from({ length: k }, (_, c) => {
    const rows = classGaps(table, c);
    const h = numberOrNull(influences.perCluster[c]);
    const q = numberOrNull(qValues[c]);
    const pruned = pruneReasons(rows, h, config);
    const doubts = doubtReasons(rows, q, config);
    const regionIds = byMedoid(members, clustering.similarity, c);
    const attribute = attributeOf(rows, config.minSupport);
    const cluster: RankedCluster = {
      cluster: c,
      rank: null,
      flagged: pruned.length + doubts.length === 0,
      reasons: [...pruned, ...doubts],
      attribute: attribute === null ? null : classes[attribute],
      gap: rows.reduce((sum, { weighted }) => sum + Math.abs(weighted), 0),
      gapInterval: intervals[c],
      influence: h,
      pValue: numberOrNull(pValues[c]),
      qValue: q,
      support: support[c],
      size: regionIds.length,
      medoid: medoids[c],
      classes: rows.map((row, y) => ({
        label: classes[y],
        ...row,
        interval: classInterval(table, c, y),
        influence: numberOrNull(influences.perClass[c * classes.length + y]),
      })),
      regions: regionIds.slice(0, EVIDENCE.regions),
      counterExamples: counterExamples(input, rows, regionIds, imagesOfClass),
    };
    return { cluster, pruned: pruned.length > 0 };
  });

  const byGap = judged.sort((a, b) => b.cluster.gap - a.cluster.gap || a.cluster.cluster - b.cluster.cluster);
  const ranked = byGap.filter((j) => !j.pruned).map((j, i) => ({ ...j.cluster, rank: i + 1 }));
  return [
    ...ranked.filter((c) => c.flagged),
    ...ranked.filter((c) => !c.flagged),
    ...byGap.filter((j) => j.pruned).map((j) => j.cluster),
  ];
}

function pruneReasons(rows: readonly ClassGap[], h: number | null, config: DiscoveryConfig): string[] {
  if (rows.every(({ gap }) => gap === null)) return ['No class has images both with and without it.'];
  const reasons: string[] = [];
  if (config.bothSigns && !hasBothSigns(rows)) {
    reasons.push(rows.some(({ gap }) => gap !== null && gap > 0) ? 'No class loses by it.' : 'No class gains by it.');
  }
  if (h === null && config.minInfluence > 0) {
    reasons.push('No class that loses by it has a wrong image to trace back to a region.');
  } else if (h !== null && h < config.minInfluence) {
    reasons.push(
      `Its influence ${h.toFixed(2)} is below ${config.minInfluence}: the wrong images look like the wrong class elsewhere.`,
    );
  }
  return reasons;
}

function doubtReasons(rows: readonly ClassGap[], q: number | null, config: DiscoveryConfig): string[] {
  const supported = rows.filter((row) => isSupported(row, config.minSupport));
  if (supported.length === 0) return [`No class has ${config.minSupport} images both with and without it.`];
  const reasons: string[] = [];
  if (config.bothSigns && hasBothSigns(rows) && !hasBothSigns(supported)) {
    const missing = supported.some(({ gap }) => gap !== null && gap > 0) ? 'loses' : 'gains';
    reasons.push(`No class that ${missing} by it has ${config.minSupport} images both with and without it.`);
  }
  if (q !== null && q >= config.alpha) reasons.push(`Its gap may well be chance (q = ${q.toFixed(3)}, not below ${config.alpha}).`);
  return reasons;
}

function isSupported({ presentN, absentN }: ClassGap, minSupport: number): boolean {
  return Math.min(presentN, absentN) >= minSupport;
}

/** The class the feature pulls towards, among those with support where there are any. */
function attributeOf(rows: readonly ClassGap[], minSupport: number): number | null {
  const supported = rows.map((row) => (isSupported(row, minSupport) ? row : { ...row, gap: null }));
  return strongestClass(supported) ?? strongestClass(rows);
}

function classInterval(table: Contingency, cluster: number, y: number): Interval | null {
  const n = table.presentN[cluster * table.classes + y];
  const right = table.presentRight[cluster * table.classes + y];
  return newcombeInterval(right, n, table.totalRight[y] - right, table.totalN[y] - n);
}

/** Members of a cluster, nearest to the medoid first, ties by region id. */
function byMedoid({ offsets, members }: Groups, similarity: Float32Array, cluster: number): Int32Array {
  return members.slice(offsets[cluster], offsets[cluster + 1]).sort((a, b) => similarity[b] - similarity[a] || a - b);
}

/**
 * Images of the classes that lose by the feature: those that have it and are right all the same (clearest feature first),
 * and those that lack it and are wrong all the same (from the class that loses most, by image id).
 */
function counterExamples(
  { labels, predictions, regionImage }: RankingInput,
  rows: readonly ClassGap[],
  regions: Int32Array,
  imagesOfClass: Groups,
): RankedCluster['counterExamples'] {
  const losers = Array.from(rows.keys()).filter((y) => rows[y].weighted < 0);
  losers.sort((a, b) => rows[a].weighted - rows[b].weighted || a - b);
  const present = new Set<number>();
  for (const region of regions) present.add(regionImage[region]);
  const right = [...present].filter((i) => predictions[i] === labels[i] && rows[labels[i]].weighted < 0);
  const wrong = losers.flatMap((y) =>
    Array.from(imagesOfClass.members.subarray(imagesOfClass.offsets[y], imagesOfClass.offsets[y + 1])).filter(
      (i) => predictions[i] !== y && !present.has(i),
    ),
  );
  const few = (images: number[]) => Int32Array.from(images.slice(0, EVIDENCE.counterExamples));
  return { presentRight: few(right), absentWrong: few(wrong) };
}

/** NaN stands for "could not be measured" in columns; JSON has null for it. */
function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
