/** Two checkpoints on the same images: what became better and what worse, class by class and group by group. */
import { flippedListed, type Change, type Comparison, type FindingChange, type Regression } from '../../shared/comparison';
import type { Contingency } from '../discovery/contingency';
import { classGaps, clusterGap } from '../discovery/gap';
import { groupBy, type Groups } from '../discovery/groups';
import type { Interval } from '../discovery/intervals';
import { accuracy } from '../discovery/zeroShot';
import { summaryInWords } from '../report/comparisonWords';
import { groupAccuracies, leastAccurate, presenceOf, tableOf, type Feature } from './groupTable';
import { bootstrapDifferences } from './pairedBootstrap';
import { mcNemarExact, pairedInterval } from './pairedIntervals';

export interface ComparisonInput {
  /** Class names in class-id order. */
  readonly classes: readonly string[];
  /** [images] class ids, at least one. */
  readonly labels: Int32Array;
  /** [images] paths as the data names them. */
  readonly images: readonly string[];
  /** [images] zero-shot predictions, class ids. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly features: readonly Feature[];
  /** Images a group needs to count. */
  readonly minSupport: number;
  readonly seed: number;
  /** What discovery found, run again on the new checkpoint; left out where it was not. */
  readonly discovery?: Rediscovery;
}

export interface Rediscovery {
  readonly summary: NonNullable<Comparison['discovery']>;
  /** For the rank of every feature: whether it is flagged again. */
  readonly stillFlagged: ReadonlyMap<number, boolean>;
}

/**
 * The content of comparison.json; the same input gives the same bytes. Classes without images are left out, sides of a
 * feature without images are null, and without features there are no groups.
 */
export function comparePredictions(input: ComparisonInput): Comparison {
  const { classes, labels, before, after, features, minSupport, seed, discovery } = input;
  const presence = presenceOf(features, labels.length);
  const ofClass = groupBy(labels, classes.length);
  const tableBefore = tableOf(presence, labels, before, features.length, classes.length);
  const tableAfter = tableOf(presence, labels, after, features.length, classes.length);
  const intervals = bootstrapDifferences({ classes: classes.length, features: features.length, presence, labels, before, after, minSupport, seed });

  const perClass = classes.flatMap((label, y) => {
    const change = changeOver(input, membersOf(ofClass, y));
    return change ? [{ label, ...change }] : [];
  });
  const findings = features.map((feature, f): FindingChange => ({
    ...identity(feature),
    support: feature.present.reduce((sum, one) => sum + one, 0),
    gap: difference(clusterGap(tableBefore, f), clusterGap(tableAfter, f), intervals.gaps[f]!),
    stillFlagged: discovery?.stillFlagged.get(feature.rank) ?? null,
    classes: classRows(input, feature, ofClass, classGaps(tableBefore, f), classGaps(tableAfter, f)),
  }));
  const about = { version: 1 as const, seed, classes: [...classes], images: labels.length, minSupport };
  const results = {
    regressions: regressionsOf(perClass, findings, minSupport),
    overall: changeOver(input, Int32Array.from(labels.keys()))!,
    worstGroup: intervals.worstGroup && difference(worstGroup(tableBefore, input), worstGroup(tableAfter, input), intervals.worstGroup),
    worstClass: difference(worstClass(before, input), worstClass(after, input), intervals.worstClass),
    perClass,
    findings,
    flipped: {
      rightToWrong: flipped(input, (i) => before[i] === labels[i] && after[i] !== labels[i]),
      wrongToRight: flipped(input, (i) => before[i] !== labels[i] && after[i] === labels[i]),
    },
    ...(discovery ? { discovery: discovery.summary } : {}),
  };
  return { ...about, summary: summaryInWords({ ...about, ...results }), ...results };
}

const identity = ({ rank, cluster, name, attribute }: Feature) => ({ rank, cluster, name: [...name], attribute });
const membersOf = ({ offsets, members }: Groups, group: number) => members.subarray(offsets[group], offsets[group + 1]);

/** The change of accuracy over some images; null for none. */
function changeOver({ labels, before, after }: ComparisonInput, images: Int32Array): Change | null {
  let [rightBefore, wrongToRight, rightToWrong] = [0, 0, 0];
  for (const i of images) {
    const [was, is] = [before[i] === labels[i], after[i] === labels[i]];
    if (was) rightBefore++;
    if (was && !is) rightToWrong++;
    if (!was && is) wrongToRight++;
  }
  const n = images.length;
  const interval = pairedInterval(wrongToRight, rightToWrong, n);
  if (interval === null) return null;
  const rightAfter = rightBefore + wrongToRight - rightToWrong;
  return {
    n,
    before: rightBefore / n,
    after: rightAfter / n,
    difference: (wrongToRight - rightToWrong) / n,
    interval,
    pValue: mcNemarExact(wrongToRight, rightToWrong),
    wrongToRight,
    rightToWrong,
  };
}

function classRows(input: ComparisonInput, { present }: Feature, ofClass: Groups, gapsBefore: ReturnType<typeof classGaps>, gapsAfter: ReturnType<typeof classGaps>) {
  return input.classes.flatMap((label, y): FindingChange['classes'] => {
    const members = membersOf(ofClass, y);
    if (members.length === 0) return [];
    const side = (has: number) => changeOver(input, members.filter((i) => present[i] === has));
    return [{ label, present: side(1), absent: side(0), gapBefore: gapsBefore[y]!.gap, gapAfter: gapsAfter[y]!.gap }];
  });
}

/** Classes that got worse, and groups with the support that did; a group that is the whole class is the class. */
function regressionsOf(perClass: Comparison['perClass'], findings: readonly FindingChange[], minSupport: number): Regression[] {
  const regression = (label: string, change: Change, rank: number | null, feature: Regression['feature']): Regression[] =>
    change.difference < 0 ? [{ label, rank, feature, certain: change.interval[1] < 0, ...change }] : [];
  const classes = perClass.flatMap(({ label, ...change }) => regression(label, change, null, null));
  const groups = findings.flatMap(({ rank, classes: rows }) =>
    rows.flatMap(({ label, present, absent }) => {
      if (present === null || absent === null) return [];
      const side = (change: Change, feature: Regression['feature']) => (change.n >= minSupport ? regression(label, change, rank, feature) : []);
      return [...side(present, 'present'), ...side(absent, 'absent')];
    }),
  );
  return [...classes, ...groups].sort((a, b) => Number(b.certain) - Number(a.certain) || a.difference - b.difference);
}

function worstGroup(table: Contingency, { classes, features, minSupport }: ComparisonInput) {
  return leastAccurate(groupAccuracies(table, classes, features, minSupport))!;
}

function worstClass(predictions: Int32Array, { classes, labels }: ComparisonInput) {
  const { class: y, n, accuracy: share } = accuracy(labels, predictions, classes.length).worstClass;
  return { label: classes[y]!, n, accuracy: share };
}

/** Two values, or what has an accuracy, with their difference and its interval. */
function difference<T extends number | { readonly accuracy: number }>(before: T, after: T, interval: Interval) {
  const valueOf = (side: T) => (typeof side === 'number' ? side : side.accuracy);
  return { before, after, difference: valueOf(after) - valueOf(before), interval };
}

/** Of many images so many as are listed, evenly spread: data is often sorted by class. */
function flipped({ classes, labels, images, before, after }: ComparisonInput, belongs: (image: number) => boolean): Comparison['flipped']['rightToWrong'] {
  const all = Array.from(labels.keys()).filter(belongs);
  const listed = all.length <= flippedListed ? all : Array.from({ length: flippedListed }, (_, at) => all[Math.floor((at * all.length) / flippedListed)]!);
  return { n: all.length, images: listed.map((i) => ({ image: images[i]!, label: classes[labels[i]!]!, before: classes[before[i]!]!, after: classes[after[i]!]! })) };
}
