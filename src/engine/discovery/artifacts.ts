import { join } from 'node:path';
import type { Findings } from '../../shared/findings';
import type { Table } from '../dataset/table';
import { writeFileAtomically } from '../run/atomic';
import { npyContent } from '../run/npy';
import { regionsArrow } from '../run/regionsArrow';
import type { Clustering } from './clustering';
import type { ImageEmbeddings } from './embedImages';

export interface ArtifactsInput {
  readonly table: Table;
  readonly classes: readonly string[];
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  readonly embeddings: ImageEmbeddings;
  /** [regions, classes] zero-shot scores. */
  readonly regionScores: Float32Array;
  readonly clustering: Clustering;
  readonly dim: number;
  readonly findings: Findings;
}

/**
 * Writes embeddings.npy (regions), image_embeddings.npy, regions.arrow and, last, findings.json, each under a temporary
 * name first. Throws storage errors.
 */
export async function writeArtifacts(folder: string, input: ArtifactsInput): Promise<void> {
  const { embeddings, dim, findings } = input;
  await writeFileAtomically(join(folder, 'embeddings.npy'), npyContent({ shape: [embeddings.regionImage.length, dim], data: embeddings.regions }));
  await writeFileAtomically(join(folder, 'image_embeddings.npy'), npyContent({ shape: [embeddings.rows.length, dim], data: embeddings.images }));
  await writeFileAtomically(join(folder, 'regions.arrow'), regionsArrow(regionColumns(input)));
  await writeFileAtomically(join(folder, 'findings.json'), `${JSON.stringify(findings)}\n`);
}

function regionColumns({ table, classes, labels, predictions, embeddings, regionScores, clustering }: ArtifactsInput) {
  const { rows, regionImage, boxes } = embeddings;
  const count = regionImage.length;
  const ofImage = (column: ArrayLike<number>) => Int32Array.from(regionImage, (image) => column[image]!);
  const side = (at: number) => Float32Array.from({ length: count }, (_, region) => boxes[4 * region + at]!);
  const score = (ids: Int32Array) => Float32Array.from(regionImage, (image, region) => regionScores[region * classes.length + ids[image]!]!);
  return {
    image: { ids: regionImage, values: Array.from(rows, (row) => table.images[row]!) },
    row: ofImage(rows),
    x: side(0),
    y: side(1),
    width: side(2),
    height: side(3),
    label: { ids: ofImage(labels), values: classes },
    predicted: { ids: ofImage(predictions), values: classes },
    cluster: clustering.assignment,
    similarity: clustering.similarity,
    scorePredicted: score(predictions),
    scoreLabel: score(labels),
  };
}
