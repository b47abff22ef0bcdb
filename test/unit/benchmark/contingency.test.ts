import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cramersV, plantCorrelation, type FeatureTable } from '../../../src/engine/benchmark/contingency';

const equal = (classes: number, each: number) => new Int32Array(classes).fill(each);

/** chi² / N as Σ n_ij² / (n_i. n_.j) - 1: Pearson's chi² expanded, without a difference from expectation anywhere. */
function expandedV({ totals, present }: FeatureTable): number {
  const rows = [Array.from(present), Array.from(totals, (total, label) => total - present[label]!)];
  let sum = -1;
  for (const row of rows) {
    const rowTotal = row.reduce((a, b) => a + b);
    row.forEach((n, label) => (sum += n ** 2 / (rowTotal * totals[label]!)));
  }
  return Math.sqrt(Math.max(0, sum));
}

describe("Cramér's V", () => {
  // 20 of 30 against 10 of 40: phi = |ad - bc| / sqrt of the product of the margins.
  it('is phi for two classes', () => {
    const phi = Math.abs(20 * 30 - 10 * 10) / Math.sqrt(30 * 40 * 30 * 40);
    expect(cramersV({ totals: Int32Array.of(30, 40), present: Int32Array.of(20, 10) })).toBeCloseTo(phi, 12);
  });

  it('is that of the expanded formula', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.float({ min: 0, max: 1, noNaN: true })), { minLength: 2, maxLength: 12 }), (classes) => {
        const totals = Int32Array.from(classes, ([total]) => total);
        const present = Int32Array.from(classes, ([total, share]) => Math.round(total * share));
        const having = present.reduce((a, b) => a + b);
        fc.pre(having > 0 && having < totals.reduce((a, b) => a + b));
        expect(cramersV({ totals, present })).toBeCloseTo(expandedV({ totals, present }), 7);
      }),
    );
  });

  it('is 1 for full correlation, 0 for equal shares, and 0 where all images or none have the feature', () => {
    expect(cramersV({ totals: equal(10, 100), present: Int32Array.of(100, 0, 0, 0, 0, 0, 0, 0, 0, 0) })).toBeCloseTo(1, 12);
    expect(cramersV({ totals: equal(10, 100), present: equal(10, 30) })).toBeCloseTo(0, 12);
    expect(cramersV({ totals: equal(3, 10), present: equal(3, 10) })).toBe(0);
    expect(cramersV({ totals: equal(3, 10), present: equal(3, 0) })).toBe(0);
    expect(cramersV({ totals: Int32Array.of(10, 10, 0), present: Int32Array.of(10, 0, 0) })).toBeCloseTo(1, 12);
  });
});

describe('a planted table', () => {
  const totals = equal(10, 150);
  const tied = 3;
  /** Every table on the way down, each as the answer to a target just below the one before. */
  const walk = (seed: number, until: number): FeatureTable[] => {
    const tables = [plantCorrelation(totals, tied, 1, seed)];
    while (cramersV(tables.at(-1)!) > until && tables.length < 100) tables.push(plantCorrelation(totals, tied, cramersV(tables.at(-1)!) - 1e-9, seed));
    return tables;
  };

  it('starts from full correlation', () => {
    expect([...plantCorrelation(totals, tied, 1, 5).present]).toEqual([0, 0, 0, 150, 0, 0, 0, 0, 0, 0]);
  });

  it('comes down by 1 to 3 images per class and round', () => {
    const tables = walk(5, 0.7);
    expect(tables.length).toBeGreaterThan(5);
    const moves = new Set<number>();
    tables.slice(1).forEach(({ present }, round) =>
      present.forEach((count, label) => moves.add((label === tied ? -1 : 1) * (count - tables[round]!.present[label]!))),
    );
    expect([...moves].sort()).toEqual([1, 2, 3]);
  });

  it.each([0.99, 0.95, 0.9, 0.8, 0.7])('is the first at or below %d', (target) => {
    for (const seed of [1, 2, 3]) {
      const planted = plantCorrelation(totals, tied, target, seed);
      expect(planted).toEqual(walk(seed, target).find((table) => expandedV(table) <= target));
    }
  });

  it('differs from seed to seed and is the same for the same one', () => {
    const [a, b, c] = [7, 8, 7].map((seed) => [...plantCorrelation(equal(10, 1000), tied, 0.9, seed).present]);
    expect(a).not.toEqual(b);
    expect(a).toEqual(c);
  });

  it('is near its target where classes are large', () => {
    // A round takes 1 to 3 of 1,000 from one class and gives as many to nine, which lowers V by about 0.012.
    for (const target of [0.95, 0.7]) expect(cramersV(plantCorrelation(equal(10, 1000), 9, target, 1))).toBeGreaterThan(target - 0.02);
  });

  it.each<[string, Int32Array, number, number, RegExp]>([
    ['no V at all', totals, tied, NaN, /V of NaN/],
    ['V of 0', totals, tied, 0, /V of 0 cannot/],
    ['V above 1', totals, tied, 1.01, /V of 1\.01/],
    ['one class', equal(1, 10), 0, 0.9, /at least two classes/],
    ['a class that is none', totals, 10, 0.9, /no class 10 among 10/],
    ['a class without images', Int32Array.of(10, 0), 0, 0.9, /Class 1 has no images/],
    ['too few images', equal(10, 2), 0, 0.1, /2 images of a class are too few for a Cramér's V of 0\.1/],
  ])('is refused in words: %s', (_case, counts, label, target, message) => {
    expect(() => plantCorrelation(counts, label, target, 1)).toThrow(expect.objectContaining({ code: 'benchmark-setting', message: expect.stringMatching(message) }));
  });
});
