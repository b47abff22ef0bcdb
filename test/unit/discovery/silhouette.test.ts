import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silhouette } from '../../../src/engine/discovery/silhouette';
import { cosineDistancesReference, unitRows } from '../../fixtures/unitRows';

/** Rousseeuw 1987, word by word. */
function silhouetteReference(distances: Float32Array, n: number, assignment: Int32Array, k: number): number {
  const rows = Array.from({ length: n }, (_, row) => row);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const scores = rows.map((i) => {
    const to = (members: number[]) => mean(members.map((j) => distances[i * n + j]));
    const own = rows.filter((j) => j !== i && assignment[j] === assignment[i]);
    if (own.length === 0 || k === 1) return 0;
    const others = Array.from({ length: k }, (_, c) => rows.filter((j) => assignment[j] === c)).filter((_, c) => c !== assignment[i]);
    const a = to(own);
    const b = Math.min(...others.map(to));
    return Math.max(a, b) === 0 ? 0 : (b - a) / Math.max(a, b);
  });
  return mean(scores);
}

describe('silhouette', () => {
  it('equals the textbook formula', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const n = 3 + (seed % 50);
        const k = 1 + (seed % Math.min(n, 9));
        const distances = cosineDistancesReference(unitRows(n, 5, 4, 0.8, seed), n, 5);
        // No cluster empty, sizes uneven, some rows alone.
        const assignment = Int32Array.from({ length: n }, (_, row) => (row < k ? row : (row * row * 31 + seed) % Math.ceil(k / 2)));
        expect(Math.abs(silhouette(distances, n, assignment, k) - silhouetteReference(distances, n, assignment, k))).toBeLessThan(1e-6);
      }),
    );
  });

  it('is (b - a) / b for two pairs', () => {
    const [a, b] = [0.25, 0.75];
    const distances = Float32Array.of(0, a, b, b, a, 0, b, b, b, b, 0, a, b, b, a, 0);
    expect(silhouette(distances, 4, Int32Array.of(0, 0, 1, 1), 2)).toBeCloseTo((b - a) / b, 12);
    expect(silhouette(distances, 4, Int32Array.of(0, 1, 0, 1), 2)).toBeCloseTo((0.5 - b) / b, 12);
  });

  it('is 0 for one cluster, for rows alone, and where all distances are 0', () => {
    const distances = cosineDistancesReference(unitRows(3, 4, 3, 0, 1), 3, 4);
    expect(silhouette(distances, 3, new Int32Array(3), 1)).toBe(0);
    expect(silhouette(distances, 3, Int32Array.of(0, 1, 2), 3)).toBe(0);
    expect(silhouette(new Float32Array(16), 4, Int32Array.of(0, 0, 1, 1), 2)).toBe(0);
  });
});
