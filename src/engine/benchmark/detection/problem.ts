/**
 * What a discovery method is given, and what it answers. Every method of the benchmark gets the same region embeddings and
 * zero-shot scores of the same checkpoint (paper, section 4.1), and none gets to know where the planted feature is.
 */
export interface DetectionProblem {
  readonly classes: number;
  readonly dim: number;
  /** [images] class ids, and zero-shot predictions. */
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  /** [images, classes] zero-shot scores; each row sums to 1. */
  readonly imageScores: Float32Array;
  /** [regions] image of each region. */
  readonly regionImage: Int32Array;
  /** [regions, dim] L2-normalised. */
  readonly regions: Float32Array;
  /** [regions, classes] zero-shot scores of the regions. */
  readonly regionScores: Float32Array;
  readonly seed: number;
}

/** A group of regions, best first, and how strongly the method suspects it. */
export interface Suspect {
  /** Region ids. */
  readonly regions: Int32Array;
  readonly score: number;
}

export interface DetectionMethod {
  /** In file names and options: lower case, hyphens. */
  readonly id: string;
  /** In tables. */
  readonly name: string;
  /** Where it comes from, and what was changed to feed it regions. */
  readonly source: string;
  /** Groups of regions, the most suspect first; none where it finds nothing. */
  detect(problem: DetectionProblem): Promise<readonly Suspect[]>;
}

/** Most suspect first, ties in the order given; groups without a finite score are left out. */
export function bySuspicion(suspects: readonly Suspect[]): Suspect[] {
  return suspects.filter(({ score }) => Number.isFinite(score)).sort((a, b) => b.score - a.score);
}

/** Ids 0..length-1 from the highest value down, ties by id. */
export function descending(values: ArrayLike<number>, ids: ArrayLike<number> = Int32Array.from({ length: values.length }, (_, i) => i)): Int32Array {
  return Int32Array.from(Array.from(ids).sort((a, b) => values[b]! - values[a]! || a - b));
}

/** Share of the first `count` regions of a group that carry the feature (paper: Precision@10); of a smaller group, of its regions; 0 of none. */
export function precisionAt(count: number, regions: Int32Array, carries: (region: number) => boolean): number {
  const first = regions.subarray(0, count);
  return first.length === 0 ? 0 : first.reduce((sum, region) => sum + (carries(region) ? 1 : 0), 0) / first.length;
}
