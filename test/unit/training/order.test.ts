import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochOrder } from '../../../src/engine/training/order';

const count = fc.integer({ min: 0, max: 300 });
const seed = fc.integer({ min: 0, max: 0xffffffff });
const epoch = fc.integer({ min: 0, max: 10_000 });

describe('the order of an epoch', () => {
  it('has every image once', () => {
    fc.assert(fc.property(count, seed, epoch, (n, s, e) => void expect([...epochOrder(n, s, e)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))));
  });

  it('follows from count, seed and epoch alone, in whatever order they are asked for', () => {
    const forwards = [0, 1, 2, 3].map((e) => epochOrder(50, 9, e));
    const backwards = [3, 2, 1, 0].map((e) => epochOrder(50, 9, e)).reverse();
    expect(forwards).toEqual(backwards);
  });

  it('is another in every epoch and with every seed', () => {
    const orders = [0, 1, 2, 3, 0xffffffff].flatMap((s) => Array.from({ length: 100 }, (_, e) => epochOrder(30, s, e).join()));
    expect(new Set(orders).size).toBe(orders.length);
  });

  it('puts each image at each place about as often', () => {
    const places = new Int32Array(36);
    for (let e = 0; e < 6000; e++) epochOrder(6, 1, e).forEach((image, place) => places[6 * place + image]!++);
    // 1000 expected each, with a standard deviation of 29.
    for (const times of places) expect(Math.abs(times - 1000)).toBeLessThan(150);
  });
});
