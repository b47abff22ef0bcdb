import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newcombeInterval, wilsonInterval } from '../../../src/engine/discovery/intervals';

describe('Wilson interval', () => {
  // Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i: %f to %f', (right, n, low, high) => {
    const interval = wilsonInterval(right, n);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });
});

describe('Newcombe interval', () => {
  // Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
  it.each([
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [0, 10, 0, 10, -0.2775, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
    [10, 10, 0, 10, 0.6075, 1],
  ])('%i/%i against %i/%i: %f to %f', (right1, n1, right2, n2, low, high) => {
    const interval = newcombeInterval(right1, n1, right2, n2)!;
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });

  it('is missing when one side is empty', () => {
    expect(newcombeInterval(0, 0, 3, 4)).toBeNull();
    expect(newcombeInterval(3, 4, 0, 0)).toBeNull();
  });

  it('holds the difference, stays within -1..1 and turns round with the sides', () => {
    const proportion = fc.integer({ min: 1, max: 500 }).chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(proportion, proportion, ([right1, n1], [right2, n2]) => {
        const [low, high] = newcombeInterval(right1, n1, right2, n2)!;
        const difference = right1 / n1 - right2 / n2;
        expect(low).toBeGreaterThanOrEqual(-1);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(difference + 1e-12);
        expect(high).toBeGreaterThanOrEqual(difference - 1e-12);
        const [mirroredLow, mirroredHigh] = newcombeInterval(right2, n2, right1, n1)!;
        expect(mirroredLow).toBeCloseTo(-high, 12);
        expect(mirroredHigh).toBeCloseTo(-low, 12);
      }),
    );
  });
});
