import type { Findings } from '../../shared/findings';
import type { RegionTable } from '../../shared/runQueries';
import { damagedArtifact } from '../run/errors';
import type { RegionColumns } from '../run/regionsArrow';

/**
 * The regions of an analysis with names as ids: regions.arrow in the class order of findings.json. Throws
 * `run-artifact-damaged`, naming `file`, where the two do not belong together.
 */
export function regionTable(columns: RegionColumns, { classes, clusters, findings, regions }: Findings, file: string): RegionTable {
  const { cluster, image, label, predicted } = columns;
  if (cluster.length !== regions) throw damagedArtifact(file, `it has ${cluster.length} regions, and findings.json ${regions}`);
  if (cluster.some((c) => c < 0 || c >= clusters.k)) throw damagedArtifact(file, 'it names clusters that findings.json does not have');
  if (image.ids.some((id) => id < 0 || id >= image.values.length)) throw damagedArtifact(file, 'it names images that it does not list');

  const classIds = new Map(classes.map((name, id) => [name, id]));
  const idsOf = ({ values }: typeof label) => values.map((name) => classIds.get(name) ?? -1);
  const [labels, predictions] = [idsOf(label), idsOf(predicted)];
  const imageLabel = new Int32Array(image.values.length).fill(-1);
  const imagePredicted = new Int32Array(image.values.length).fill(-1);
  image.ids.forEach((id, region) => {
    imageLabel[id] = labels[label.ids[region]!] ?? -1;
    imagePredicted[id] = predictions[predicted.ids[region]!] ?? -1;
  });
  // An image without regions has no row; a counter-example is known all the same.
  const places = new Map(image.values.map((name, id) => [name, id]));
  for (const example of findings.flatMap(({ counterExamples }) => [...counterExamples.presentRight, ...counterExamples.absentWrong])) {
    const id = places.get(example.image);
    if (id === undefined || imageLabel[id] !== -1) continue;
    imageLabel[id] = classIds.get(example.label) ?? -1;
    imagePredicted[id] = classIds.get(example.predicted) ?? -1;
  }
  const { x, y, width, height, similarity, scorePredicted, scoreLabel } = columns;
  return {
    cluster, image: image.ids, x, y, width, height, similarity, scorePredicted, scoreLabel,
    influential: influentialRegions(image.ids, scorePredicted, imageLabel, imagePredicted),
    imageLabel, imagePredicted, imageNames: image.values,
  };
}

/**
 * The regions that errors are traced to (paper, section 3.2, H_c): of each mispredicted image, the one that scores the
 * wrong predicted class highest, ties to the smaller region, as in discovery/influence.ts. That of an image with a single
 * region is marked too: it says nothing of the cluster, and discovery may leave it out, but it is the one.
 *
 * @param image [regions] image of each region
 * @param score [regions] zero-shot score for the image's predicted class
 * @returns [regions] 0 or 1
 */
export function influentialRegions(image: Int32Array, score: Float32Array, label: Int32Array, predicted: Int32Array): Uint8Array {
  const best = new Int32Array(label.length).fill(-1);
  image.forEach((id, region) => {
    if (label[id] === predicted[id]) return;
    if (best[id]! < 0 || score[region]! > score[best[id]!]!) best[id] = region;
  });
  const influential = new Uint8Array(image.length);
  for (const region of best) if (region >= 0) influential[region] = 1;
  return influential;
}

/** Arrays of its own, for a receiver that takes them over. */
export function copyOf(table: RegionTable): RegionTable {
  return Object.fromEntries(Object.entries(table).map(([name, column]) => [name, (column as Int32Array | readonly string[]).slice()])) as unknown as RegionTable;
}
