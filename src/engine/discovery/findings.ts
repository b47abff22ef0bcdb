import type { Finding, Findings } from '../../shared/findings';
import type { Table } from '../dataset/table';
import type { Clustering } from './clustering';
import type { ImageEmbeddings } from './embedImages';
import type { RankedCluster } from './ranking';
import { accuracy } from './zeroShot';

export interface FindingsInput {
  readonly seed: number;
  readonly table: Table;
  readonly classes: readonly string[];
  /** [images] class ids, and zero-shot predictions. */
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  readonly embeddings: ImageEmbeddings;
  readonly clustering: Clustering;
  readonly ranked: readonly RankedCluster[];
  /** [clusters] words, best first. */
  readonly names: readonly (readonly string[])[];
}

/** Puts names, paths and boxes in place of ids: the content of findings.json. */
export function describeFindings(input: FindingsInput): Findings {
  const { classes, labels, predictions, embeddings, clustering } = input;
  const { overall, worstClass, perClass } = accuracy(labels, predictions, classes.length);
  return {
    version: 1,
    seed: input.seed,
    classes: [...classes],
    images: labels.length,
    regions: embeddings.regionImage.length,
    accuracy: {
      overall,
      worstClass: { label: classes[worstClass.class]!, accuracy: worstClass.accuracy },
      perClass: perClass.map((row) => ({ label: classes[row.class]!, n: row.n, accuracy: row.accuracy })),
    },
    clusters: { k: clustering.k, silhouette: clustering.silhouette, sweep: [...clustering.sweep], method: clustering.method },
    findings: input.ranked.map((cluster) => describeCluster(cluster, input)),
  };
}

function describeCluster(cluster: RankedCluster, { table, classes, labels, predictions, embeddings, clustering, names }: FindingsInput): Finding {
  const image = (i: number) => ({ image: table.images[embeddings.rows[i]!]!, label: classes[labels[i]!]!, predicted: classes[predictions[i]!]! });
  const { presentRight, absentWrong } = cluster.counterExamples;
  return {
    ...cluster,
    name: [...names[cluster.cluster]!],
    regions: Array.from(cluster.regions, (region) => {
      const [x, y, width, height] = embeddings.boxes.subarray(4 * region, 4 * region + 4);
      const owner = image(embeddings.regionImage[region]!);
      return { region, image: owner.image, box: [x!, y!, width!, height!], similarity: clustering.similarity[region]!, label: owner.label, predicted: owner.predicted };
    }),
    counterExamples: { presentRight: Array.from(presentRight, image), absentWrong: Array.from(absentWrong, image) },
  };
}
