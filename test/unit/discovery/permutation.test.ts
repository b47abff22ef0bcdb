import fc from 'fast-check';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { emptyContingency, type Contingency } from '../../../src/engine/discovery/contingency';
import { permutationPValues } from '../../../src/engine/discovery/permutation';

type Image = { label: number; present: boolean; right: boolean };

function tableOf(images: readonly Image[], classes: number): Contingency {
  const table = emptyContingency(1, classes);
  for (const { label, present, right } of images) {
    table.totalN[label]++;
    if (right) table.totalRight[label]++;
    if (present) table.presentN[label]++;
    if (present && right) table.presentRight[label]++;
  }
  return table;
}

/** G_c image by image. */
function gapOf(images: readonly Image[], classes: number): number {
  let sum = 0;
  for (let y = 0; y < classes; y++) {
    const inside = images.filter((i) => i.label === y && i.present);
    const outside = images.filter((i) => i.label === y && !i.present);
    if (inside.length === 0 || outside.length === 0) continue;
    const share = (set: Image[]) => set.filter((i) => i.right).length / set.length;
    sum += ((2 * Math.min(inside.length, outside.length)) / (inside.length + outside.length)) * Math.abs(share(inside) - share(outside));
  }
  return sum;
}

/** Every way to deal out the right images inside each class, each as likely as the other. */
function* deals(images: readonly Image[], y: number, classes: number): Generator<Image[]> {
  if (y === classes) return yield [];
  const own = images.filter((i) => i.label === y);
  const rightN = own.filter((i) => i.right).length;
  for (const rest of deals(images, y + 1, classes)) {
    for (let mask = 0; mask < 1 << own.length; mask++) {
      const dealt = own.map((image, bit) => ({ ...image, right: ((mask >> bit) & 1) === 1 }));
      if (dealt.filter((i) => i.right).length === rightN) yield [...dealt, ...rest];
    }
  }
}

/** Random members of a class-wise independent cluster, or of one that prefers wrong images. */
function randomTable(seed: number, clusters: number, preference: number): Contingency {
  const random = xoroshiro128plus(seed);
  const classes = 6;
  const table = emptyContingency(clusters, classes);
  const images = Array.from({ length: 480 }, (_, i) => ({ label: i % classes, right: uniformFloat64(random) < 0.7 }));
  for (const { label, right } of images) {
    table.totalN[label]++;
    if (right) table.totalRight[label]++;
    for (let c = 0; c < clusters; c++) {
      if (uniformFloat64(random) >= 0.25 + (right ? 0 : preference)) continue;
      table.presentN[c * classes + label]++;
      if (right) table.presentRight[c * classes + label]++;
    }
  }
  return table;
}

describe('permutation p-value', () => {
  it('equals full enumeration, to the width of the grid', () => {
    const image = fc.record({ label: fc.integer({ min: 0, max: 1 }), present: fc.boolean(), right: fc.boolean() });
    fc.assert(
      fc.property(fc.array(image, { minLength: 2, maxLength: 9 }), (images) => {
        const p = permutationPValues(tableOf(images, 2), 1)[0];
        if (Number.isNaN(p)) return;
        const observed = gapOf(images, 2);
        const null_ = Array.from(deals(images, 0, 2), (dealt) => gapOf(dealt, 2));
        const share = (threshold: number) => null_.filter((g) => g >= threshold).length / null_.length;
        expect(p).toBeGreaterThanOrEqual(share(observed - 1e-12) - 1e-12);
        expect(p).toBeLessThanOrEqual(share(observed * (1 - 2 / 4096) - 1e-9) + 1e-12);
      }),
      { numRuns: 150 },
    );
  });

  it("is Fisher's exact test for one class", () => {
    // The lady tasting tea: 4 + 4 cups, 3 of 4 right on each side. Two-sided p = (16 + 1) · 2 / 70.
    const table = { clusters: 1, classes: 1, presentN: Int32Array.of(4), presentRight: Int32Array.of(3), totalN: Int32Array.of(8), totalRight: Int32Array.of(4) };
    expect(permutationPValues(table, 1)[0]).toBeCloseTo(34 / 70, 10);
  });

  it('agrees with shuffling', () => {
    const random = xoroshiro128plus(5);
    const table = randomTable(11, 1, 0.1);
    const images: Image[] = [];
    table.totalN.forEach((n, label) => {
      for (let i = 0; i < n; i++) images.push({ label, present: i < table.presentN[label], right: false });
      const own = images.filter((image) => image.label === label);
      own.forEach((image, i) => {
        const [inside, insideRight] = [table.presentN[label], table.presentRight[label]];
        image.right = image.present ? i < insideRight : i - inside < table.totalRight[label] - insideRight;
      });
    });
    const observed = gapOf(images, table.classes);
    let reached = 0;
    const shuffles = 1500;
    for (let b = 0; b < shuffles; b++) {
      for (let label = 0; label < table.classes; label++) {
        const own = images.filter((image) => image.label === label);
        for (let i = own.length - 1; i > 0; i--) {
          const j = uniformInt(random, 0, i);
          [own[i].right, own[j].right] = [own[j].right, own[i].right];
        }
      }
      if (gapOf(images, table.classes) >= observed - 1e-12) reached++;
    }
    const p = permutationPValues(table, 1)[0];
    expect(p).toBeGreaterThan(0.005);
    expect(p).toBeLessThan(0.9);
    expect(Math.abs(p - reached / shuffles)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / shuffles));
  });

  it('is uniform when nothing is planted', () => {
    const p = Array.from(permutationPValues(randomTable(3, 400, 0), 5)).sort((a, b) => a - b);
    const distance = Math.max(...p.map((value, i) => Math.max((i + 1) / p.length - value, value - i / p.length)));
    // Kolmogorov-Smirnov, 1 in 1,000.
    expect(distance).toBeLessThan(1.95 / Math.sqrt(p.length));
  });

  it('is small when the cluster prefers wrong images, and goes far below 1/10,000', () => {
    expect(Math.max(...permutationPValues(randomTable(4, 20, 0.3), 5))).toBeLessThan(0.01);
    expect(Math.min(...permutationPValues(randomTable(4, 20, 0.5), 5))).toBeLessThan(1e-8);
  });

  it('is missing without support, and 1 without a gap', () => {
    const table = { clusters: 2, classes: 1, presentN: Int32Array.of(2, 4), presentRight: Int32Array.of(1, 2), totalN: Int32Array.of(8), totalRight: Int32Array.of(4) };
    expect(Array.from(permutationPValues(table, 4))).toEqual([NaN, 1]);
    expect(Array.from(permutationPValues(table, 5))).toEqual([NaN, NaN]);
    const everywhere = { ...table, clusters: 1, presentN: Int32Array.of(8), presentRight: Int32Array.of(4) };
    expect(Array.from(permutationPValues(everywhere, 1))).toEqual([NaN]);
  });
});
