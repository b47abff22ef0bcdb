import fc from 'fast-check';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { fasterPam, greedyMedoids, kMedoids, sampleRows, type Medoids } from '../../../src/engine/discovery/kMedoids';
import { build, lossOf, pam } from '../../fixtures/pam';
import { cosineDistancesReference, unitRows } from '../../fixtures/unitRows';

/** A random problem: sometimes clustered, sometimes without any structure. */
const problem = (seed: number, maxRows = 60) => {
  const n = 12 + ((seed * 7919) % (maxRows - 11));
  const k = 2 + (seed % 7);
  const dim = 2 + (seed % 11);
  const distances = cosineDistancesReference(unitRows(n, dim, 1 + (seed % 9), 0.3 + (seed % 5) * 0.4, seed), n, dim);
  return { n, k, distances };
};
const seeds = fc.integer({ min: 0, max: 1e6 });
const solve = (distances: Float32Array, n: number, k: number, seed = 0) => kMedoids(distances, n, k, greedyMedoids(distances, n, k), seed);

function expectSound({ medoids, assignment, loss }: Medoids, distances: Float32Array, n: number, k: number): void {
  expect([...medoids]).toEqual([...new Set(medoids)].sort((a, b) => a - b));
  expect(medoids).toHaveLength(k);
  expect(loss).toBeCloseTo(lossOf(distances, n, medoids), 9);
  for (let o = 0; o < n; o++) {
    const own = distances[medoids[assignment[o]] * n + o];
    for (const medoid of medoids) expect(own).toBeLessThanOrEqual(distances[medoid * n + o]);
  }
  medoids.forEach((medoid, cluster) => expect(assignment[medoid]).toBe(cluster));
}

describe('K-Medoids', () => {
  it("has a loss at or below textbook PAM's on 50 random problems", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { n, k, distances } = problem(seed);
      expect(solve(distances, n, k).loss, `problem ${seed}`).toBeLessThanOrEqual(pam(distances, n, k).loss + 1e-6);
    }
  });

  it('numbers clusters by medoid, puts every row with its nearest, and its loss is the sum of those distances', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { n, k, distances } = problem(seed);
        expectSound(solve(distances, n, k, seed), distances, n, k);
      }),
    );
  });

  it('finds the same partition and loss however the rows are ordered', () => {
    for (let seed = 0; seed < 100; seed++) {
      const n = 12 + (seed % 13);
      const k = 2 + (seed % 3);
      // Loose groups: without any, a local search may end in another optimum for another order, in about 1% of problems.
      const distances = cosineDistancesReference(unitRows(n, 12, k, 0.5, seed), n, 12);
      const order = sampleRows(n, n, xoroshiro128plus(seed));
      const permuted = new Float32Array(n * n);
      order.forEach((a, i) => order.forEach((b, j) => (permuted[i * n + j] = distances[a * n + b])));
      const plain = solve(distances, n, k);
      const shuffled = solve(permuted, n, k);
      expect(shuffled.loss).toBeCloseTo(plain.loss, 5);
      // "Same cluster or not" by pairs: numbers differ, and of two rows alone together either may be the medoid.
      const together = ({ assignment }: Medoids, i: number, j: number) => assignment[i] === assignment[j];
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) expect(together(shuffled, i, j), `problem ${seed}`).toBe(together(plain, order[i], order[j]));
    }
  });

  it('with one cluster chooses the row with the smallest sum of distances', () => {
    const { n, distances } = problem(5);
    const sums = Array.from({ length: n }, (_, row) => lossOf(distances, n, [row]));
    const { medoids, loss } = solve(distances, n, 1);
    expect(loss).toBeCloseTo(Math.min(...sums), 9);
    expect(sums[medoids[0]]).toBe(Math.min(...sums));
  });

  it('leaves no cluster empty when there are fewer different rows than clusters', () => {
    // Three places, four rows at each.
    const n = 12;
    const distances = Float32Array.from({ length: n * n }, (_, at) => (Math.floor(at / n) % 3 === (at % n) % 3 ? 0 : 0.5));
    for (const k of [2, 3, 5, 11]) {
      const found = solve(distances, n, k);
      expectSound(found, distances, n, k);
      expect(found.loss).toBeCloseTo(k === 2 ? 2 : 0, 9);
      expect(new Set(found.assignment).size).toBe(k);
    }
  });

  it('copes with rows that are all as far apart as can be', () => {
    const n = 9;
    const distances = Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 0 : 1));
    expect(solve(distances, n, 4).loss).toBe(5);
  });
});

describe('FasterPAM', () => {
  it('never ends above where it started, and where no single swap helps', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { n, distances } = problem(seed, 30);
        const k = 1 + (seed % 5);
        const start = sampleRows(n, k, xoroshiro128plus(seed));
        const { medoids, loss } = fasterPam(distances, n, start);
        expect(loss).toBeLessThanOrEqual(lossOf(distances, n, start) + 1e-9);
        for (let row = 0; row < n; row++) {
          if (medoids.includes(row)) continue;
          medoids.forEach((_, slot) => expect(lossOf(distances, n, medoids.with(slot, row))).toBeGreaterThan(loss - 1e-6));
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('the greedy start', () => {
  it("makes BUILD's choices, the first k of them whatever k", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { n, k, distances } = problem(seed);
        const greedy = greedyMedoids(distances, n, k);
        // Compared by loss, step by step: float32 sums of nearly equal rows may tie either way.
        const textbook = build(distances, n, k);
        for (let i = 1; i <= k; i++)
          expect(lossOf(distances, n, greedy.subarray(0, i))).toBeCloseTo(lossOf(distances, n, textbook.slice(0, i)), 6);
        expect(greedyMedoids(distances, n, k - 1)).toEqual(greedy.subarray(0, k - 1));
      }),
    );
  });
});
