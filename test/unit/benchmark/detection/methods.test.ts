import { describe, expect, it } from 'vitest';
import { ravl, spuriousAware, unweightedGap, weightedGap } from '../../../../src/engine/benchmark/detection/clusterMethods';
import { distillingFailures } from '../../../../src/engine/benchmark/detection/distillingFailures';
import { domino } from '../../../../src/engine/benchmark/detection/domino';
import { george } from '../../../../src/engine/benchmark/detection/george';
import { detectionMethods } from '../../../../src/engine/benchmark/detection/methods';
import { normal } from '../../../../src/engine/benchmark/detection/normal';
import { precisionAt, type DetectionProblem } from '../../../../src/engine/benchmark/detection/problem';
import { randomRegions } from '../../../../src/engine/benchmark/detection/randomRegions';

/** An image of one region: where it lies, its class, what is predicted and how sure the model is of it. */
interface Item {
  readonly blob: number;
  readonly label: number;
  readonly predicted: number;
  readonly sure?: number;
}

const dim = 8;

/** Images in blobs around the axes of the embedding space; two regions each where `background` names a second blob. */
function problemOf(items: readonly Item[], classes: number, background?: number): DetectionProblem & { readonly blobs: Int32Array } {
  const random = normal(7);
  const perImage = background === undefined ? 1 : 2;
  const blobs = Int32Array.from(items.flatMap(({ blob }) => (background === undefined ? [blob] : [blob, background])));
  const regions = new Float32Array(blobs.length * dim);
  blobs.forEach((blob, region) => {
    const row = Array.from({ length: dim }, (_, d) => (d === blob ? 1 : 0) + 0.1 * random());
    const length = Math.hypot(...row);
    regions.set(row.map((value) => value / length), region * dim);
  });
  const scoresOf = ({ predicted, sure = 0.9 }: Item) => Array.from({ length: classes }, (_, y) => (y === predicted ? sure : (1 - sure) / (classes - 1)));
  // The region that shows the blob is where the prediction comes from; the background says nothing.
  const even = Array.from({ length: classes }, () => 1 / classes);
  return {
    classes,
    dim,
    labels: Int32Array.from(items, ({ label }) => label),
    predictions: Int32Array.from(items, ({ predicted }) => predicted),
    imageScores: Float32Array.from(items.flatMap(scoresOf)),
    regionImage: Int32Array.from({ length: blobs.length }, (_, region) => Math.floor(region / perImage)),
    regions,
    regionScores: Float32Array.from(items.flatMap((item) => (background === undefined ? scoresOf(item) : [...scoresOf(item), ...even]))),
    seed: 3,
    blobs,
  };
}

const repeat = (count: number, item: Item): Item[] => Array.from({ length: count }, () => item);

/** Share of the ten best regions of the most suspect group that lie in the blob. */
async function precision(method: typeof ravl, problem: ReturnType<typeof problemOf>, blob: number): Promise<number> {
  const [top] = await method.detect(problem);
  return precisionAt(10, top?.regions ?? new Int32Array(0), (region) => problem.blobs[region] === blob);
}

describe('the rivals where their papers say they work', () => {
  it('Domino finds the slice of a class whose labels and predictions disagree', async () => {
    // A rare subclass (blob 2) of class 0 is taken for class 1; everything else is right.
    const problem = problemOf([...repeat(120, { blob: 0, label: 0, predicted: 0 }), ...repeat(120, { blob: 1, label: 1, predicted: 1 }), ...repeat(24, { blob: 2, label: 0, predicted: 1 })], 2);
    expect(await precision(domino, problem, 2)).toBe(1);
  });

  it('George finds the hidden subclass with the highest loss', async () => {
    const problem = problemOf([...repeat(80, { blob: 0, label: 0, predicted: 0 }), ...repeat(40, { blob: 2, label: 0, predicted: 0, sure: 0.55 }), ...repeat(100, { blob: 1, label: 1, predicted: 1 })], 2);
    expect(await precision(george, problem, 2)).toBe(1);
  });

  it('Distilling Failures finds the direction in which a class fails', async () => {
    const problem = problemOf([...repeat(60, { blob: 0, label: 0, predicted: 0 }), ...repeat(60, { blob: 3, label: 0, predicted: 1 }), ...repeat(50, { blob: 1, label: 1, predicted: 1 }), ...repeat(4, { blob: 1, label: 1, predicted: 0 })], 2);
    expect(await precision(distillingFailures, problem, 3)).toBe(1);
  });

  it('Spurious-Aware Detection finds the feature that costs a class most', async () => {
    // Half of class 0 has blob 4, and is wrong; the other half has one of three other things.
    const right = [5, 6, 7].flatMap((blob) => repeat(14, { blob, label: 0, predicted: 0 }));
    const items = [...right, ...repeat(42, { blob: 4, label: 0, predicted: 1 }), ...repeat(84, { blob: 1, label: 1, predicted: 1 })];
    expect(await precision(spuriousAware, problemOf(items, 2), 4)).toBe(1);
  });

  it('random order hits the feature as often as it is there', async () => {
    const problem = problemOf([...repeat(300, { blob: 0, label: 0, predicted: 0 }), ...repeat(100, { blob: 1, label: 1, predicted: 1 })], 2);
    const shares = await Promise.all(Array.from({ length: 200 }, (_, seed) => precision(randomRegions, { ...problem, seed }, 1)));
    // 2,000 draws with p = 1/4: five standard errors are 0.05.
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) / shares.length - 0.25)).toBeLessThan(0.05);
  });
});

describe('RaVL against its ablations', () => {
  /**
   * Blob 4 is a shortcut to class 1, on half of all images: class 0 is right 60% with it and 100% without, class 1 80% and 40%.
   * Blob 5 is three odd images of either class, all taken for class 1: with so few, its unweighted gap is larger.
   */
  const items = [
    ...repeat(60, { blob: 0, label: 0, predicted: 0 }),
    ...repeat(36, { blob: 4, label: 0, predicted: 0 }),
    ...repeat(24, { blob: 4, label: 0, predicted: 1 }),
    ...repeat(24, { blob: 1, label: 1, predicted: 1 }),
    ...repeat(36, { blob: 1, label: 1, predicted: 0 }),
    ...repeat(48, { blob: 4, label: 1, predicted: 1 }),
    ...repeat(12, { blob: 4, label: 1, predicted: 0 }),
    ...repeat(3, { blob: 5, label: 0, predicted: 1 }),
    ...repeat(3, { blob: 5, label: 1, predicted: 1 }),
  ];

  it('finds the shortcut; without weights a handful of odd images comes first', async () => {
    const problem = problemOf(items, 2, 7);
    expect(await precision(ravl, problem, 4)).toBe(1);
    expect(await precision(weightedGap, problem, 4)).toBe(1);
    expect(await precision(unweightedGap, problem, 4)).toBe(0);
  });

  it('leaves out what the errors do not come from', async () => {
    // Every wrong image with blob 4 has its highest score for the wrong class in the other region.
    const problem = problemOf(items, 2, 7);
    const regionScores = Float32Array.from(problem.regionScores, (_, at) => (problem.blobs[Math.floor(at / 2)] === 4 ? 0.5 : problem.regionScores[at]!));
    problem.blobs.forEach((blob, region) => {
      if (blob === 7) regionScores.set([0.05, 0.95], 2 * region);
    });
    const suspects = await ravl.detect({ ...problem, regions: problem.regions.slice(), regionScores });
    expect(suspects.every(({ regions }) => regions.every((region) => problem.blobs[region] !== 4))).toBe(true);
  });
});

describe('every method', () => {
  it.each(detectionMethods)('$name answers the same twice, and nothing where there is nothing', async (method) => {
    const problem = problemOf([...repeat(30, { blob: 0, label: 0, predicted: 0 }), ...repeat(30, { blob: 2, label: 0, predicted: 1 }), ...repeat(30, { blob: 1, label: 1, predicted: 1 })], 2);
    const once = await method.detect(problem);
    expect(await method.detect({ ...problem, regions: problem.regions.slice() })).toEqual(once);
    const empty = { ...problem, labels: new Int32Array(0), predictions: new Int32Array(0), imageScores: new Float32Array(0), regionImage: new Int32Array(0), regions: new Float32Array(0), regionScores: new Float32Array(0) };
    expect(await method.detect(empty)).toEqual([]);
  });

  it('is named once', () => {
    expect(new Set(detectionMethods.map(({ id }) => id)).size).toBe(detectionMethods.length);
  });
});
