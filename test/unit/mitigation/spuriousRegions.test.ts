import { describe, expect, it } from 'vitest';
import type { ImageEmbeddings } from '../../../src/engine/discovery/embedImages';
import { regionKind } from '../../../src/engine/training/batchMasks';
import { nearestMedoids, planRegions } from '../../../src/engine/mitigation/spuriousRegions';
import type { Box } from '../../../src/shared/boxes';
import { unitRows } from '../../fixtures/unitRows';

const { none, regular, spurious } = regionKind;

/** Images with the given boxes; region r points along axis `axes[r]` of three. */
function embedded(boxes: readonly (readonly Box[])[], axes: readonly number[] = []): ImageEmbeddings {
  const regions = new Float32Array(3 * boxes.flat().length);
  axes.forEach((axis, r) => (regions[3 * r + axis] = 1));
  return {
    rows: Int32Array.from(boxes, (_, i) => i), images: new Float32Array(3 * boxes.length), regions,
    regionImage: Int32Array.from(boxes.flatMap((list, image) => list.map(() => image))), boxes: Float64Array.from(boxes.flat(2)),
  };
}

describe('the nearest medoid', () => {
  it('is that of a plain loop over all of them', async () => {
    const [n, k, dim] = [500, 23, 16];
    const [regions, medoids] = [unitRows(n, dim, 1, 100, 3), unitRows(k, dim, 1, 100, 4)];
    const expected = Array.from({ length: n }, (_, r) => {
      const similarity = Array.from({ length: k }, (_, c) => Array.from({ length: dim }, (_, d) => regions[r * dim + d]! * medoids[c * dim + d]!).reduce((a, b) => a + b, 0));
      return similarity.indexOf(Math.max(...similarity));
    });
    expect([...(await nearestMedoids(regions, n, medoids, dim))]).toEqual(expected);
  });

  it('is that of the smaller cluster where two are as near, and there is none for no region', async () => {
    expect([...(await nearestMedoids(Float32Array.of(1, 0), 1, Float32Array.of(0, 1, 1, 0, 1, 0), 2))]).toEqual([1]);
    expect([...(await nearestMedoids(new Float32Array(0), 0, Float32Array.of(0, 1), 2))]).toEqual([]);
  });
});

describe('the regions of the training images', () => {
  const [left, right]: Box[] = [[0, 0, 10, 20], [10, 0, 10, 20]];

  it('are spurious in the chosen clusters, and filled up to one number an image', async () => {
    const boxes = [[left, right], [], [left], [right, left, right]] as Box[][];
    const medoids = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
    const plan = await planRegions(embedded(boxes, [0, 1, 2, 1, 0, 2]), medoids, new Set([0, 2]), null, 3);
    expect(plan.regions).toBe(3);
    expect(plan.boxes).toEqual(boxes);
    expect([...plan.kinds]).toEqual([spurious, regular, none, none, none, none, spurious, none, none, regular, spurious, spurious]);
  });

  it('are spurious where a box listed by hand shares half of the smaller of both', async () => {
    // The regions of the images are a left and a right half each; listed are:
    const byHand: Box[][] = [
      [[0, 0, 20, 20]], // the whole image: all of either half
      [[5, 0, 10, 20]], // half of each
      [[6, 0, 10, 20]], // 40% of the left half, 60% of the right one
      [[2, 2, 2, 2]], // a spot, all of it in the left half
      [[8, 0, 4.5, 20]], // 2 of 4.5 in the left half, 2.5 in the right one
      [[20, 0, 5, 20]], // beside both
      [],
      [[11, 0, 1, 1], [1, 0, 1, 1]],
    ];
    const plan = await planRegions(embedded(byHand.map(() => [left!, right!])), null, new Set(), byHand, 3);
    const found = Array.from({ length: byHand.length }, (_, i) => [...plan.kinds.subarray(2 * i, 2 * i + 2)].map((kind) => kind === spurious));
    expect(found).toEqual([[true, true], [true, true], [false, true], [true, false], [false, true], [false, false], [false, false], [true, true]]);
  });

  it('are spurious by either where there are both', async () => {
    const plan = await planRegions(embedded([[left!, right!], [left!, right!]], [0, 1, 1, 1]), Float32Array.of(1, 0, 0, 0, 1, 0), new Set([0]), [[], [right!]], 3);
    expect([...plan.kinds]).toEqual([spurious, regular, regular, spurious]);
  });

  it('are none where no image has one', async () => {
    expect(await planRegions(embedded([[], []]), Float32Array.of(1, 0, 0), new Set([0]), null, 3)).toEqual({ regions: 0, kinds: new Uint8Array(0), boxes: [[], []] });
  });
});
