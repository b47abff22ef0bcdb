import type { Groups } from './groups';

/**
 * The numbers behind every score of a cluster: images by cluster × class × correctness. An image counts as present in
 * a cluster when it owns at least one of its regions, however many. Columns are row-major [clusters, classes].
 */
export interface Contingency {
  readonly clusters: number;
  readonly classes: number;
  /** [clusters, classes] images of the class that own a region of the cluster. */
  readonly presentN: Int32Array;
  /** [clusters, classes] those of them that are predicted right. */
  readonly presentRight: Int32Array;
  /** [classes] all images of the class. */
  readonly totalN: Int32Array;
  /** [classes] */
  readonly totalRight: Int32Array;
}

/**
 * Counts the contingency table of images.
 *
 * @param presence clusters of each image, as `imageClusters` gives them
 * @param labels [images] class ids
 * @param predictions [images] class ids
 * @param table overwritten and returned
 * @param weights [images] how often each image counts; once when left out
 */
export function countContingency(
  presence: Groups,
  labels: Int32Array,
  predictions: Int32Array,
  table: Contingency,
  weights?: Int32Array,
): Contingency {
  const { classes, presentN, presentRight, totalN, totalRight } = table;
  for (const column of [presentN, presentRight, totalN, totalRight]) column.fill(0);
  for (let image = 0; image < labels.length; image++) {
    const weight = weights === undefined ? 1 : weights[image];
    if (weight === 0) continue;
    const label = labels[image];
    const right = predictions[image] === label ? weight : 0;
    totalN[label] += weight;
    totalRight[label] += right;
    for (let at = presence.offsets[image]; at < presence.offsets[image + 1]; at++) {
      const cell = presence.members[at] * classes + label;
      presentN[cell] += weight;
      presentRight[cell] += right;
    }
  }
  return table;
}

export function emptyContingency(clusters: number, classes: number): Contingency {
  return {
    clusters,
    classes,
    presentN: new Int32Array(clusters * classes),
    presentRight: new Int32Array(clusters * classes),
    totalN: new Int32Array(classes),
    totalRight: new Int32Array(classes),
  };
}

/**
 * The distinct clusters of each image: the sets I_c of the paper, turned around.
 *
 * @param regions regions of each image, as `groupBy` gives them
 * @param assignment [regions] cluster of each region
 */
export function imageClusters(regions: Groups, assignment: Int32Array): Groups {
  const images = regions.offsets.length - 1;
  const offsets = new Int32Array(images + 1);
  const members = new Int32Array(regions.members.length);
  let end = 0;
  for (let image = 0; image < images; image++) {
    const start = end;
    for (let at = regions.offsets[image]; at < regions.offsets[image + 1]; at++) {
      const cluster = assignment[regions.members[at]];
      // An image owns few regions: a look back is cheaper than a set.
      if (members.subarray(start, end).indexOf(cluster) < 0) members[end++] = cluster;
    }
    members.subarray(start, end).sort();
    offsets[image + 1] = end;
  }
  return { offsets, members: members.slice(0, end) };
}
