import type { RegionTable } from '../../shared/runQueries';
import type { Kept } from './state';

type Filter = Pick<Kept, 'label' | 'outcome' | 'minScore'>;

/** Regions of a cluster, the nearest to the medoid first; of all clusters in their order for null. */
export function membersOf(table: RegionTable, cluster: number | null): Int32Array {
  const total = table.cluster.length;
  if (cluster === null) return Int32Array.from({ length: total }, (_, region) => region);
  let size = 0;
  for (let region = 0; region < total; region++) size += Number(table.cluster[region] === cluster);
  const members = new Int32Array(size);
  for (let region = 0, at = 0; region < total; region++) if (table.cluster[region] === cluster) members[at++] = region;
  return members.sort((a, b) => table.similarity[b]! - table.similarity[a]! || a - b);
}

/** Those of `members` that the filters and the lasso leave, in their order. */
export function filtered(table: RegionTable, members: Int32Array, { label, outcome, minScore }: Filter, lasso: Uint8Array | null): Int32Array {
  return members.filter((region) => {
    const image = table.image[region]!;
    const right = table.imageLabel[image] === table.imagePredicted[image];
    return (
      (label === null || table.imageLabel[image] === label) &&
      (outcome === 'all' || right === (outcome === 'right')) &&
      (minScore === 0 || table.scorePredicted[region]! >= minScore) &&
      (lasso === null || lasso[region] === 1)
    );
  });
}

/** One entry a region: 1 for members of the cluster. */
export function maskOf(table: RegionTable, cluster: number): Uint8Array {
  return Uint8Array.from(table.cluster, (each) => Number(each === cluster));
}

/** How many regions of each cluster, by its id, lie in the lasso. */
export function countsInside(table: RegionTable, lasso: Uint8Array): Int32Array {
  const counts = new Int32Array(table.cluster.reduce((most, cluster) => Math.max(most, cluster), -1) + 1);
  for (let region = 0; region < lasso.length; region++) if (lasso[region] === 1 && table.cluster[region]! >= 0) counts[table.cluster[region]!]! += 1;
  return counts;
}

/** Numbers of images by name, the first of equal names. */
export function imagesByName(table: RegionTable): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  table.imageNames.forEach((name, image) => numbers.has(name) || numbers.set(name, image));
  return numbers;
}

/** Where a region lies, in pixels of the upright image. */
export const boxOf = (table: RegionTable, region: number): [number, number, number, number] => [table.x[region]!, table.y[region]!, table.width[region]!, table.height[region]!];

export const isRight = (table: RegionTable, image: number): boolean => table.imageLabel[image] === table.imagePredicted[image];
