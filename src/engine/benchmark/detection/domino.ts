import { normal } from './normal';
import { bySuspicion, descending, type DetectionMethod, type DetectionProblem } from './problem';
import { principalComponents } from './principalComponents';

/**
 * A mixture model in which a slice is a Gaussian of the embeddings and a categorical distribution each of labels and of
 * predictions, both weighted by 10; a slice where the two disagree is suspect.
 */
export const domino: DetectionMethod = {
  id: 'domino',
  name: 'Domino',
  source:
    'Eyuboglu et al., Domino: Discovering Systematic Errors with Cross-Modal Embeddings, ICLR 2022: 25 slices, diagonal Gaussians on up to 128 principal components, ' +
    'started from the confusion matrix. A region has the label and the scores of its image.',
  detect(problem) {
    const { regionImage } = problem;
    if (regionImage.length === 0) return Promise.resolve([]);
    const { responsibility, slices, disagreement } = fit(problem);
    const n = regionImage.length;
    const groups = Array.from({ length: slices }, (_, k) => {
      const column = responsibility.subarray(k * n, (k + 1) * n);
      const weight = column.reduce((sum, r) => sum + r, 0);
      return { regions: descending(column), score: weight < 1 ? NaN : disagreement[k]! };
    });
    return Promise.resolve(bySuspicion(groups));
  },
};

/** The authors' defaults. */
const settings = { slices: 25, components: 128, labelWeight: 10, predictionWeight: 10, iterations: 100, tolerance: 1e-3, variance: 1e-6, noise: 0.001 } as const;

interface Mixture {
  readonly slices: number;
  /** [slices, regions] sums to 1 over the slices. */
  readonly responsibility: Float64Array;
  /** [slices] half the L1 distance of a slice's labels and predictions: the least share of its regions that are wrong. */
  readonly disagreement: Float64Array;
}

/** Expectation and maximisation until the mean log-likelihood rises by less than the tolerance. */
function fit({ classes, labels, predictions, imageScores, regionImage, regions, dim, seed }: DetectionProblem): Mixture {
  const n = regionImage.length;
  const { data: x, components } = principalComponents(regions, n, dim, settings.components, seed);
  const slices = Math.min(settings.slices, n);
  const responsibility = startFromConfusion(regionImage, labels, predictions, classes, slices, seed);
  const weight = new Float64Array(slices);
  const mean = new Float64Array(slices * components);
  const variance = new Float64Array(slices * components);
  const ofLabel = new Float64Array(slices * classes);
  const ofPrediction = new Float64Array(slices * classes);
  let last = -Infinity;
  for (let iteration = 0; iteration < settings.iterations; iteration++) {
    for (let k = 0; k < slices; k++) maximise(k);
    const likelihood = expect();
    if (Math.abs(likelihood - last) < settings.tolerance) break;
    last = likelihood;
  }
  const disagreement = Float64Array.from({ length: slices }, (_, k) => {
    let distance = 0;
    for (let y = 0; y < classes; y++) distance += Math.abs(ofLabel[k * classes + y]! - ofPrediction[k * classes + y]!);
    return distance / 2;
  });
  return { slices, responsibility, disagreement };

  function maximise(k: number): void {
    const r = responsibility.subarray(k * n, (k + 1) * n);
    const total = r.reduce((sum, value) => sum + value, 0) + 10 * Number.EPSILON;
    weight[k] = total / n;
    const [m, v] = [mean.subarray(k * components, (k + 1) * components).fill(0), variance.subarray(k * components, (k + 1) * components).fill(0)];
    const [l, p] = [ofLabel.subarray(k * classes, (k + 1) * classes).fill(0), ofPrediction.subarray(k * classes, (k + 1) * classes).fill(0)];
    for (let i = 0; i < n; i++) {
      const share = r[i]! / total;
      if (share === 0) continue;
      for (let d = 0; d < components; d++) {
        const value = x[i * components + d]!;
        m[d]! += share * value;
        v[d]! += share * value * value;
      }
      const image = regionImage[i]!;
      l[labels[image]!]! += share;
      for (let y = 0; y < classes; y++) p[y]! += share * imageScores[image * classes + y]!;
    }
    for (let d = 0; d < components; d++) v[d] = Math.max(v[d]! - m[d]! * m[d]!, 0) + settings.variance;
  }

  function expect(): number {
    let likelihood = 0;
    const logs = new Float64Array(slices);
    const constant = Float64Array.from({ length: slices }, (_, k) => {
      let sum = components * Math.log(2 * Math.PI);
      for (let d = 0; d < components; d++) sum += Math.log(variance[k * components + d]!);
      return Math.log(weight[k]!) - sum / 2;
    });
    for (let i = 0; i < n; i++) {
      const image = regionImage[i]!;
      for (let k = 0; k < slices; k++) {
        let square = 0;
        for (let d = 0; d < components; d++) square += (x[i * components + d]! - mean[k * components + d]!) ** 2 / variance[k * components + d]!;
        let agreement = settings.labelWeight * Math.log(ofLabel[k * classes + labels[image]!]! + Number.EPSILON);
        for (let y = 0; y < classes; y++) agreement += settings.predictionWeight * imageScores[image * classes + y]! * Math.log(ofPrediction[k * classes + y]! + Number.EPSILON);
        logs[k] = constant[k]! - square / 2 + agreement;
      }
      const largest = logs.reduce((a, b) => Math.max(a, b));
      let sum = 0;
      for (let k = 0; k < slices; k++) sum += Math.exp(logs[k]! - largest);
      likelihood += largest + Math.log(sum);
      for (let k = 0; k < slices; k++) responsibility[k * n + i] = Math.exp(logs[k]! - largest) / sum;
    }
    return likelihood / n;
  }
}

/** A slice a cell of the confusion matrix, the wrong ones of the largest cells first; then the right ones; noise breaks ties and fills slices left over. */
function startFromConfusion(regionImage: Int32Array, labels: Int32Array, predictions: Int32Array, classes: number, slices: number, seed: number): Float64Array {
  const n = regionImage.length;
  const cellOf = Int32Array.from(regionImage, (image) => labels[image]! * classes + predictions[image]!);
  const counts = new Int32Array(classes * classes);
  for (const cell of cellOf) counts[cell]!++;
  const wrongFirst = (cell: number) => (Math.floor(cell / classes) === cell % classes ? 1 : 0);
  const cells = Array.from(counts.keys()).filter((cell) => counts[cell]! > 0);
  cells.sort((a, b) => wrongFirst(a) - wrongFirst(b) || counts[b]! - counts[a]! || a - b);
  const random = normal(seed);
  const responsibility = Float64Array.from({ length: slices * n }, () => Math.abs(random()) * settings.noise);
  for (let i = 0; i < n; i++) {
    // Cells beyond the slices share the last ones.
    responsibility[(cells.indexOf(cellOf[i]!) % slices) * n + i]! += 1;
    let sum = 0;
    for (let k = 0; k < slices; k++) sum += responsibility[k * n + i]!;
    for (let k = 0; k < slices; k++) responsibility[k * n + i]! /= sum;
  }
  return responsibility;
}
