import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterMeans, nameClusters } from '../../../src/engine/discovery/naming';

describe('naming', () => {
  it('prefers the word that sets a cluster apart to the word that fits them all', () => {
    // Words: "photo" is nearest to both clusters, "red" and "blue" only lean to one each.
    const words = Float32Array.of(0.98, 0.14, 0.14, 0.6, 0.8, 0, 0.6, 0, 0.8);
    const means = Float32Array.of(0.95, 0.3, 0.08, 0.95, 0.08, 0.3);
    expect(nameClusters(means, words, 3, 1)).toEqual([[1], [2]]);
    expect(nameClusters(means.subarray(0, 3), words, 3, 1)).toEqual([[0]]);
  });

  it('splits ties by word id and gives no more words than there are', () => {
    const words = Float32Array.of(1, 0, 1, 0);
    expect(nameClusters(Float32Array.of(1, 0, 0, 1), words, 2)).toEqual([[0, 1], [0, 1]]);
  });
});

describe('cluster means', () => {
  it('are the mean of the members, at length 1; zeros for none', () => {
    const row = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(row, fc.integer({ min: 0, max: 2 })), { maxLength: 12 }), (rows) => {
        const means = clusterMeans(Float32Array.from(rows.flatMap(([r]) => r)), Int32Array.from(rows, ([, c]) => c), 3, 3);
        for (let c = 0; c < 3; c++) {
          const own = rows.filter(([, cluster]) => cluster === c);
          const mean = [0, 1, 2].map((d) => own.reduce((sum, [r]) => sum + r[d], 0));
          const norm = Math.sqrt(mean.reduce((sum, v) => sum + v * v, 0));
          if (norm > 0 && norm < 1e-30) continue;
          mean.forEach((v, d) => expect(means[c * 3 + d]).toBeCloseTo(norm > 0 ? v / norm : 0, 5));
        }
      }),
    );
  });
});
