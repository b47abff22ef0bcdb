/**
 * How many images of each class carry the feature, so that feature and class are tied with a chosen Cramér's V
 * (Cramér 1946, section 21.9): V = sqrt(chi² / (N · min(rows - 1, columns - 1))), with two rows (with and without) sqrt(chi² / N).
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { settingInvalid } from './errors';
import { seededRandom } from './random';

/** A 2 × classes table. */
export interface FeatureTable {
  /** [classes] images of the class. */
  readonly totals: Int32Array;
  /** [classes] those of them with the feature. */
  readonly present: Int32Array;
}

/**
 * The first table at or below `target`, as the paper makes it: from full correlation (every image of class `tied` has the
 * feature, no other image has) on, each round takes the feature from 1 to 3 images of the tied class and gives it to 1 to 3 of every other.
 *
 * @param totals [classes] images of each class
 * @param target Cramér's V, above 0 and up to 1
 * Throws RavlError `benchmark-setting` for a target or class that cannot be, and where the images are too few to come down to it.
 */
export function plantCorrelation(totals: Int32Array, tied: number, target: number, seed: number): FeatureTable {
  const present = fullCorrelation(totals, tied, target);
  const random = seededRandom(seed, 'table');
  while (cramersV({ totals, present }) > target + rounding) {
    for (let label = 0; label < totals.length; label++) {
      const moved = uniformInt(random, 1, 3);
      present[label]! += label === tied ? -moved : moved;
      if (present[label]! < 0 || present[label]! > totals[label]!) {
        throw tooFew(totals[label]!, target);
      }
    }
  }
  return { totals, present };
}

/**
 * The same one image at a time, of a class drawn at random: for sets so small that a whole round of the paper's would overshoot.
 * Errors as `plantCorrelation`.
 */
export function plantOneByOne(totals: Int32Array, tied: number, target: number, seed: number): FeatureTable {
  const present = fullCorrelation(totals, tied, target);
  const random = seededRandom(seed, 'table');
  while (cramersV({ totals, present }) > target + rounding) {
    const movable = Array.from(totals.keys()).filter((label) => (label === tied ? present[label]! > 0 : present[label]! < totals[label]!));
    if (movable.length === 0) throw tooFew(totals[tied]!, target);
    const label = movable[uniformInt(random, 0, movable.length - 1)]!;
    present[label]! += label === tied ? -1 : 1;
  }
  return { totals, present };
}

const tooFew = (images: number, target: number) =>
  settingInvalid(`${images} images of a class are too few for a Cramér's V of ${target}.`, 'Ask for more images, or a stronger correlation.');

/** [classes] every image of class `tied` has the feature, and no other image has. */
function fullCorrelation(totals: Int32Array, tied: number, target: number): Int32Array {
  if (!(target > 0 && target <= 1)) throw settingInvalid(`A Cramér's V of ${target} cannot be planted.`, 'Give a number above 0 and up to 1; the paper uses 0.7 to 0.99.');
  if (totals.length < 2) throw settingInvalid('A correlation takes at least two classes.', 'Give a data set with more classes.');
  if (!(tied in totals)) throw settingInvalid(`There is no class ${tied} among ${totals.length}.`, 'Name one of the classes of the data set.');
  const empty = totals.indexOf(0);
  if (empty >= 0) throw settingInvalid(`Class ${empty} has no images.`, 'Ask for at least one image a class.');
  return totals.map((total, label) => (label === tied ? total : 0));
}

/** V of full correlation is 1, but for the last digits. */
const rounding = 1e-12;

/**
 * Cramér's V of a 2 × classes table, 0 where all images or none have the feature: chi² is the sum over the cells of
 * (observed - expected)² / expected. Classes without images do not count.
 */
export function cramersV({ totals, present }: FeatureTable): number {
  const images = totals.reduce((sum, total) => sum + total, 0);
  const having = present.reduce((sum, count) => sum + count, 0);
  if (having === 0 || having === images) return 0;
  let chiSquared = 0;
  totals.forEach((total, label) => {
    if (total === 0) return;
    for (const [observed, share] of [[present[label]!, having / images], [total - present[label]!, 1 - having / images]] as const) {
      chiSquared += (observed - total * share) ** 2 / (total * share);
    }
  });
  return Math.sqrt(chiSquared / images);
}
