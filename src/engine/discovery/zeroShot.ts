export interface ZeroShot {
  /** [rows, classes] softmax over classes. */
  readonly scores: Float32Array;
  /** [rows] class id of the highest similarity, ties to the smaller id. */
  readonly predictions: Int32Array;
}

/**
 * Zero-shot scores softmax(<v, t> / temperature) over classes (paper, section 3.1), for images and regions alike.
 *
 * @param similarity [rows, classes] inner products of L2-normalised embeddings with the class embeddings
 */
export function zeroShot(similarity: Float32Array, classes: number, temperature: number): ZeroShot {
  const rows = classes === 0 ? 0 : similarity.length / classes;
  const scores = new Float32Array(similarity.length);
  const predictions = new Int32Array(rows);
  const exponentials = new Float64Array(classes);
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    let best = 0;
    for (let y = 1; y < classes; y++) if (similarity[start + y] > similarity[start + best]) best = y;
    predictions[row] = best;
    let sum = 0;
    for (let y = 0; y < classes; y++) {
      // The largest is subtracted first: no overflow, whatever the temperature.
      sum += exponentials[y] = Math.exp((similarity[start + y] - similarity[start + best]) / temperature);
    }
    for (let y = 0; y < classes; y++) scores[start + y] = exponentials[y] / sum;
  }
  return { scores, predictions };
}

export interface Accuracy {
  readonly overall: number;
  /** Classes that have images, in class order. */
  readonly perClass: readonly ClassAccuracy[];
  /** Lowest accuracy, ties to the smaller class id. */
  readonly worstClass: ClassAccuracy;
}

export interface ClassAccuracy {
  readonly class: number;
  readonly n: number;
  readonly accuracy: number;
}

/**
 * Zero-shot accuracy. A class without images has none and is left out.
 *
 * @param labels [images], at least one
 * @param predictions [images]
 */
export function accuracy(labels: Int32Array, predictions: Int32Array, classes: number): Accuracy {
  const n = new Int32Array(classes);
  const right = new Int32Array(classes);
  labels.forEach((label, image) => {
    n[label]++;
    if (predictions[image] === label) right[label]++;
  });
  const perClass = Array.from(n, (count, y) => ({ class: y, n: count, accuracy: right[y] / count })).filter((row) => row.n > 0);
  const worstClass = perClass.reduce((worst, row) => (row.accuracy < worst.accuracy ? row : worst));
  return { overall: right.reduce((sum, r) => sum + r, 0) / labels.length, perClass, worstClass };
}
