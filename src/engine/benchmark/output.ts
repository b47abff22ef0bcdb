/** benchmark.json, benchmark.csv, benchmark.md and two charts, from the tables. */
import { join } from 'node:path';
import { writeFileAtomically } from '../run/atomic';
import { barChart } from './chart';
import { detectionMethods } from './detection/methods';
import { mitigationMethods } from './mitigation/methods';
import type { Detected, MitigationResult } from './stages';
import type { Suite } from './suites';
import { thresholds, type Mean, type MitigationRow, type Tables } from './tables';

export interface Results {
  readonly suite: Suite;
  /** Of the machine, in words. */
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly detected: readonly Detected[];
  readonly mitigated: readonly MitigationResult[];
  readonly tables: Tables;
}

/** Writes all files and returns the path of benchmark.md. Throws storage errors. */
export async function writeResults(folder: string, results: Results): Promise<string> {
  const markdown = join(folder, 'benchmark.md');
  await writeFileAtomically(join(folder, 'benchmark.json'), `${JSON.stringify(results, null, 1)}\n`);
  await writeFileAtomically(join(folder, 'benchmark.csv'), csvOf(results));
  const { detection, mitigation } = results.tables;
  await writeFileAtomically(join(folder, 'discovery.svg'), barChart('Precision@10', detection.map(({ name, precision }) => ({ name, value: precision[0]! }))));
  if (mitigation.length > 0) await writeFileAtomically(join(folder, 'mitigation.svg'), barChart('Worst-group image accuracy', mitigation.map(({ name, imageWorst }) => ({ name, value: imageWorst }))));
  await writeFileAtomically(markdown, markdownOf(results));
  return markdown;
}

export function markdownOf({ suite, machine, versions, tables }: Results): string {
  const { valid, settings, detection, mitigation, lead, cost } = tables;
  const lines = [
    `# ${suite.title}`,
    '',
    ...(suite.about === undefined ? [] : [suite.about, '']),
    `${settings} of ${suite.settings.length} settings were run on ${machine} (${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}). Means with 95% intervals (Student's t over the settings).`,
    '',
    '## Discovery: Precision@10',
    '',
    'A setting counts where the model learned the shortcut: both eps1 and eps2 reach the threshold, in all of its seeds.',
    '',
    `| method | ${valid.map(({ threshold, settings: n }) => `≥ ${threshold} points (${n})`).join(' | ')} |`,
    `| --- |${valid.map(() => ' ---: |').join('')}`,
    ...detection.map(({ name, precision }) => `| ${name} | ${precision.map((mean) => withInterval(mean)).join(' | ')} |`),
    '',
    ...(lead ? [leadInWords(lead), ''] : []),
    '![Precision@10 by method](discovery.svg)',
    '',
  ];
  if (mitigation.length > 0) {
    lines.push(
      '## Mitigation: accuracy in %',
      '',
      `Over the settings that are valid at ${thresholds[0]} points. Groups are class × planted feature; "gain" is worst-group image accuracy less that of standard fine-tuning, setting by setting.`,
      '',
      '| method | image, overall | image, worst group | gain | region, overall | region, worst group | seconds |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...mitigation.map((row) => `| ${row.name} | ${percent(row.imageOverall)} | ${percent(row.imageWorst)} | ${percent(row.gain)} | ${percent(row.regionOverall)} | ${percent(row.regionWorst)} | ${row.seconds.mean?.toFixed(1) ?? '–'} |`),
      '',
      ...goalsOfMitigation(mitigation),
      '![Worst-group image accuracy by method](mitigation.svg)',
      '',
    );
  }
  lines.push('## Cost of a setting, seconds', '', '| step | mean |', '| --- | ---: |', ...cost.map(({ stage, seconds }) => `| ${stage} | ${seconds.mean?.toFixed(2) ?? '–'} |`), '');
  lines.push('## Methods', '', ...[...detectionMethods, ...mitigationMethods].map(({ name, source }) => `- **${name}.** ${source}`), '');
  return lines.join('\n');
}

/** The paper's claim beside what was seen: +191% over the closest rival. */
function leadInWords({ rival, ratio }: NonNullable<Tables['lead']>): string {
  if (ratio === null) return `No rival found anything; the closest is ${rival}.`;
  return `RaVL's mean is ${ratio.toFixed(2)} times that of the closest rival, ${rival}. **Goal, the paper's +191%: 2.91 times. ${ratio >= 2.91 ? 'Met' : 'Missed'}.**`;
}

/** The paper's claim, and a claim of every method: better than standard fine-tuning by 8 points, and than any rival. */
function goalsOfMitigation(rows: readonly MitigationRow[]): string[] {
  const own = rows.find(({ method }) => method === 'ravl');
  const rivals = rows.filter(({ method, imageWorst }) => !['ravl', 'standard', 'start'].includes(method) && imageWorst.mean !== null);
  const lines = rows.filter(({ diverged }) => diverged > 0).map(({ name, diverged }) => `The training of ${name} diverged in ${diverged} ${diverged === 1 ? 'setting' : 'settings'}, and counts as 0 there.`);
  if (own?.gain.mean != null && own.imageWorst.mean !== null && rivals.length > 0) {
    const best = rivals.reduce((a, b) => (b.imageWorst.mean! > a.imageWorst.mean! ? b : a));
    const above = own.imageWorst.mean > best.imageWorst.mean!;
    lines.push(
      `**Goal: RaVL's gain is 8 points or more. ${own.gain.mean >= 0.08 ? 'Met' : 'Missed'}, ${percent(own.gain)}.** ` +
        `**Goal: its worst group of images is better than with any rival. ${above ? 'Met' : 'Missed'}: ${best.name} has ${percent(best.imageWorst)}, RaVL ${percent(own.imageWorst)}.**`,
    );
  }
  return lines.length > 0 ? [lines.join(' '), ''] : [];
}

/** A row a setting and method, for a spreadsheet. */
function csvOf({ detected, mitigated }: Results): string {
  const header = ['stage', 'dataset', 'feature', 'tied', 'cramers_v', 'seed', 'method', 'precision_at_10', 'eps1', 'eps2', 'image_overall', 'image_worst', 'region_overall', 'region_worst', 'seconds'];
  const ofSetting = ({ dataset, feature, tied, cramersV, seed }: Detected['setting']) => [dataset, feature, tied, cramersV, seed];
  const discovery = detected.flatMap(({ setting, eps1, eps2, precision, seconds }) =>
    Object.entries(precision).map(([method, value]) => ['discovery', ...ofSetting(setting), method, value, eps1, eps2, '', '', '', '', seconds[method] ?? '']),
  );
  const mitigation = mitigated.map(({ setting, method, image, region, seconds }) => ['mitigation', ...ofSetting(setting), method, '', '', '', image.overall, image.worstGroup, region.overall, region.worstGroup, seconds]);
  return `${[header, ...discovery, ...mitigation].map((row) => row.join(',')).join('\n')}\n`;
}

function withInterval({ mean, interval }: Mean, digits = 2): string {
  if (mean === null) return '–';
  return interval ? `${mean.toFixed(digits)} [${interval.map((end) => end.toFixed(digits)).join(', ')}]` : mean.toFixed(digits);
}

const percent = ({ n, mean, interval }: Mean): string =>
  withInterval({ n, mean: mean === null ? null : 100 * mean, interval: interval && [100 * interval[0], 100 * interval[1]] }, 1);
