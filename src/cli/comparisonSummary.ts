import { join, relative } from 'node:path';
import type { Change, Comparison, FindingChange, GroupAccuracy, Regression } from '../shared/comparison';
import type { CompareResult, Evaluation } from './engine';
import { percent, points, probability } from './summary';
import { aligned, count, displayWidth, plain } from './text';

const width = 100;
const rowsShown = 20;
const classesPerFinding = 4;

/**
 * A comparison for a terminal, at most 100 columns wide but for paths; what got worse comes first.
 *
 * @param cwd what the printed paths start from
 */
export function comparisonSummary({ before, after, run, device, comparison, reportFile }: CompareResult, cwd: string): string {
  const { images, summary, regressions, findings } = comparison;
  const certain = regressions.filter((each) => each.certain);
  const doubtful = regressions.length - certain.length;
  const path = (file: string): string => plain(relative(cwd, file) || file);
  const lines = [
    `Before  ${plain(before, width - 8)}`,
    `After   ${plain(after, width - 8)}`,
    `${count(images)} images, on ${plain(device.used, 20)}${run === null ? '' : `, groups by the analysis ${plain(run, 40)}`}`,
    '',
    ...wrapped(plain(summary)),
    '',
    ...(certain.length > 0 ? ['Got worse beyond chance:', '', ...regressionTable(certain, findings)] : ['Nothing got worse beyond chance.']),
    ...(doubtful > 0 ? [`${certain.length > 0 ? '… and ' : ''}${doubtful === 1 ? '1 class or group' : `${count(doubtful)} classes or groups`} lower by what chance could explain`] : []),
    '',
    ...overallTable(comparison),
    '',
    ...classTable(comparison),
    ...findings.flatMap((finding) => ['', ...findingTable(finding)]),
    ...(reportFile === null ? [] : ['', `Report      ${path(reportFile)}`, `Comparison  ${path(join(reportFile, '..', 'comparison.json'))}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** One checkpoint's accuracies, likewise. */
export function evaluationSummary(checkpoint: string, run: string | null, { images, device, loss, overall, perClass, worstClass, features, groups, worstGroup }: Evaluation): string {
  const classes = [...perClass].sort((a, b) => a.accuracy - b.accuracy);
  const weakest = [...groups].sort((a, b) => a.accuracy - b.accuracy);
  const lines = [
    `${plain(checkpoint, width)}`,
    `${count(images.length)} images, on ${plain(device.used, 20)}`,
    `Zero-shot accuracy ${percent(overall)}; worst class ${plain(worstClass.label, 40)}, ${percent(worstClass.accuracy)}; cross-entropy ${loss.toFixed(3)}`,
    ...(worstGroup && run !== null ? [`Worst group ${groupText(worstGroup)}, ${percent(worstGroup.accuracy)} (groups by the analysis ${plain(run, 40)})`] : []),
    '',
    ...aligned([['class', 'images', 'accuracy'], ...classes.slice(0, rowsShown).map((row) => [plain(row.label, 60), count(row.n), percent(row.accuracy)])], 'lrr'),
    ...hidden(classes.length, 'more accurate classes'),
  ];
  if (weakest.length > 0) {
    const rows = weakest.slice(0, rowsShown).map((row) => [groupText(row), count(row.n), percent(row.accuracy)]);
    lines.push('', ...features.map((feature) => plain(`#${feature.rank} ${feature.name.join(', ') || `cluster ${feature.cluster}`}`, width)), ...aligned([['group', 'images', 'accuracy'], ...rows], 'lrr'), ...hidden(weakest.length, 'more accurate groups'));
  }
  return `${lines.join('\n')}\n`;
}

function regressionTable(regressions: readonly Regression[], findings: readonly FindingChange[]): string[] {
  const rows = regressions.slice(0, rowsShown).map((each) => [groupName(each, findings), ...changeCells(each)]);
  return [...aligned([changeHeader('class or group'), ...rows], changeAlign), ...hidden(regressions.length, 'more')];
}

function overallTable({ overall, worstGroup, worstClass, findings }: Comparison): string[] {
  const worst = (what: string, row: NonNullable<Comparison['worstGroup']> | Comparison['worstClass']) => [what, '', percent(row.before.accuracy), percent(row.after.accuracy), withInterval(row.difference, row.interval), ''];
  return aligned(
    [
      changeHeader(''),
      ['overall', ...changeCells(overall)],
      ...(worstGroup ? [worst('worst group', worstGroup)] : []),
      worst('worst class', worstClass),
      ...findings.map(({ rank, gap }) => [`gap G_c of #${rank}`, '', gap.before.toFixed(3), gap.after.toFixed(3), gapText(gap), '']),
    ],
    changeAlign,
  );
}

function classTable({ perClass }: Comparison): string[] {
  const order = [...perClass].sort((a, b) => a.difference - b.difference);
  const rows = order.slice(0, rowsShown).map(({ label, ...change }) => [plain(label, 36), ...changeCells(change)]);
  return [...aligned([changeHeader('class, worst change first'), ...rows], changeAlign), ...hidden(perClass.length, 'classes that changed for the better')];
}

/** The classes that the feature moved most before, with it and without it. */
function findingTable({ rank, name, cluster, stillFlagged, classes }: FindingChange): string[] {
  const again = stillFlagged === null ? '' : `, ${stillFlagged ? 'still flagged' : 'no longer flagged'}`;
  const order = [...classes].sort((a, b) => Math.abs(b.gapBefore ?? 0) - Math.abs(a.gapBefore ?? 0)).slice(0, classesPerFinding);
  const rows = order.flatMap(({ label, present, absent }) => [
    ...(present ? [[`${plain(label, 26)} with it`, ...changeCells(present)]] : []),
    ...(absent ? [[`${plain(label, 26)} without`, ...changeCells(absent)]] : []),
  ]);
  return [plain(`#${rank} ${name.join(', ') || `cluster ${cluster}`}${again}`, width), ...aligned([changeHeader(''), ...rows], changeAlign)];
}

const changeAlign = 'lrrrrr';
const changeHeader = (first: string): string[] => [first, 'images', 'before', 'after', 'change [95%]', 'p'];
const changeCells = ({ n, before, after, difference, interval, pValue }: Change): string[] => [count(n), percent(before), percent(after), withInterval(difference, interval), probability(pValue)];
const withInterval = (difference: number, interval: readonly number[]): string => `${points(difference)} [${interval.map(points).join(', ')}]`;

function gapText({ difference, interval }: FindingChange['gap']): string {
  const signed = (value: number) => (value > 0 ? `+${value.toFixed(2)}` : value.toFixed(2));
  return `${signed(difference)} [${interval.map(signed).join(', ')}]`;
}

const hidden = (all: number, what: string): string[] => (all > rowsShown ? [`… and ${count(all - rowsShown)} ${what}`] : []);
const groupText = ({ label, rank, feature }: GroupAccuracy): string => `${plain(label, 40)} ${feature === 'present' ? 'with' : 'without'} #${rank}`;

function groupName({ label, rank, feature }: Regression, findings: readonly FindingChange[]): string {
  const finding = findings.find((each) => each.rank === rank);
  return finding ? `${plain(label, 20)} ${feature === 'present' ? 'with' : 'without'} #${finding.rank}` : plain(label, 36);
}

/** The sentences of the summary on lines of at most 100 columns. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(plain(word, width));
  }
  return lines;
}
