import type { GroupAccuracy } from '../../shared/comparison';
import { countContingency, emptyContingency, type Contingency } from '../discovery/contingency';
import type { Groups } from '../discovery/groups';

/** A feature of a discovery run, and which images have it. */
export interface Feature {
  readonly rank: number;
  readonly cluster: number;
  /** Nearest words, best first. */
  readonly name: readonly string[];
  readonly attribute: string | null;
  /** [images] 1 where the image owns a region of the cluster. */
  readonly present: Uint8Array;
}

/** A class with a feature or without it, by its cell [feature, class] in the contingency table. */
export interface Group {
  readonly cell: number;
  readonly present: boolean;
}

/** The features of each image, as the contingency table counts them; feature f stands where discovery has cluster f. */
export function presenceOf(features: readonly Pick<Feature, 'present'>[], images: number): Groups {
  const offsets = new Int32Array(images + 1);
  const members: number[] = [];
  for (let image = 0; image < images; image++) {
    features.forEach(({ present }, f) => {
      if (present[image] === 1) members.push(f);
    });
    offsets[image + 1] = members.length;
  }
  return { offsets, members: Int32Array.from(members) };
}

export function tableOf(presence: Groups, labels: Int32Array, predictions: Int32Array, features: number, classes: number): Contingency {
  return countContingency(presence, labels, predictions, emptyContingency(features, classes));
}

/** The groups of at least `minSupport` images: by feature, then class, with the feature before without it. */
export function groupsOf({ presentN, totalN, classes }: Contingency, minSupport: number): Group[] {
  return Array.from(presentN, (n, cell) => [
    ...(n >= minSupport ? [{ cell, present: true }] : []),
    ...(totalN[cell % classes]! - n >= minSupport ? [{ cell, present: false }] : []),
  ]).flat();
}

/** Images of a group, and those of them that are predicted right. */
export function groupCount({ presentN, presentRight, totalN, totalRight, classes }: Contingency, { cell, present }: Group): { n: number; right: number } {
  const y = cell % classes;
  return present ? { n: presentN[cell]!, right: presentRight[cell]! } : { n: totalN[y]! - presentN[cell]!, right: totalRight[y]! - presentRight[cell]! };
}

/** The groups with their accuracies, in the order of `groupsOf`. */
export function groupAccuracies(table: Contingency, classes: readonly string[], features: readonly Pick<Feature, 'rank'>[], minSupport: number): GroupAccuracy[] {
  return groupsOf(table, minSupport).map((group) => {
    const { n, right } = groupCount(table, group);
    const [feature, y] = [Math.floor(group.cell / table.classes), group.cell % table.classes];
    return { label: classes[y]!, rank: features[feature]!.rank, feature: group.present ? 'present' : 'absent', n, accuracy: right / n };
  });
}

/** The least accurate, ties to the first; undefined for none. */
export function leastAccurate<T extends { readonly accuracy: number }>(rows: readonly T[]): T | undefined {
  return rows.reduce<T | undefined>((worst, row) => (worst === undefined || row.accuracy < worst.accuracy ? row : worst), undefined);
}
