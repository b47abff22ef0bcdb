import { groupBy } from '../../discovery/groups';
import { trainLinearSvm, svmDecision, type LinearSvm } from './linearSvm';
import { bySuspicion, descending, type DetectionMethod, type DetectionProblem, type Suspect } from './problem';

/**
 * For every class a linear SVM tells the embeddings of failures from those of successes; its direction is the class's
 * failure mode, and what lies farthest on the failures' side shows it. A class is the more suspect the better the SVM
 * does on embeddings it was not trained on (balanced accuracy, 2 folds; its C is chosen by the same).
 */
export const distillingFailures: DetectionMethod = {
  id: 'distilling-failures',
  name: 'Distilling Failures',
  source: 'Jain et al., Distilling Model Failures as Directions in Latent Space, ICLR 2023. A region counts as a failure where its image is mispredicted.',
  detect(problem) {
    const { labels, regionImage, classes } = problem;
    const byClass = groupBy(Int32Array.from(regionImage, (image) => labels[image]!), classes);
    const suspects = Array.from({ length: classes }, (_, y) => suspectOf(problem, byClass.members.slice(byClass.offsets[y], byClass.offsets[y + 1])));
    return Promise.resolve(bySuspicion(suspects.filter((suspect) => suspect !== null)));
  },
};

const penalties = [0.01, 0.1, 1] as const;

function suspectOf({ labels, predictions, regionImage, regions, dim, seed }: DetectionProblem, ids: Int32Array): Suspect | null {
  const failed = Array.from(ids, (region) => predictions[regionImage[region]!] !== labels[regionImage[region]!]);
  const failures = failed.filter(Boolean).length;
  // Both folds need both kinds.
  if (failures < 2 || ids.length - failures < 2) return null;
  const train = (members: Int32Array, wrong: readonly boolean[], c: number) => trainLinearSvm(regions, dim, members, wrong, c, seed);
  const trials = penalties.map((c) => ({ c, score: crossValidated(ids, failed, regions, (members, wrong) => train(members, wrong, c)) }));
  const best = trials.reduce((a, b) => (b.score > a.score ? b : a));
  const svm = train(ids, failed, best.c);
  const decisions = new Float64Array(regionImage.length);
  for (const region of ids) decisions[region] = svmDecision(svm, regions, region);
  return { regions: descending(decisions, ids), score: best.score };
}

/** Balanced accuracy on the halves left out: every other failure, and every other success. */
function crossValidated(ids: Int32Array, failed: readonly boolean[], rows: Float32Array, train: (ids: Int32Array, failed: readonly boolean[]) => LinearSvm): number {
  const seen = { true: 0, false: 0 };
  const fold = failed.map((wrong) => seen[`${wrong}`]++ % 2);
  const right = { true: 0, false: 0 };
  for (const out of [0, 1]) {
    const inside = Array.from(fold.keys()).filter((i) => fold[i] !== out);
    const svm = train(Int32Array.from(inside, (i) => ids[i]!), inside.map((i) => failed[i]!));
    for (const [i, part] of fold.entries()) {
      if (part === out && svmDecision(svm, rows, ids[i]!) > 0 === failed[i]) right[`${failed[i]!}`]++;
    }
  }
  return (right.true / seen.true + right.false / seen.false) / 2;
}
