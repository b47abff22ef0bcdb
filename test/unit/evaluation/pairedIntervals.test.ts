import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mcNemarExact, pairedInterval } from '../../../src/engine/evaluation/pairedIntervals';

describe('the paired interval', () => {
  // Bonett and Price's interval as Fagerland, Lydersen and Laake print it (Statistical Analysis of Contingency Tables, chapter 8):
  // complete response (Cavo et al. 2012), and airway hyper-responsiveness (Bentur et al. 2009; Statistics in Medicine 33:2850-2875).
  it.each([
    [6, 16, 161, -0.1195, -0.0032, 4],
    [1, 7, 21, -0.508, -0.013, 3],
  ])('+%i -%i of %i: %f to %f', (up, down, n, low, high, digits) => {
    const interval = pairedInterval(up, down, n)!;
    expect(interval[0]).toBeCloseTo(low, digits);
    expect(interval[1]).toBeCloseTo(high, digits);
  });

  /** Chance that the interval holds p12 - p21, summed over all outcomes of n images (a trinomial). */
  const coverage = (n: number, p12: number, p21: number): number => {
    const logFactorial = [0];
    for (let i = 1; i <= n; i++) logFactorial.push(logFactorial[i - 1]! + Math.log(i));
    let sum = 0;
    for (let a = 0; a <= n; a++) {
      for (let b = 0; a + b <= n; b++) {
        const [low, high] = pairedInterval(a, b, n)!;
        if (low > p12 - p21 || high < p12 - p21) continue;
        const rest = n - a - b;
        sum += Math.exp(logFactorial[n]! - logFactorial[a]! - logFactorial[b]! - logFactorial[rest]! + a * Math.log(p12) + b * Math.log(p21) + rest * Math.log(1 - p12 - p21));
      }
    }
    return sum;
  };

  // Computed with NumPy, apart from this project.
  it.each([
    [10, 0.2, 0.05, 0.9857],
    [25, 0.1, 0.1, 0.9748],
    [25, 0.4, 0.05, 0.956],
    [50, 0.02, 0.01, 0.9996],
    [100, 0.25, 0.25, 0.9506],
  ])('of %i images with flips of %f and %f holds the truth in a share of %f', (n, p12, p21, expected) => {
    expect(coverage(n, p12, p21)).toBeCloseTo(expected, 4);
    expect(expected).toBeGreaterThan(0.94);
  });

  it('holds the difference, stays within -1..1, turns round with the direction, and is missing without images', () => {
    const outcomes = fc.integer({ min: 1, max: 300 }).chain((n) => fc.integer({ min: 0, max: n }).chain((up) => fc.tuple(fc.constant(up), fc.integer({ min: 0, max: n - up }), fc.constant(n))));
    fc.assert(
      fc.property(outcomes, ([up, down, n]) => {
        const [low, high] = pairedInterval(up, down, n)!;
        expect(low).toBeGreaterThanOrEqual(-1);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual((up - down) / n);
        expect(high).toBeGreaterThanOrEqual((up - down) / n);
        const [mirroredLow, mirroredHigh] = pairedInterval(down, up, n)!;
        expect([mirroredLow, mirroredHigh]).toEqual([expect.closeTo(-high, 12), expect.closeTo(-low, 12)]);
      }),
    );
    expect(pairedInterval(0, 0, 0)).toBeNull();
  });
});

describe("McNemar's exact test", () => {
  // The first two as printed for the examples above; the others with exact fractions in Python.
  it.each([
    [6, 16, 0.052479],
    [1, 7, 0.0703125],
    [0, 0, 1],
    [5, 5, 1],
    [3, 0, 0.25],
    [0, 10, 0.001953125],
    [1200, 1000, 0.0000218170],
    [40, 5000, 0],
  ])('+%i -%i: %f', (up, down, p) => {
    if (p > 0) expect(mcNemarExact(up, down) / p).toBeCloseTo(1, 4);
    else expect(mcNemarExact(up, down)).toBe(0);
    expect(mcNemarExact(down, up)).toBe(mcNemarExact(up, down));
  });
});
