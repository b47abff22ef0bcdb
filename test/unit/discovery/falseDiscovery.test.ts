import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benjaminiHochberg } from '../../../src/engine/discovery/falseDiscovery';

describe('Benjamini-Hochberg', () => {
  it('rejects the first four of the example in the 1995 paper', () => {
    const p = [0.0344, 0.0004, 0.324, 0.0019, 0.0095, 0.0201, 1, 0.0278, 0.0298, 0.0001, 0.0459, 0.4262, 0.5719, 0.6528, 0.759];
    const q = benjaminiHochberg(Float64Array.from(p));
    const rejected = p.filter((_, i) => q[i] < 0.05);
    expect(rejected.sort()).toEqual([0.0001, 0.0004, 0.0019, 0.0095]);
    // By hand: p · 15 / rank, or the smallest of those that follow.
    expect(q[9]).toBeCloseTo(0.0015, 12);
    expect(q[4]).toBeCloseTo(0.035625, 12);
    expect(q[7]).toBeCloseTo((0.0298 * 15) / 7, 12);
  });

  it('is the definition, min over j of p_j · m / #{p <= p_j} for p_j >= p, and passes over NaN', () => {
    const values = fc.array(fc.oneof(fc.constantFrom(NaN, 0.01, 0.04), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 20 });
    fc.assert(
      fc.property(values, (p) => {
        const tested = p.filter((v) => !Number.isNaN(v));
        const q = benjaminiHochberg(Float64Array.from(p));
        p.forEach((own, i) => {
          const candidates = tested.filter((v) => v >= own).map((v) => (v * tested.length) / tested.filter((u) => u <= v).length);
          if (Number.isNaN(own)) expect(q[i]).toBeNaN();
          else expect(q[i]).toBeCloseTo(Math.min(...candidates), 12);
        });
      }),
    );
  });
});
