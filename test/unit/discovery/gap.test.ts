import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countContingency, emptyContingency, imageClusters, type Contingency } from '../../../src/engine/discovery/contingency';
import { classGaps, clusterGap, hasBothSigns, strongestClass, weightedGap } from '../../../src/engine/discovery/gap';
import { groupBy } from '../../../src/engine/discovery/groups';

/** The authors' MNIST example: accuracy present (n) / absent (n), and the G_c^y they go with. */
const published = [
  { label: 'nine', presentAcc: 1, presentN: 54, absentAcc: 0.041, absentN: 49, weighted: '0.912' },
  { label: 'one', presentAcc: 0, presentN: 56, absentAcc: 1, absentN: 65, weighted: '-0.926' },
  { label: 'three', presentAcc: 1, presentN: 37, absentAcc: 1, absentN: 59, weighted: '0.000' },
  { label: 'two', presentAcc: 0.694, presentN: 36, absentAcc: 1, absentN: 62, weighted: '-0.225' },
  { label: 'seven', presentAcc: 0.69, presentN: 58, absentAcc: 0.98, absentN: 50, weighted: '-0.269' },
  { label: 'zero', presentAcc: 0.981, presentN: 52, absentAcc: 1, absentN: 41, weighted: '-0.017' },
  { label: 'eight', presentAcc: 0.023, presentN: 43, absentAcc: 0.964, absentN: 55, weighted: '-0.826' },
  { label: 'five', presentAcc: 0.684, presentN: 38, absentAcc: 1, absentN: 42, weighted: '-0.300' },
  { label: 'six', presentAcc: 0.782, presentN: 55, absentAcc: 1, absentN: 50, weighted: '-0.208' },
  { label: 'four', presentAcc: 0.644, presentN: 45, absentAcc: 1, absentN: 53, weighted: '-0.327' },
];

describe('the published example', () => {
  it('gives every G_c^y to three decimals and G_c = 4.009 from the printed accuracies', () => {
    const weighted = published.map((row) => {
      const right = row.presentAcc * row.presentN;
      return weightedGap(row.presentN, right, row.presentN + row.absentN, right + row.absentAcc * row.absentN);
    });
    expect(weighted.map((w) => w.toFixed(3))).toEqual(published.map((row) => row.weighted));
    expect(weighted.reduce((sum, w) => sum + Math.abs(w), 0).toFixed(3)).toBe('4.009');
  });

  // The printed accuracies are rounded; only one whole count fits each, and from the counts G_c is 4.008.
  it('agrees within rounding from the whole counts behind the accuracies', () => {
    const presentRight = published.map((row) => Math.round(row.presentAcc * row.presentN));
    const absentRight = published.map((row) => Math.round(row.absentAcc * row.absentN));
    published.forEach((row, y) => {
      expect(Math.abs(presentRight[y] / row.presentN - row.presentAcc)).toBeLessThan(0.0006);
      expect(Math.abs(absentRight[y] / row.absentN - row.absentAcc)).toBeLessThan(0.0006);
    });
    const table: Contingency = {
      clusters: 1,
      classes: published.length,
      presentN: Int32Array.from(published, (row) => row.presentN),
      presentRight: Int32Array.from(presentRight),
      totalN: Int32Array.from(published, (row) => row.presentN + row.absentN),
      totalRight: Int32Array.from(presentRight, (right, y) => right + absentRight[y]),
    };
    const rows = classGaps(table, 0);
    rows.forEach((row, y) => expect(Math.abs(row.weighted - Number(published[y].weighted))).toBeLessThan(0.0011));
    expect(Math.abs(clusterGap(table, 0) - 4.009)).toBeLessThan(0.0011);
    expect(rows.reduce((sum, row) => sum + Math.abs(row.weighted), 0)).toBeCloseTo(clusterGap(table, 0), 12);
    expect(published[strongestClass(rows)!].label).toBe('nine');
    expect(hasBothSigns(rows)).toBe(true);
  });
});

/** A whole small data set: labels and predictions of images, image and cluster of regions. */
const dataset = fc
  .record({ images: fc.integer({ min: 1, max: 12 }), classes: fc.integer({ min: 1, max: 4 }), clusters: fc.integer({ min: 1, max: 5 }) })
  .chain(({ images, classes, clusters }) => {
    const ids = (max: number, length: { minLength: number; maxLength: number }) =>
      fc.array(fc.integer({ min: 0, max: max - 1 }), length);
    const perImage = { minLength: images, maxLength: images };
    return fc.record({
      images: fc.constant(images),
      classes: fc.constant(classes),
      clusters: fc.constant(clusters),
      labels: ids(classes, perImage),
      predictions: ids(classes, perImage),
      regions: fc.array(fc.tuple(fc.integer({ min: 0, max: images - 1 }), fc.integer({ min: 0, max: clusters - 1 })), { maxLength: 30 }),
    });
  });

describe('the attribute', () => {
  const row = (gap: number | null) => ({ presentN: 9, presentAcc: 0, absentN: 9, absentAcc: 0, gap, weighted: gap ?? 0 });

  it('is the class with the largest gap, the first of equals, and none without a gap', () => {
    expect(strongestClass([row(null), row(-0.2), row(0.5), row(0.5)])).toBe(2);
    expect(strongestClass([row(-0.2), row(-0.1)])).toBe(1);
    expect(strongestClass([row(null)])).toBeNull();
  });

  it('gains and loses mean strictly', () => {
    expect(hasBothSigns([row(0.1), row(-0.1)])).toBe(true);
    expect(hasBothSigns([row(0.1), row(0), row(null)])).toBe(false);
    expect(hasBothSigns([row(0), row(-0.1)])).toBe(false);
  });
});

describe('the class table', () => {
  it('equals counting image by image, straight from the definition', () => {
    fc.assert(
      fc.property(dataset, ({ images, classes, clusters, labels, predictions, regions }) => {
        const presence = imageClusters(
          groupBy(Int32Array.from(regions, ([image]) => image), images),
          Int32Array.from(regions, ([, cluster]) => cluster),
        );
        const table = countContingency(
          presence,
          Int32Array.from(labels),
          Int32Array.from(predictions),
          emptyContingency(clusters, classes),
        );
        for (let c = 0; c < clusters; c++) {
          const has = labels.map((_, image) => regions.some(([i, cluster]) => i === image && cluster === c));
          let total = 0;
          const rows = classGaps(table, c);
          for (let y = 0; y < classes; y++) {
            const inside = labels.flatMap((label, i) => (label === y && has[i] ? [predictions[i] === y] : []));
            const outside = labels.flatMap((label, i) => (label === y && !has[i] ? [predictions[i] === y] : []));
            const share = (right: boolean[]) => right.filter(Boolean).length / right.length;
            expect(rows[y].presentN).toBe(inside.length);
            expect(rows[y].absentN).toBe(outside.length);
            expect(rows[y].presentAcc).toEqual(inside.length > 0 ? share(inside) : null);
            expect(rows[y].absentAcc).toEqual(outside.length > 0 ? share(outside) : null);
            if (inside.length === 0 || outside.length === 0) {
              expect(rows[y]).toMatchObject({ gap: null, weighted: 0 });
              continue;
            }
            const weight = (2 * Math.min(inside.length, outside.length)) / (inside.length + outside.length);
            expect(rows[y].weighted).toBeCloseTo(weight * (share(inside) - share(outside)), 12);
            total += Math.abs(weight * (share(inside) - share(outside)));
          }
          expect(clusterGap(table, c)).toBeCloseTo(total, 12);
        }
      }),
    );
  });
});
