/** Evaluating and comparing checkpoints as a person does, on a checkpoint with a known shortcut and two that were mended. */
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { comparisonSchema, type Comparison } from '../../src/shared/comparison';
import { writeMendedClip } from '../fixtures/mendedClip';
import { plantedClasses, writePlantedClip, writePlantedDataset, type PlantedImage } from '../fixtures/plantedClip';
import { onlyJson, ravl, runFolders, runJson, temporaryFolder } from './ravl';

const folder = temporaryFolder();
let images: PlantedImage[];
let run: string;

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  await writeMendedClip(join(folder, 'mended'));
  await writeMendedClip(join(folder, 'spoilt'), { spoilt: true });
  images = await writePlantedDataset(join(folder, 'data'), { images: 160, seed: 3 });
  await writeFile(join(folder, 'words.txt'), 'turquoise\nyellow\nred\nblue\ngreen\nblack\n');
  await writeFile(join(folder, 'ravl.yaml'), 'checkpoint: clip\ndata:\n  validation: data/validation.csv\ndiscovery:\n  vocabulary: words.txt\n');
  expect(await ravl(['analyze', 'ravl.yaml'], folder)).toMatchObject({ code: 0 });
  run = basename((await runFolders(folder))[0]!);
});

interface Result {
  readonly before: string;
  readonly after: string;
  readonly run: string | null;
  readonly comparison: Comparison;
  readonly reportFile: string | null;
}

async function compare(...args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await ravl(['compare', ...args, '--json'], folder);
  expect({ code, error: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, error: '' });
  const result = onlyJson(stdout) as Result;
  return { ...result, comparison: comparisonSchema.parse(result.comparison) };
}

/** Images of a class with a red quadrant or without one. */
const count = (label: string, red: boolean) => images.filter((image) => image.label === label && image.red >= 0 === red).length;

describe('compare', () => {
  it('of an analysis and a checkpoint groups by what the analysis flagged', async () => {
    const before = await readdir(folder);
    const { comparison, ...about } = await compare(run, 'mended');
    expect(about).toMatchObject({ before: `clip (analysis ${run})`, after: 'mended', run, reportFile: null });
    expect(await readdir(folder)).toEqual(before);
    expect(comparison.images).toBe(160);
    const [finding] = comparison.findings;
    expect(comparison.findings).toHaveLength(1);
    expect(finding).toMatchObject({ rank: 1, attribute: 'nine', support: images.filter(({ red }) => red >= 0).length, stillFlagged: null });
    expect(finding!.classes.map(({ label, present, absent }) => [label, present!.n, absent!.n])).toEqual(plantedClasses.map((label) => [label, count(label, true), count(label, false)]));
    expect(finding!.gap.after).toBeLessThan(0.3 * finding!.gap.before);
    expect(comparison.worstGroup!.interval[0]).toBeGreaterThan(0);
    expect(comparison.worstGroup!.before.feature).toMatch(/present|absent/);
  });

  it('equals what evaluate says of either, and the one what analyze said', async () => {
    const { comparison } = await compare(run, 'mended');
    const evaluated = async (target: string) => onlyJson((await ravl(['evaluate', target, '--run', run, '--json'], folder)).stdout) as { overall: number; worstGroup: unknown; perClass: { accuracy: number }[] };
    const [was, is] = [await evaluated('clip'), await evaluated('mended')];
    expect([comparison.overall.before, comparison.overall.after]).toEqual([was.overall, is.overall]);
    expect(comparison.worstGroup).toMatchObject({ before: was.worstGroup, after: is.worstGroup });
    expect(comparison.perClass.map(({ after }) => after)).toEqual(is.perClass.map(({ accuracy }) => accuracy));
    const findings = JSON.parse(await readFile(join(folder, '.ravl', 'runs', run, 'findings.json'), 'utf8')) as { accuracy: { overall: number; perClass: { accuracy: number }[] } };
    expect(was.overall).toBe(findings.accuracy.overall);
    expect(was.perClass.map(({ accuracy }) => accuracy)).toEqual(findings.accuracy.perClass.map(({ accuracy }) => accuracy));
  });

  it('names the regression first, for a reader and for a script', async () => {
    const { comparison } = await compare(run, 'spoilt');
    expect(comparison.regressions[0]).toMatchObject({ label: 'three', feature: 'absent', certain: true, before: 1, after: 0 });
    const { code, stdout } = await ravl(['compare', run, 'spoilt'], folder);
    expect(code).toBe(0);
    const order = ['After   spoilt', 'Got worse beyond chance:', 'three without #1', 'class, worst change first'].map((text) => stdout.indexOf(text));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
  });

  it('writes the comparison and its report, the same bytes again', async () => {
    const { reportFile, comparison } = await compare('clip', 'mended', '--config', 'ravl.yaml', '--run', run, '--out', 'out/first');
    await compare(run, 'mended', '--out', 'out/second');
    expect(reportFile).toBe(join(folder, 'out', 'first', 'report.html'));
    const text = await readFile(join(folder, 'out', 'first', 'comparison.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(comparison);
    expect(await readFile(join(folder, 'out', 'second', 'comparison.json'), 'utf8')).toBe(text);
    expect(text).not.toContain(folder);
    const page = await readFile(reportFile!, 'utf8');
    expect(page.match(/<img src="data:image\/webp;base64,/g)!.length).toBeGreaterThan(10);
    expect(page).not.toMatch(/<script|https?:\/\//);
    expect((await readdir(join(folder, 'out', 'first'))).sort()).toEqual(['compared.json', 'comparison.json', 'report.html']);
  });

  it('takes a fine-tuning run for the checkpoint it made', async () => {
    // A run as fine-tuning leaves it: run.json of its kind, and the new checkpoint in a folder of its own.
    const tuned = join(folder, '.ravl', 'runs', 'tuned');
    await mkdir(tuned);
    await cp(join(folder, 'mended'), join(tuned, 'checkpoint'), { recursive: true });
    await writeFile(join(tuned, 'run.json'), JSON.stringify({ ...(await runJson(join(folder, '.ravl', 'runs', run))), id: 'tuned', kind: 'mitigate' }));
    const { comparison, ...about } = await compare(run, 'tuned');
    expect(about).toMatchObject({ after: 'clip (region-aware fine-tuning tuned)', run });
    expect(comparison).toEqual((await compare(run, 'mended')).comparison);
    const { stdout } = await ravl(['evaluate', 'tuned'], folder);
    expect(stdout).toMatch(/^clip \(region-aware fine-tuning tuned\)\n160 images, on cpu\nZero-shot accuracy 9\d\.\d%/);
    expect(stdout).not.toMatch(/group/);
  });

  it('compares without groups, and on other images', async () => {
    await writePlantedDataset(join(folder, 'held'), { images: 40, seed: 9 });
    const { comparison, run: grouped } = await compare('clip', 'mended', '--validation', 'held/validation.csv');
    expect(grouped).toBeNull();
    expect(comparison).toMatchObject({ images: 40, worstGroup: null, findings: [] });
    expect(comparison.overall.after).toBeGreaterThan(comparison.overall.before);
  });

  it.each([
    [['compare', 'clip', 'nowhere'], 3, 'There is no checkpoint and no run at nowhere.'],
    [['compare', 'clip', 'mended', '--run', 'nowhere'], 2, 'There is no run "nowhere".'],
    [['evaluate', 'clip', '--run', 'tuned'], 3, 'The run tuned is a fine-tuning run, not an analysis, so it has no findings.'],
    [['evaluate', 'nowhere'], 3, 'There is no checkpoint and no run at nowhere.'],
  ])('%j ends in one sentence', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await ravl(args, folder);
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr.split('\n')[0]).toBe(`Error: ${sentence}`);
  });
});
