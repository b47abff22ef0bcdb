import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy, zeroShot } from '../../../src/engine/discovery/zeroShot';

describe('zero-shot scores', () => {
  it('are the textbook softmax', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }), (row) => {
        const exponentials = row.map((s) => Math.exp(s / 0.07));
        const sum = exponentials.reduce((a, b) => a + b);
        const { scores } = zeroShot(Float32Array.from(row), 3, 0.07);
        exponentials.forEach((e, y) => expect(scores[y]).toBeCloseTo(e / sum, 6));
      }),
    );
  });

  it('survive a temperature that would overflow, and split ties to the smaller class', () => {
    const { scores, predictions } = zeroShot(Float32Array.of(1, 1, -1, -1, 0.5, 0.5), 3, 1e-5);
    expect(Array.from(scores)).toEqual([0.5, 0.5, 0, 0, 0.5, 0.5]);
    expect(Array.from(predictions)).toEqual([0, 1]);
  });

  it('know one class and no rows', () => {
    expect(zeroShot(Float32Array.of(0.3, -0.2), 1, 0.07)).toEqual({ scores: Float32Array.of(1, 1), predictions: Int32Array.of(0, 0) });
    expect(zeroShot(new Float32Array(0), 4, 0.07).predictions).toHaveLength(0);
  });
});

describe('accuracy', () => {
  it('is counted overall, for each class that has images, and for the worst one', () => {
    const result = accuracy(Int32Array.of(0, 0, 0, 2, 2, 3, 3), Int32Array.of(0, 0, 1, 2, 0, 1, 3), 5);
    expect(result.overall).toBeCloseTo(4 / 7, 12);
    expect(result.perClass).toEqual([
      { class: 0, n: 3, accuracy: 2 / 3 },
      { class: 2, n: 2, accuracy: 0.5 },
      { class: 3, n: 2, accuracy: 0.5 },
    ]);
    expect(result.worstClass).toEqual({ class: 2, n: 2, accuracy: 0.5 });
  });
});
