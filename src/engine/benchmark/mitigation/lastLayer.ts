/**
 * Last-layer retraining (DFR: Kirichenko et al., Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations,
 * ICLR 2023): the encoder stays as it is, and the class embeddings, its last layer, are fitted anew on group-balanced
 * data by multinomial logistic regression, from where they are.
 */
export interface LastLayerData {
  /** [rows, dim] L2-normalised image embeddings, and [rows] their class ids. */
  readonly embeddings: Float32Array;
  readonly labels: Int32Array;
  readonly dim: number;
}

/**
 * New class rows [classes, dim]: gradient descent with momentum on the mean cross-entropy of <v, w_y> / temperature plus
 * decay/2 · |W - start|². Convex, so that the start decides nothing but the time it takes.
 */
export function retrainLastLayer({ embeddings, labels, dim }: LastLayerData, start: Float32Array, temperature: number): Float32Array {
  const classes = start.length / dim;
  const rows = labels.length;
  const weights = Float64Array.from(start);
  const velocity = new Float64Array(weights.length);
  const gradient = new Float64Array(weights.length);
  const scores = new Float64Array(classes);
  for (let step = 0; step < settings.steps && rows > 0; step++) {
    for (let at = 0; at < weights.length; at++) gradient[at] = settings.decay * (weights[at]! - start[at]!);
    for (let i = 0; i < rows; i++) {
      softmaxScores(embeddings, i * dim, weights, dim, temperature, scores);
      for (let y = 0; y < classes; y++) {
        const error = (scores[y]! - (labels[i] === y ? 1 : 0)) / (rows * temperature);
        for (let d = 0; d < dim; d++) gradient[y * dim + d]! += error * embeddings[i * dim + d]!;
      }
    }
    for (let at = 0; at < weights.length; at++) {
      velocity[at] = settings.momentum * velocity[at]! - settings.rate * temperature * temperature * gradient[at]!;
      weights[at]! += velocity[at]!;
    }
  }
  return Float32Array.from(weights);
}

/** The rate is in units of temperature², in which the curvature is at most about 1. */
const settings = { steps: 300, rate: 1, momentum: 0.9, decay: 0.1 } as const;

function softmaxScores(rows: Float32Array, at: number, weights: Float64Array, dim: number, temperature: number, scores: Float64Array): void {
  let largest = -Infinity;
  for (let y = 0; y < scores.length; y++) {
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += rows[at + d]! * weights[y * dim + d]!;
    scores[y] = dot / temperature;
    largest = Math.max(largest, scores[y]);
  }
  let sum = 0;
  for (let y = 0; y < scores.length; y++) sum += scores[y] = Math.exp(scores[y]! - largest);
  for (let y = 0; y < scores.length; y++) scores[y]! /= sum;
}
