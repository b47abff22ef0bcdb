import { clusterRegions } from '../../discovery/clustering';
import { groupBy } from '../../discovery/groups';
import { bySuspicion, descending, type DetectionMethod, type DetectionProblem, type Suspect } from './problem';

/**
 * Each class is clustered by itself into hidden subclasses, and the one with the highest mean loss is suspect.
 */
export const george: DetectionMethod = {
  id: 'george',
  name: 'George',
  source:
    'Sohoni et al., No Subclass Left Behind, NeurIPS 2020. Regions take the place of images, with the zero-shot cross-entropy of their image as loss; ' +
    'the embeddings are clustered as they are, without UMAP, by K-Medoids with the best silhouette over 2 to 10 clusters a class.',
  async detect(problem) {
    const { labels, regionImage, classes } = problem;
    const byClass = groupBy(Int32Array.from(regionImage, (image) => labels[image]!), classes);
    const suspects: Suspect[] = [];
    for (let y = 0; y < classes; y++) suspects.push(...(await subclasses(problem, byClass.members.slice(byClass.offsets[y], byClass.offsets[y + 1]))));
    return bySuspicion(suspects);
  },
};

/** MiB for the distances of one class. */
const memoryBudget = 1024;

async function subclasses({ labels, imageScores, classes, regionImage, regions, dim, seed }: DetectionProblem, ids: Int32Array): Promise<Suspect[]> {
  if (ids.length < 3) return [];
  const rows = new Float32Array(ids.length * dim);
  ids.forEach((region, i) => rows.set(regions.subarray(region * dim, (region + 1) * dim), i * dim));
  const { k, assignment, similarity } = await clusterRegions(rows, ids.length, dim, { min: 2, max: 10, seed, memoryBudget });
  const { offsets, members } = groupBy(assignment, k);
  return Array.from({ length: k }, (_, c) => {
    const places = descending(similarity, members.slice(offsets[c], offsets[c + 1]));
    const losses = Array.from(places, (place) => {
      const image = regionImage[ids[place]!]!;
      return -Math.log(Math.max(imageScores[image * classes + labels[image]!]!, 1e-12));
    });
    return { regions: Int32Array.from(places, (place) => ids[place]!), score: losses.reduce((sum, loss) => sum + loss, 0) / losses.length };
  });
}
