import { describe, expect, it } from 'vitest';
import { svmDecision, trainLinearSvm } from '../../../../src/engine/benchmark/detection/linearSvm';
import { normal } from '../../../../src/engine/benchmark/detection/normal';
import { principalComponents } from '../../../../src/engine/benchmark/detection/principalComponents';
import { descending, precisionAt } from '../../../../src/engine/benchmark/detection/problem';

describe('trainLinearSvm', () => {
  it('finds the widest margin: of 1 (no) and 3 (yes), w = 1 and b = -2 minimise w² + b²', () => {
    const { weights, bias } = trainLinearSvm(Float32Array.of(1, 3), 1, Int32Array.of(0, 1), [false, true], 100, 1);
    expect(weights[0]).toBeCloseTo(1, 2);
    expect(bias).toBeCloseTo(-2, 2);
  });

  it('weighs a rare class as much as a common one', () => {
    // Two of the yes class lie among a hundred of the no class; unweighted, giving both up costs least.
    const rows = Float32Array.from({ length: 102 }, (_, i) => (i < 100 ? -0.2 + 0.002 * i : 0.1));
    const svm = trainLinearSvm(rows, 1, Int32Array.from(rows, (_, i) => i), Array.from(rows, (_, i) => i >= 100), 1, 1);
    expect(svmDecision(svm, rows, 101)).toBeGreaterThan(svmDecision(svm, rows, 0));
    expect(svm.weights[0]).toBeGreaterThan(1);
  });

  it('has no opinion where there is one class', () => {
    expect(trainLinearSvm(Float32Array.of(1, 3), 1, Int32Array.of(0, 1), [true, true], 1, 1)).toEqual({ weights: Float64Array.of(0), bias: 0 });
  });
});

describe('principalComponents', () => {
  it('keeps the plane that the points lie in: distances stay', () => {
    // 60 points of a plane in 6 dimensions.
    const random = normal(1);
    const [u, v] = [Array.from({ length: 6 }, random), Array.from({ length: 6 }, random)];
    const rows = new Float32Array(60 * 6);
    for (let i = 0; i < 60; i++) {
      const [a, b] = [random(), random()];
      for (let d = 0; d < 6; d++) rows[6 * i + d] = a * u[d]! + b * v[d]! + 5;
    }
    const { data, components } = principalComponents(rows, 60, 6, 2, 1);
    expect(components).toBe(2);
    const distance = (values: ArrayLike<number>, dim: number, i: number, j: number) => Math.hypot(...Array.from({ length: dim }, (_, d) => values[i * dim + d]! - values[j * dim + d]!));
    for (let i = 1; i < 60; i++) expect(distance(data, 2, 0, i)).toBeCloseTo(distance(rows, 6, 0, i), 4);
  });
});

describe('precisionAt', () => {
  it('counts the first ten, or as many as there are', () => {
    const regions = Int32Array.from({ length: 20 }, (_, i) => i);
    expect(precisionAt(10, regions, (region) => region < 5 || region >= 10)).toBe(0.5);
    expect(precisionAt(10, Int32Array.of(1, 2, 3, 4), (region) => region > 1)).toBe(0.75);
    expect(precisionAt(10, new Int32Array(0), () => true)).toBe(0);
  });
});

describe('descending', () => {
  it('breaks ties by id', () => {
    expect([...descending([1, 3, 3, 2])]).toEqual([1, 2, 3, 0]);
  });
});
