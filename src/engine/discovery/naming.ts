/**
 * Names clusters in words: the vocabulary entries whose text embedding is nearest to the cluster's mean region embedding,
 * compared with how near they are to the other clusters, so that a word that fits everything names nothing.
 *
 * The contrast is the similarity minus its mean over the other clusters, the simplest of those tried: on a real but small
 * checkpoint, z-scores, the margin over the next cluster and mixtures could not be told apart from it. No contrast makes up
 * for a text encoder that never met a word: names are as good as the vocabulary fits the checkpoint.
 *
 * @param means [clusters, dim] mean region embeddings, as `clusterMeans` gives them
 * @param words [words, dim] L2-normalised text embeddings of the vocabulary
 * @param count words a cluster
 * @returns [clusters] word ids, best first, ties by word id
 */
export function nameClusters(means: Float32Array, words: Float32Array, dim: number, count = 3): number[][] {
  const clusters = means.length / dim;
  const vocabulary = words.length / dim;
  const contrast = new Float64Array(clusters * vocabulary);
  for (let w = 0; w < vocabulary; w++) {
    let sum = 0;
    for (let c = 0; c < clusters; c++) {
      const similarity = dot(means, c * dim, words, w * dim, dim);
      contrast[c * vocabulary + w] = similarity;
      sum += similarity;
    }
    if (clusters === 1) continue;
    for (let c = 0; c < clusters; c++) {
      const own = contrast[c * vocabulary + w];
      contrast[c * vocabulary + w] = own - (sum - own) / (clusters - 1);
    }
  }
  return Array.from({ length: clusters }, (_, c) => {
    const score = contrast.subarray(c * vocabulary, (c + 1) * vocabulary);
    return Array.from(score.keys())
      .sort((a, b) => score[b] - score[a] || a - b)
      .slice(0, count);
  });
}

/**
 * Mean embedding of the regions of each cluster, L2-normalised.
 *
 * @param embeddings [regions, dim] L2-normalised rows
 * @param assignment [regions] cluster of each region
 * @returns [clusters, dim]; zeros for a cluster without regions
 */
export function clusterMeans(embeddings: Float32Array, assignment: Int32Array, clusters: number, dim: number): Float32Array {
  const sums = new Float64Array(clusters * dim);
  assignment.forEach((cluster, region) => {
    for (let d = 0; d < dim; d++) sums[cluster * dim + d] += embeddings[region * dim + d];
  });
  const means = new Float32Array(sums.length);
  for (let c = 0; c < clusters; c++) {
    const mean = sums.subarray(c * dim, (c + 1) * dim);
    const norm = Math.hypot(...mean);
    if (norm > 0) means.set(mean.map((v) => v / norm), c * dim);
  }
  return means;
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += a[aStart + d] * b[bStart + d];
  return sum;
}
