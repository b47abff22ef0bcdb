import { join, relative } from 'node:path';
import type { ClassRow, Finding, Findings } from '../shared/findings';
import type { AnalyzeResult } from './engine';
import { ranked } from './result';
import { aligned, count, plain } from './text';

/**
 * The result of an analysis for a terminal, at most 100 columns wide but for paths.
 *
 * @param cwd what the printed paths start from
 */
export function summary({ run, device, findings, reportFile }: AnalyzeResult, cwd: string): string {
  const all = ranked(findings);
  const flagged = all.filter((finding) => finding.flagged);
  const path = (file: string): string => plain(relative(cwd, file) || file);
  const lines = [
    ...overview(findings, device),
    '',
    ...(flagged.length > 0 ? flaggedLines(flagged) : nothingFlagged(all)),
    '',
    `Report    ${path(reportFile)}`,
    `Findings  ${path(join(run.folder, 'findings.json'))}`,
  ];
  return `${lines.join('\n')}\n`;
}

const width = 100;
const classRowsShown = 20;
const classesPerFinding = 4;

function overview({ accuracy, clusters, images, regions }: Findings, device: AnalyzeResult['device']): string[] {
  const classes = [...accuracy.perClass].sort((a, b) => a.accuracy - b.accuracy || compare(a.label, b.label));
  const hidden = classes.length - classRowsShown;
  return [
    `${count(images)} images, ${count(regions)} regions, on ${plain(device.used, 20)}`,
    `Zero-shot accuracy ${percent(accuracy.overall)}; worst class ${plain(accuracy.worstClass.label, 40)}, ${percent(accuracy.worstClass.accuracy)}`,
    `${clusters.k} clusters, silhouette ${clusters.silhouette.toFixed(3)}`,
    '',
    ...aligned(
      [['class', 'images', 'accuracy'], ...classes.slice(0, classRowsShown).map((row) => [plain(row.label, 60), count(row.n), percent(row.accuracy)])],
      'lrr',
    ),
    ...(hidden > 0 ? [`… and ${count(hidden)} more accurate classes`] : []),
  ];
}

function flaggedLines(findings: readonly Finding[]): string[] {
  const title = findings.length === 1 ? 'One feature misleads this model:' : `${findings.length} features mislead this model, strongest first:`;
  return [title, '', ...findingTable(findings), ...findings.flatMap((finding) => ['', ...classTable(finding)])];
}

function nothingFlagged(survivors: readonly Finding[]): string[] {
  if (survivors.length === 0) return ['No spurious feature found: every cluster was pruned.'];
  const shown = survivors.slice(0, 3);
  return [
    'No spurious feature found. The strongest candidates, and why they do not count:',
    '',
    ...findingTable(shown),
    '',
    ...shown.flatMap((finding) => finding.reasons.map((reason) => `#${finding.rank}  ${plain(reason, width - 8)}`)),
  ];
}

function findingTable(findings: readonly Finding[]): string[] {
  const rows = findings.map((finding) => [
    String(finding.rank),
    plain(finding.name.join(', '), 26),
    plain(finding.attribute ?? '–', 16),
    finding.gap.toFixed(3) + (finding.gapInterval ? ` [${finding.gapInterval.map((end) => end.toFixed(2)).join(', ')}]` : ''),
    number(finding.influence, 2),
    probability(finding.qValue),
    count(finding.support),
  ]);
  return aligned([['#', 'feature', 'pulls towards', 'gap [95%]', 'influence', 'q', 'images'], ...rows], 'rllrrrr');
}

/** The classes the feature changes most, by |G_c^y|: classes on one side only say nothing. */
function classTable(finding: Finding): string[] {
  const rows = finding.classes
    .filter((row) => row.gap !== null && row.weighted !== 0)
    .sort((a, b) => Math.abs(b.weighted) - Math.abs(a.weighted) || compare(a.label, b.label))
    .slice(0, classesPerFinding);
  const header = [`#${finding.rank}`, 'with it', '', 'without', '', 'difference [95%]'];
  return aligned([header, ...rows.map(classCells)], 'lrrrrr');
}

function classCells(row: ClassRow): string[] {
  const interval = row.interval ? ` [${row.interval.map(points).join(', ')}]` : '';
  return [plain(row.label, 32), percent(row.presentAcc), `of ${count(row.presentN)}`, percent(row.absentAcc), `of ${count(row.absentN)}`, `${points(row.gap!)}${interval}`];
}

export function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)}%`;
}

/** A difference of accuracies in percentage points, with its sign. */
export function points(difference: number): string {
  const text = (difference * 100).toFixed(1);
  return difference > 0 ? `+${text}` : text;
}

function number(value: number | null, digits: number): string {
  return value === null ? '–' : value.toFixed(digits);
}

export function probability(value: number | null): string {
  if (value === null) return '–';
  return value < 0.001 ? '<.001' : value.toFixed(3).replace(/^0/, '');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
