import type { Contingency } from './contingency';
import { weightedGap } from './gap';
import type { Groups } from './groups';

export interface Influence {
  /** [clusters] H_c; NaN when no mispredicted image qualifies. */
  readonly perCluster: Float64Array;
  /** [clusters, classes] H_c^y; NaN likewise. */
  readonly perClass: Float64Array;
}

export interface InfluenceInput {
  /** [images] class ids. */
  readonly labels: Int32Array;
  /** [images] class ids. */
  readonly predictions: Int32Array;
  /** Regions of each image. */
  readonly regions: Groups;
  /** Distinct clusters of each image. */
  readonly presence: Groups;
  /** [regions] */
  readonly assignment: Int32Array;
  /** [regions, classes] zero-shot scores. */
  readonly regionScores: Float32Array;
  readonly table: Contingency;
}

/**
 * How far a cluster is to blame for the errors of its images (paper, section 3.2): of the mispredicted images of class y
 * that own a region of cluster c, the share whose most damning region (highest score for the wrong predicted class,
 * ties to the smaller region id) lies in c. Only classes with p_in < p_out count; H_c is the largest share.
 *
 * The most damning region of an image does not depend on the cluster, so one pass over the images serves all clusters.
 *
 * @param skipSingleRegionImages leave out images with one region, which is damning by default (the authors' code does)
 */
export function influence(input: InfluenceInput, skipSingleRegionImages: boolean): Influence {
  const { labels, predictions, regions, presence, assignment, table } = input;
  const { clusters, classes } = table;
  const wrong = new Int32Array(clusters * classes);
  const damning = new Int32Array(clusters * classes);
  for (let image = 0; image < labels.length; image++) {
    if (predictions[image] === labels[image]) continue;
    const owned = regions.offsets[image + 1] - regions.offsets[image];
    if (owned === 0 || (owned === 1 && skipSingleRegionImages)) continue;
    const culprit = assignment[mostDamningRegion(input, image)];
    for (let at = presence.offsets[image]; at < presence.offsets[image + 1]; at++) {
      const cell = presence.members[at] * classes + labels[image];
      wrong[cell]++;
      if (presence.members[at] === culprit) damning[cell]++;
    }
  }

  const perCluster = new Float64Array(clusters).fill(NaN);
  const perClass = new Float64Array(clusters * classes).fill(NaN);
  for (let cell = 0; cell < wrong.length; cell++) {
    const y = cell % classes;
    const loses = weightedGap(table.presentN[cell], table.presentRight[cell], table.totalN[y], table.totalRight[y]) < 0;
    if (!loses || wrong[cell] === 0) continue;
    perClass[cell] = damning[cell] / wrong[cell];
    const c = (cell - y) / classes;
    // Written so that the NaN of an untouched cluster gives way.
    if (!(perCluster[c] >= perClass[cell])) perCluster[c] = perClass[cell];
  }
  return { perCluster, perClass };
}

function mostDamningRegion({ predictions, regions, regionScores, table }: InfluenceInput, image: number): number {
  const score = (region: number) => regionScores[region * table.classes + predictions[image]];
  let best = regions.members[regions.offsets[image]];
  for (let at = regions.offsets[image] + 1; at < regions.offsets[image + 1]; at++) {
    if (score(regions.members[at]) > score(best)) best = regions.members[at];
  }
  return best;
}
