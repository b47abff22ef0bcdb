import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openScan } from '../../../src/engine/discovery/scan';

describe('scan', () => {
  it('lists the entries below their limits, for any length', () => {
    const entry = fc.record({ value: fc.float(), limit: fc.float() });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 70 }), (entries) => {
        const scan = openScan(entries.length);
        const row = Float32Array.from(entries, (e) => e.value);
        scan.limits.set(entries.map((e) => e.limit));
        const count = scan.below(row);
        const expected = entries.flatMap((e, o) => (e.value < e.limit ? [o] : []));
        expect([...scan.hits.subarray(0, count)]).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('reads shared memory and rows longer than a page', () => {
    const n = 40_001;
    const row = new Float32Array(new SharedArrayBuffer(n * 4)).fill(0.5);
    const scan = openScan(n);
    scan.limits[n - 1] = 0.6;
    scan.limits[3] = 0.6;
    expect(scan.below(row)).toBe(2);
    expect([...scan.hits.subarray(0, 2)]).toEqual([3, n - 1]);
  });
});
