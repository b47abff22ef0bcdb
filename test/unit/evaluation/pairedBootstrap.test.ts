import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { presenceOf } from '../../../src/engine/evaluation/groupTable';
import { bootstrapDifferences } from '../../../src/engine/evaluation/pairedBootstrap';

/** A group: class, with the feature or without, images, and the chance of being right before and after. */
type Spec = readonly [label: number, present: 0 | 1, n: number, before: number, after: number];

/** A strong shortcut before and none after, which is the hardest case: all groups are alike then, and the lowest is so by chance. */
const mended: Spec[] = [[0, 1, 40, 0.9, 0.85], [0, 0, 40, 0.3, 0.85], [1, 1, 40, 0.4, 0.85], [1, 0, 40, 0.9, 0.85]];

/** A data set in which an image's luck is the same before and after, seven times in ten. */
function drawn(specs: readonly Spec[], seed: number) {
  const random = xoroshiro128plus(seed);
  const images = specs.flatMap(([label, present, n, before, after]) =>
    Array.from({ length: n }, () => {
      const luck = uniformFloat64(random);
      const later = uniformFloat64(random) < 0.7 ? luck : uniformFloat64(random);
      return { label, present, before: luck < before ? label : 1 - label, after: later < after ? label : 1 - label };
    }),
  );
  const column = (key: 'label' | 'before' | 'after') => Int32Array.from(images, (image) => image[key]);
  const present = Uint8Array.from(images, (image) => image.present);
  return { classes: 2, features: 1, presence: presenceOf([{ present }], images.length), labels: column('label'), before: column('before'), after: column('after'), minSupport: 5, seed };
}

describe('bootstrapDifferences', () => {
  it('holds the true differences about as often as it says, and seldom promises too much', () => {
    const share = (specs: readonly Spec[], at: 3 | 4, label: number) => {
      const rows = specs.filter((spec) => spec[0] === label);
      return rows.reduce((sum, row) => sum + row[at] * row[2], 0) / rows.reduce((sum, row) => sum + row[2], 0);
    };
    const gap = (specs: readonly Spec[], at: 3 | 4) => [0, 1].reduce((sum, label) => {
      const side = (has: number) => specs.find((spec) => spec[0] === label && spec[1] === has)!;
      return sum + Math.abs(side(1)[at] - side(0)[at]);
    }, 0);
    const lowest = (specs: readonly Spec[], at: 3 | 4) => Math.min(...specs.map((spec) => spec[at]));
    const truth = {
      worstGroup: lowest(mended, 4) - lowest(mended, 3),
      worstClass: Math.min(share(mended, 4, 0), share(mended, 4, 1)) - Math.min(share(mended, 3, 0), share(mended, 3, 1)),
      gap: gap(mended, 4) - gap(mended, 3),
    };
    expect(truth.worstGroup).toBeCloseTo(0.55, 12);
    const trials = 100;
    const held = { worstGroup: 0, worstClass: 0, gap: 0 };
    let overstated = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { worstGroup, worstClass, gaps } = bootstrapDifferences(drawn(mended, trial));
      for (const [key, interval] of [['worstGroup', worstGroup!], ['worstClass', worstClass], ['gap', gaps[0]!]] as const) {
        if (interval[0] <= truth[key] && truth[key] <= interval[1]) held[key]++;
      }
      if (worstGroup![0] > truth.worstGroup) overstated++;
    }
    for (const times of Object.values(held)) expect(times / trials).toBeGreaterThan(0.92);
    expect(overstated / trials).toBeLessThan(0.03);
  });

  it('is no wider than 0 where nothing changed, and the same for the same seed', () => {
    const data = drawn(mended, 3);
    expect(bootstrapDifferences({ ...data, after: data.before })).toEqual({ worstClass: [0, 0], worstGroup: [0, 0], gaps: [[0, 0]] });
    expect(bootstrapDifferences(data)).toEqual(bootstrapDifferences(data));
    expect(bootstrapDifferences(data)).not.toEqual(bootstrapDifferences({ ...data, seed: 4 }));
  });

  it('has no group where none is large enough, or where there is no feature', () => {
    const data = drawn(mended, 1);
    expect(bootstrapDifferences({ ...data, minSupport: 41 }).worstGroup).toBeNull();
    const none = bootstrapDifferences({ ...data, features: 0, presence: presenceOf([], data.labels.length) });
    expect(none).toMatchObject({ worstGroup: null, gaps: [] });
    expect(none.worstClass[0]).toBeLessThan(none.worstClass[1]);
  });
});
