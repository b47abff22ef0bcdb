import { describe, expect, it } from 'vitest';
import { assignToMedoids, cosineDistances } from '../../../src/engine/discovery/distances';
import { cosineDistancesReference, unitRows } from '../../fixtures/unitRows';

describe('cosine distances', () => {
  it('are 1 - v·v\' within 0..1, zero on the diagonal', async () => {
    const [n, dim] = [300, 24];
    const rows = unitRows(n, dim, 7, 1.2, 3);
    const distances = await cosineDistances(rows, n, dim);
    const expected = cosineDistancesReference(rows, n, dim);
    // The data holds opposite directions, so that clipping is seen.
    expect(expected.some((d) => d === 1)).toBe(true);
    expected.forEach((d, at) => expect(Math.abs(distances[at] - d)).toBeLessThan(2e-6));
    for (let row = 0; row < n; row++) expect(distances[row * n + row]).toBe(0);
  });

  it('between equal rows are 0, whatever rounding says', async () => {
    const [n, dim] = [67, 129];
    // Some rows come out longer than 1 by rounding, some shorter.
    for (let seed = 0; seed < 10; seed++) {
      const one = unitRows(1, dim, 1, 1, seed);
      const rows = Float32Array.from({ length: n * dim }, (_, at) => one[at % dim]);
      expect((await cosineDistances(rows, n, dim)).every((d) => d === 0)).toBe(true);
    }
  });

  it('to medoids assign every row to the nearest, ties to the first, and a duplicate medoid to itself', async () => {
    const [n, dim] = [9000, 6];
    const rows = unitRows(n, dim, 12, 0.6, 8);
    rows.copyWithin(50 * dim, 10 * dim, 11 * dim);
    const medoids = Int32Array.of(10, 50, 123, 4567, 8999);
    const { assignment, loss } = await assignToMedoids(rows, n, dim, medoids);
    let expected = 0;
    for (let row = 0; row < n; row++) {
      const to = [...medoids].map((medoid) => {
        let dot = 0;
        for (let d = 0; d < dim; d++) dot += rows[row * dim + d] * rows[medoid * dim + d];
        return Math.min(1, Math.max(0, 1 - dot));
      });
      expected += Math.min(...to);
      expect(to[assignment[row]]).toBeLessThan(Math.min(...to) + 2e-6);
      if (row !== 50) expect(assignment[row]).not.toBe(1);
    }
    expect(assignment[50]).toBe(1);
    expect(loss).toBeCloseTo(expected, 2);
  });
});
