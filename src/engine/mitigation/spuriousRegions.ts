/**
 * Which regions of the training images are spurious: those that the fitted K-Medoids of a discovery run puts into a chosen
 * cluster (paper, section 3.3), and those that a person listed by hand.
 */
import type { Box } from '../../shared/boxes';
import type { ImageEmbeddings } from '../discovery/embedImages';
import { similarityMatrix } from '../runtime/matmul';
import { regionKind } from '../training/batchMasks';

/** Every training image's regions, filled up to the same number. */
export interface RegionPlan {
  /** Regions of every image, padding included. */
  readonly regions: number;
  /** [images, regions] kinds (see batchMasks.ts). */
  readonly kinds: Uint8Array;
  /** [images] boxes, without padding. */
  readonly boxes: readonly (readonly Box[])[];
}

/** `clusters` are the spurious ones of `medoids` [k, dim]; `byHand` the boxes listed for each image. */
export async function planRegions(
  embeddings: ImageEmbeddings,
  medoids: Float32Array | null,
  clusters: ReadonlySet<number>,
  byHand: readonly (readonly Box[])[] | null,
  dim: number,
): Promise<RegionPlan> {
  const { regionImage } = embeddings;
  const images = embeddings.rows.length;
  const boxes: Box[][] = Array.from({ length: images }, () => []);
  const marks: boolean[][] = Array.from({ length: images }, () => []);
  const nearest = medoids === null ? null : await nearestMedoids(embeddings.regions, regionImage.length, medoids, dim);
  regionImage.forEach((image, region) => {
    const box = Array.from(embeddings.boxes.subarray(4 * region, 4 * region + 4)) as unknown as Box;
    boxes[image]!.push(box);
    marks[image]!.push((nearest !== null && clusters.has(nearest[region]!)) || (byHand?.[image] ?? []).some((listed) => covers(listed, box)));
  });
  const regions = Math.max(0, ...boxes.map((list) => list.length));
  const kinds = new Uint8Array(images * regions).fill(regionKind.none);
  marks.forEach((list, image) => list.forEach((mark, r) => (kinds[image * regions + r] = mark ? regionKind.spurious : regionKind.regular)));
  return { regions, kinds, boxes };
}

/** The most similar medoid of every region, ties to the smaller cluster. */
export async function nearestMedoids(regions: Float32Array, count: number, medoids: Float32Array, dim: number): Promise<Int32Array> {
  const k = medoids.length / dim;
  const similarity = await similarityMatrix(regions, count, medoids, k, dim);
  return Int32Array.from({ length: count }, (_, region) => {
    let best = 0;
    for (let c = 1; c < k; c++) if (similarity[region * k + c]! > similarity[region * k + best]!) best = c;
    return best;
  });
}

/** Whether two boxes [x, y, width, height] share at least half of the smaller one. */
function covers(a: Box, b: Box): boolean {
  const side = (at: 0 | 1) => Math.min(a[at] + a[at + 2]!, b[at] + b[at + 2]!) - Math.max(a[at], b[at]);
  const shared = Math.max(0, side(0)) * Math.max(0, side(1));
  return shared >= 0.5 * Math.min(a[2] * a[3], b[2] * b[3]);
}
