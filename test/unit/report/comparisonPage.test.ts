import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { renderComparison, type ComparisonRun } from '../../../src/engine/report/comparisonPage';
import { lineChart } from '../../../src/engine/report/curves';
import { flippedPictures } from '../../../src/engine/report/flips';
import { writeComparisonReport } from '../../../src/engine/report/writeComparisonReport';
import type { Comparison, MetricsLine } from '../../../src/shared/comparison';
import { exampleComparison, exampleComparisonRun, exampleMetrics, mendedCells, red, spoiltCells } from '../../fixtures/exampleComparison';

const base = await mkdtemp(join(tmpdir(), 'ravl-comparison-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const pixel = 'data:image/webp;base64,UklGRg==';
const render = (comparison: Comparison, changes: Partial<ComparisonRun> = {}, metrics: readonly MetricsLine[] = exampleMetrics) => renderComparison(comparison, { ...exampleComparisonRun, ...changes }, metrics, () => pixel);
/** What a reader sees: the text without tags and style, entities resolved. */
const textOf = (page: string) =>
  page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<\/?(?:sub|bdi|b|em)>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name]!)
    .replace(/\s+/g, ' ');
const sectionOf = (page: string, id: string) => new RegExp(`<section aria-labelledby="${id}".*?(?=<section aria-labelledby|</main>)`, 's').exec(page)?.[0] ?? '';

describe('renderComparison', () => {
  const comparison = exampleComparison();
  const page = render(comparison);
  const text = textOf(page);

  it('opens with what changed, in words, also where it got worse or nothing did', () => {
    const heading = (shown: string) => textOf(/<h1>(.*?)<\/h1>/.exec(shown)![1]!);
    expect(heading(page)).toBe('The accuracy of the weakest group rose from 15.0% to 50.0%.');
    expect(text).toContain('The weakest group was “nine” without ‹red, crimson› and is now “one” without ‹red, crimson›. Overall accuracy rose from 58.8% to 73.8%.');
    expect(heading(render(exampleComparison(spoiltCells)))).toBe('The accuracy of the weakest group fell from 50.0% to 15.0%.');
    const still = mendedCells.map((cell) => ({ ...cell, gained: 0, lost: 0 }));
    expect(heading(render(exampleComparison(still)))).toBe('No image changed between right and wrong.');
    expect(heading(render(exampleComparison(mendedCells, { features: [] })))).toMatch(/^The accuracy of the weakest class /);
  });

  it('shows what got worse before anything else', () => {
    const order = ['regressions', 'findings', 'classes', 'curves', 'flipped', 'reading'].map((id) => page.indexOf(`<h2 id="${id}">`));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
    // 0 and 20 flips of 40: (1 - 21) / 42 +- 1.96 · .0841 by Bonett and Price.
    expect(textOf(sectionOf(page, 'regressions'))).toMatch(/“one” without ‹red, crimson› 40 100\.0% 50\.0% −50\.0 −64\.1 to −31\.1 < 0\.001 \+0 −20/);
    const fine = exampleComparison([{ label: 0, red: 1, kept: 9, gained: 9, lost: 0, wrong: 0 }, { label: 1, red: 0, kept: 9, gained: 0, lost: 0, wrong: 0 }]);
    expect(textOf(sectionOf(render(fine), 'regressions'))).toContain('No class and no group got worse beyond chance.');
  });

  it('shows every finding and class, before and after, with n and intervals', () => {
    const finding = textOf(sectionOf(page, 'findings'));
    expect(finding).toContain('1 red, crimson pulled towards nine');
    expect(finding).toMatch(/Gap Gc 1\.55 → 0\.45 Its change −1\.10 −1\.\d\d to −0\.\d\d Images with it 80 50\.0% of all/);
    expect(finding).toMatch(/nine with it 40 95\.0% 95\.0% 0\.0 .*nine without it 40 15\.0% 75\.0% \+60\.0/);
    expect(textOf(sectionOf(page, 'classes'))).toMatch(/one 80 62\.5% 62\.5% 0\.0 .* \+20 −20 nine 80 55\.0% 85\.0% \+30\.0/);
    const again = exampleComparison(mendedCells, { discovery: { summary: { run: 'r', flaggedBefore: 1, flaggedAfter: 0, strongest: null }, stillFlagged: new Map([[1, false]]) } });
    expect(textOf(sectionOf(render(again), 'findings'))).toContain('Discovery, run again no longer flags it');
    expect(finding).not.toContain('Discovery, run again');
    expect([textOf(render(again)), text].map((each) => /may lean on another one now\. (.*?)\. /.exec(each)![1])).toEqual(['Run r looked for one', 'Run the analysis on the new checkpoint to find out']);
  });

  it('lists classes by how much the feature moved them before, and folds away what chance could explain', () => {
    const cells = [{ label: 0, red: 1, kept: 10, gained: 0, lost: 0, wrong: 0 }, { label: 0, red: 0, kept: 8, gained: 1, lost: 1, wrong: 0 }, { label: 1, red: 1, kept: 1, gained: 0, lost: 0, wrong: 9 }, { label: 1, red: 0, kept: 9, gained: 0, lost: 1, wrong: 0 }] as const;
    const doubtful = render(exampleComparison(cells));
    expect(textOf(sectionOf(doubtful, 'findings'))).toMatch(/one with it .*one without it .*nine with it .*nine without it/);
    const section = sectionOf(doubtful, 'regressions');
    expect(textOf(section)).toMatch(/No class and no group got worse beyond chance\. .*2 classes and groups lower by an amount that chance could explain/);
    expect(section.indexOf('<table')).toBeGreaterThan(section.indexOf('<details>'));
  });

  it('draws how training went, with the best epoch marked, and no curves without metrics', () => {
    const section = sectionOf(page, 'curves');
    expect(section.match(/<svg/g)).toHaveLength(2);
    expect(textOf(section)).toMatch(/overall weakest group .*total contrastive region L_R alignment L_A .*Kept: epoch 2, after 20 steps\./);
    // Of 0, 1, 2, 3 the mark stands at two thirds of the axis.
    const xs = [...section.matchAll(/<circle class="dot" cx="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(Number(/class="marked" d="M([\d.]+)/.exec(section)![1])).toBeCloseTo(xs[2]!, 1);
    expect(text).toContain('Epoch 3: Zero-shot accuracy has fallen: the model forgets.');
    expect(sectionOf(render(comparison, {}, []), 'curves')).toBe('');
    const plain = exampleMetrics.map((line): MetricsLine => (line.type === 'step' ? { ...line, region: 0, alignment: 0 } : { ...line, best: false, worstGroup: { ...line.worstGroup, feature: null } }));
    const plainText = textOf(sectionOf(render(comparison, {}, plain), 'curves'));
    expect(plainText).toMatch(/overall weakest class .*total .*Kept: epoch 3, after 30 steps, the last one\./);
    expect(plainText).not.toMatch(/region|best/);
  });

  it('shows the flipped images, those that became wrong first', () => {
    const section = sectionOf(page, 'flipped');
    expect(textOf(section)).toMatch(/Right before, wrong now 22 nine ✗ now one .*Wrong before, right now 32 of 46 ✓ nine was one/);
    expect(section).toContain('alt="nine, predicted nine before and one now (images/38.png)"');
    expect(section.match(/<img /g)).toHaveLength(22 + 32);
    expect(flippedPictures(comparison).wrongToRight).toHaveLength(32);
    expect(renderComparison(comparison, exampleComparisonRun, [], () => undefined).match(/class="no-picture"/g)).toHaveLength(22 + 32);
  });

  it('says what it cannot tell, and of what it speaks', () => {
    expect(text).toContain('was chosen on these very images, so the figures after training lean to the good side');
    expect(textOf(render(comparison, { choseEpoch: false }))).not.toContain('chosen on these very images');
    for (const fact of ['planted-clip → planted-clip, fine-tuned on validation.csv', 'region-aware, lambda 0.8', 'train 61.0 s', 'ravl 0.1.0', '20260304-050607-aaaaaa']) expect(text).toContain(fact);
  });

  it('needs nothing from outside, runs no script and has a text for every picture', () => {
    expect(page).toContain(`content="default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;`);
    expect(page).not.toMatch(/<script|<link|<iframe|@import|\son\w+=|javascript:|https?:\/\//i);
    for (const [, source] of page.matchAll(/\ssrc="([^"]*)"/g)) expect(source).toMatch(/^data:image\/webp/);
    for (const [tag] of page.matchAll(/<img[^>]*>/g)) expect(tag).toMatch(/alt="[^"]+"/);
    for (const [tag] of page.matchAll(/<svg class="bars[^>]*>|<figure class="chart">.*?<svg[^>]*>/gs)) expect(tag).toMatch(/aria-label="[^"]+"|aria-hidden="true"/);
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
  });

  it('shows hostile names as text', () => {
    const hostile = '<img src=x onerror="alert(1)">';
    const features = [{ ...red, name: [hostile], attribute: hostile, present: Uint8Array.from({ length: 160 }, (_, i) => i % 2) }];
    const bad = exampleComparison(mendedCells, { classes: [hostile, '</script><script>\u202e'], features });
    const metrics = exampleMetrics.map((line) => (line.type === 'epoch' ? { ...line, warning: hostile, worstGroup: { ...line.worstGroup, label: hostile } } : line));
    const shown = render(bad, { id: hostile, before: hostile, after: hostile, data: hostile, device: hostile, versions: { [hostile]: hostile }, timings: { [hostile]: 1 }, facts: [[hostile, hostile]], notes: [hostile] }, metrics);
    expect(shown).not.toMatch(/<img src=x|<script|<\/script|\u202e/);
    expect(textOf(shown).split(hostile).length).toBeGreaterThan(12);
  });

  it('stays small with a thousand classes of long names', () => {
    const classes = Array.from({ length: 1000 }, (_, i) => `${i} ${'x'.repeat(10_000)}`);
    const cells = classes.map((_, label) => ({ label, red: (label % 2) as 0 | 1, kept: 1, gained: 1, lost: 3, wrong: 0 }));
    const large = render(exampleComparison(cells, { classes }));
    expect(large.length).toBeLessThan(2_000_000);
    expect(textOf(large)).toMatch(/800 rows more in comparison\.json/);
    expect(large).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('lineChart', () => {
  const chart = (lines: Parameters<typeof lineChart>[0]['lines'], top?: number) => lineChart({ title: 't', label: 'l', xName: 'x', tickText: String, lines, ...(top === undefined ? {} : { top }) })?.markup;

  it('draws points to scale', () => {
    const markup = chart([{ name: 'a', points: [[0, 0], [5, 0.5], [10, 1]] }], 1)!;
    const [[x0, y0], [x1, y1], [x2, y2]] = [.../class="line" d="([^"]*)"/.exec(markup)![1]!.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]) as [[number, number], [number, number], [number, number]];
    expect(x1 - x0).toBeCloseTo(x2 - x1, 1);
    expect(y0 - y1).toBeCloseTo(y1 - y2, 1);
    expect(y2).toBeLessThan(y0);
    // From the left end of the axes to the right end, from the bottom to the top.
    const [left, right] = /class="grid" d="M([\d.]+) [\d.]+H([\d.]+)"/.exec(markup)!.slice(1).map(Number);
    expect([x0, x2]).toEqual([left, right]);
    const heights = [...markup.matchAll(/class="grid" d="M[\d.]+ ([\d.]+)H/g)].map((match) => Number(match[1]));
    expect([y0, y2]).toEqual([Math.max(...heights), Math.min(...heights)]);
  });

  it('draws ten thousand points as fewer, the last among them, and names that do not overlap', () => {
    const points = Array.from({ length: 10_000 }, (_, i) => [i + 1, 1 + i / 10_000] as const);
    const markup = chart([{ name: 'a', points }, { name: 'b', points: points.map(([x, y]) => [x, y + 0.001]) }, { name: 'c', points }])!;
    expect(markup.length).toBeLessThan(20_000);
    const heights = [...markup.matchAll(/<text x="344" y="([\d.]+)"/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
    expect(heights).toHaveLength(3);
    expect(Math.min(heights[1]! - heights[0]!, heights[2]! - heights[1]!)).toBeGreaterThan(11);
  });

  it('takes one point, only zeros, and nothing', () => {
    for (const points of [[[3, 0.2]], [[0, 0], [1, 0]]] as const) expect(chart([{ name: 'a', points }])).not.toMatch(/NaN|Infinity/);
    expect(chart([{ name: 'a', points: [] }])).toBeUndefined();
  });
});

describe('writeComparisonReport', () => {
  it('writes the page with the pictures of the flipped images', async () => {
    const picture = join(base, 'a.png');
    await sharp({ create: { width: 20, height: 20, channels: 3, background: '#c00' } }).png().toFile(picture);
    const comparison = exampleComparison();
    const images = Array.from({ length: 160 }, (_, i) => `images/${i}.png`);
    const file = join(base, 'report.html');
    await writeComparisonReport(file, comparison, exampleComparisonRun, exampleMetrics, { images, files: images.map((_, i) => (i === 38 ? join(base, 'gone.png') : picture)) }, () => undefined);
    const page = await readFile(file, 'utf8');
    expect(page.match(/<img src="data:image\/webp;base64,/g)).toHaveLength(22 + 32 - 1);
    expect(page.match(/class="no-picture"/g)).toHaveLength(1);
  });
});
