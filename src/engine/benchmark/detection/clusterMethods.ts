/** Methods that rank K-Medoids clusters by how accuracy changes with them: RaVL, its ablations, and Spurious-Aware Detection. */
import type { Config } from '../../../shared/config';
import { clusterRegions } from '../../discovery/clustering';
import { countContingency, emptyContingency, imageClusters } from '../../discovery/contingency';
import { classGaps, clusterGap, hasBothSigns, type ClassGap } from '../../discovery/gap';
import { groupBy } from '../../discovery/groups';
import { influence } from '../../discovery/influence';
import { bySuspicion, descending, type DetectionMethod, type DetectionProblem, type Suspect } from './problem';

const paper = 'Varma et al., RaVL, NeurIPS 2024';

export const spuriousAware: DetectionMethod = {
  id: 'spurious-aware',
  name: 'Spurious-Aware Detection',
  source: 'Yang et al., Mitigating Spurious Correlations in Multi-modal Models during Fine-tuning, ICML 2023: the largest loss of accuracy that a feature costs one class; features are the same clusters as for RaVL.',
  detect: (problem) => ranked(problem, ({ rows }) => Math.max(...rows.map(({ gap }) => (gap === null ? -Infinity : Math.abs(gap))))),
};

export const unweightedGap: DetectionMethod = {
  id: 'ravl-unweighted',
  name: 'RaVL, unweighted gap alone',
  source: `${paper}, ablation: the sum of |p_in - p_out| over the classes.`,
  detect: (problem) => ranked(problem, ({ rows }) => rows.reduce((sum, { gap }) => sum + Math.abs(gap ?? 0), 0)),
};

export const weightedGap: DetectionMethod = {
  id: 'ravl-weighted',
  name: 'RaVL, weighted gap alone',
  source: `${paper}, ablation: G_c.`,
  detect: (problem) => ranked(problem, ({ gap }) => gap),
};

export const ravl: DetectionMethod = {
  id: 'ravl',
  name: 'RaVL',
  source: `${paper}: G_c of the clusters with H_c of 0.25 or more, and with a class that gains and one that loses.`,
  detect: (problem) => ranked(problem, ({ gap, rows, influence: h }) => (h >= 0.25 && hasBothSigns(rows) ? gap : NaN)),
};

interface ClusterScores {
  readonly rows: readonly ClassGap[];
  /** G_c */
  readonly gap: number;
  /** H_c; NaN where it cannot be measured. */
  readonly influence: number;
}

/** MiB for the distances of all regions; beyond, samples are clustered. */
const memoryBudget: Config['discovery']['memoryBudget'] = 1024;

async function ranked(problem: DetectionProblem, score: (cluster: ClusterScores) => number): Promise<Suspect[]> {
  const { classes, labels, predictions, regionImage, regionScores } = problem;
  if (regionImage.length === 0) return [];
  const { k, assignment, similarity } = await clusteringOf(problem);
  const regions = groupBy(regionImage, labels.length);
  const presence = imageClusters(regions, assignment);
  const table = countContingency(presence, labels, predictions, emptyContingency(k, classes));
  const { perCluster } = influence({ labels, predictions, regions, presence, assignment, regionScores, table }, true);
  const { offsets, members } = groupBy(assignment, k);
  return bySuspicion(
    Array.from({ length: k }, (_, c) => ({
      regions: descending(similarity, members.slice(offsets[c], offsets[c + 1])),
      score: score({ rows: classGaps(table, c), gap: clusterGap(table, c), influence: perCluster[c]! }),
    })),
  );
}

/** The four methods share the clusters: they are the dear part. */
const known = new WeakMap<Float32Array, ReturnType<typeof clusterRegions>>();

/** The clusters of a problem, made once. */
export function clusteringOf({ regions, regionImage, dim, classes, seed }: DetectionProblem): ReturnType<typeof clusterRegions> {
  const there = known.get(regions);
  if (there) return there;
  const clustering = clusterRegions(regions, regionImage.length, dim, { min: 2 * classes, max: 5 * classes, seed, memoryBudget });
  known.set(regions, clustering);
  return clustering;
}
