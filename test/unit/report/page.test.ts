import { describe, expect, it } from 'vitest';
import { pairedBars } from '../../../src/engine/report/bars';
import { picturesOf } from '../../../src/engine/report/gallery';
import { html } from '../../../src/engine/report/html';
import { renderReport, type ReportRun } from '../../../src/engine/report/page';
import type { Findings } from '../../../src/shared/findings';
import { wilson } from '../../../src/shared/wilson';
import { shown } from '../../../src/shared/words';
import { classRow, exampleClasses, exampleFindings, finding } from '../../fixtures/exampleFindings';

const run: ReportRun = {
  id: '20260304-050607-aaaaaa',
  checkpoint: 'fashion-clip',
  data: 'validation.csv',
  regions: '2 × 2 grid',
  embedding: 'tokens',
  device: 'cpu',
  versions: { ravl: '0.1.0' },
  timings: { embed: 131.2, cluster: 4.25 },
  rules: { alpha: 0.05, minInfluence: 0.25, minSupport: 5 },
  notes: [],
};
const pixel = 'data:image/webp;base64,UklGRg==';
const render = (findings: Findings, changes: Partial<ReportRun> = {}) => renderReport(findings, { ...run, ...changes }, () => pixel);
/** What a reader sees: the text without tags and style, entities resolved. */
const textOf = (page: string) =>
  page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<\/?sub>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name]!)
    .replace(/\s+/g, ' ');
const cardOf = (page: string, cluster: number) => new RegExp(`<(article|details) class="card" id="cluster-${cluster}".*?</\\1>`, 's').exec(page)?.[0] ?? '';

describe('renderReport', () => {
  const page = render(exampleFindings());
  const text = textOf(page);

  it('opens with the answer in words, with the numbers of the findings', () => {
    expect(text).toContain('3 features mislead this model.');
    // 182/200, 93/150, 16/40 and 51/60.
    expect(text).toContain('Strongest: ‹white, pale, linen›. “topwear” is right 91% of the time with it (200 images) and 62% without (150). “dress” is right 40% of the time with it (40 images) and 85% without (60).');
    expect(text).toContain('its weakest class is “topwear”, right on 51% of 500 images');
  });

  it('has one thing to say for none, one and no clusters', () => {
    const findings = exampleFindings();
    const none = { ...findings, findings: findings.findings.filter((entry) => !entry.flagged) };
    expect(textOf(render(none))).toMatch(/No feature was found to mislead this model\. 3 groups of similar regions were compared; 1 shows a difference, but none that chance could not produce/);
    expect(textOf(render({ ...findings, findings: findings.findings.slice(2) }))).toContain('1 feature misleads this model.');
    expect(textOf(render({ ...findings, findings: [] }))).toContain('There was nothing to compare.');
  });

  it('gives a card per finding, a folded one per survivor and a table row per pruned cluster', () => {
    for (const cluster of [12, 3, 41]) expect(cardOf(page, cluster)).toMatch(/^<article/);
    expect(cardOf(page, 8)).toMatch(/^<details/);
    expect(textOf(cardOf(page, 8))).toContain('Not flagged: Chance gives a gap as large');
    for (const cluster of [5, 20]) expect(cardOf(page, cluster)).toBe('');
    expect(text).toContain('Its influence 0.11 is below 0.25.');
    expect(text).toContain('No class loses by it. Fewer than 5 images of any class on both sides.');
  });

  it('shows gap, interval, influence, q, support and the class rows as the findings have them', () => {
    const card = textOf(cardOf(page, 12));
    // |.290|·2·150/350 + |-.450|·2·40/100 + |-.475|·2·30/110 = .2486 + .36 + .2591
    expect(card).toContain('Gap Gc 0.87 0.31 to 0.92');
    expect(card).toContain('Influence Hc 0.41');
    expect(card).toContain('q-value < 0.001');
    // 200 + 40 + 30 and 11 classes of 20; 4,480 images in all.
    expect(card).toContain('Images with it 490 10.9% of all');
    const rows = cardOf(page, 12).match(/<tr class="sure">.*?<\/tr>/g)!.map((row) => [...row.matchAll(/<td class="number[^"]*">([^<]*)/g)].map((cell) => cell[1]));
    expect(rows[0]).toEqual(['40.0%', '40', '85.0%', '60', '−45.0', '−57.0 to −33.0', '−0.360']);
    expect(rows).toHaveLength(3);
    expect(card).toMatch(/pulls towards topwear/);
  });

  it('lists classes by accuracy, weakest first, with base rates', () => {
    const section = /id="accuracy".*?<\/section>/s.exec(page)![0];
    const shares = [...section.matchAll(/<td class="number">([\d.]+)%/g)].map((cell) => Number(cell[1]));
    expect(shares).toHaveLength(exampleClasses.length);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(textOf(section)).toMatch(/topwear 51\.2% 500 11\.2%/);
    expect(text).toContain('Clusters k 6 silhouette 0.218');
    // 580 of 4,480 images are of the largest class; 14 classes.
    expect(text).toMatch(/Always the largest class 12\.9%.*Guessing 7\.1%/);
  });

  it('needs nothing from outside and runs no script', () => {
    expect(page).toContain(`<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;`);
    expect(page).not.toMatch(/<script|<link|<iframe|@import|\son\w+=|javascript:|https?:\/\//i);
    for (const [, source] of page.matchAll(/\ssrc="([^"]*)"/g)) expect(source).toMatch(/^data:image\/webp/);
    for (const [, target] of page.matchAll(/url\(([^)]*)\)/g)) expect(target).toBe('#hatch');
  });

  it('has a text for every picture and chart, and every link within the page has its target once', () => {
    for (const [tag] of page.matchAll(/<img[^>]*>/g)) expect(tag).toMatch(/alt="[^"]+"/);
    for (const [tag] of page.matchAll(/<svg class="bars[^>]*>/g)) expect(tag).toMatch(/aria-label="[^"]+"|aria-hidden="true"/);
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
  });

  it('asks for the pictures that picturesOf lists, and says how many it has', () => {
    const findings = exampleFindings(Array.from({ length: 500 }, (_, i) => `photos/${i}.jpg`));
    const key = (image: string, box: unknown) => JSON.stringify([image, box]);
    const asked: string[] = [];
    const some = renderReport(findings, run, (image, box) => {
      asked.push(key(image, box));
      return asked.length % 5 === 0 ? undefined : pixel;
    });
    expect([...asked].sort()).toEqual(picturesOf(findings).map(({ image, box }) => key(image, box)).sort());
    const given = asked.length - Math.floor(asked.length / 5);
    expect(textOf(some)).toContain(`${given} of ${asked.length} shown`);
    expect(some.match(/<img /g)).toHaveLength(given);
    expect(some.match(/class="no-picture"/g)).toHaveLength(asked.length - given);
    expect(text).toMatch(/Pictures ?all \d+ shown/);
  });

  it('shows hostile names as text', () => {
    const hostile = '<img src=x onerror="alert(1)">';
    const turned = 'abc\u202edef\u2028ghi\u0007';
    const findings = exampleFindings([hostile, "</script><script>'&"]);
    const first = findings.findings[0]!;
    first.name = [hostile, turned];
    first.attribute = hostile;
    first.classes[0] = { ...classRow([hostile, 1, 40, 40, 40]), interval: [-0.9, -0.8] };
    first.regions[0] = { ...first.regions[0]!, label: hostile, predicted: turned };
    findings.findings[4]!.reasons = [hostile];
    findings.accuracy.worstClass.label = hostile;
    const bad = render(findings, { checkpoint: hostile, data: hostile, device: hostile, id: hostile, notes: [hostile], versions: { [hostile]: hostile } });
    expect(bad).not.toMatch(/<img src=x|<script|<\/script/);
    expect(bad).not.toMatch(/[\u202e\u2028\u0007]/);
    for (const tag of bad.match(/<[a-z][^>]*>/g)!) expect(tag).not.toMatch(/^<[^"]*("[^"]*"[^"]*)*\sonerror=/);
    expect(textOf(bad).split(hostile).length).toBeGreaterThan(8);
    expect(textOf(bad)).toContain('abc�def ghi�');
  });

  it('stays small and readable with a label of a megabyte, and with a thousand classes and clusters', () => {
    const findings = exampleFindings();
    const long = 'x'.repeat(1_000_000);
    const first = findings.findings[0]!;
    first.name = [long];
    first.attribute = long;
    first.classes = Array.from({ length: 1000 }, (_, i) => classRow([`${i}${long}`, i % 20, 20, 10, 20]));
    findings.accuracy.perClass = first.classes.map(({ label }) => ({ label, n: 40, accuracy: 0.5 }));
    findings.findings.push(...Array.from({ length: 1000 }, (_, i) => finding({ cluster: 100 + i, rank: 100 + i, counts: [] }, ['a.jpg'])));
    const page = render(findings);
    expect(page.length).toBeLessThan(2_000_000);
    expect(page).not.toContain('x'.repeat(121));
    expect(textOf(page)).toContain('976 classes more in findings.json');
  });

  it('renders clusters without classes, pictures or numbers', () => {
    const findings = exampleFindings();
    const empty = { ...findings.findings[0]!, name: [], attribute: null, classes: [], regions: [], counterExamples: { presentRight: [], absentWrong: [] }, gapInterval: null, influence: null, qValue: null };
    const card = textOf(cardOf(render({ ...findings, images: 0, findings: [empty] }), 12));
    expect(card).toContain('cluster 12');
    expect(card).toContain('No class has images both with and without it.');
    expect(card).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
  });
});

describe('pairedBars', () => {
  it('draws bars as long as their shares and whiskers at the intervals', () => {
    const { markup } = pairedBars({ n: 10, share: 1 }, { n: 20, share: 0.25 });
    const widths = [...markup.matchAll(/<rect class="bar"[^>]* width="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(widths[1]! / widths[0]!).toBeCloseTo(0.25, 2);
    expect(markup).toContain('With the feature: 100.0% of 10 right, 95% interval 72.2% to 100.0%.');
  });

  it('says so where there are no images', () => {
    expect(pairedBars({ n: 0, share: null }, { n: 5, share: 0.2 }).markup).toMatch(/With the feature: no images\..*no images<\/text>/);
  });
});

describe('wilson', () => {
  // Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i in %i is %f to %f', (right, n, low, high) => {
    const interval = wilson(right / n, n);
    expect(interval[0]).toBeCloseTo(low, 4);
    expect(interval[1]).toBeCloseTo(high, 4);
  });
});

describe('html', () => {
  it('escapes what is inserted and leaves HTML as it is', () => {
    expect(html`<p title="${`"'`}">${['<b>', html`<i>${'&'}</i>`, 3]}${null}${false}</p>`.markup).toBe('<p title="&quot;&#39;">&lt;b&gt;<i>&amp;</i>3</p>');
  });

  it('shortens by characters, never in the middle of one', () => {
    expect(shown('👗'.repeat(10), 5)).toBe('👗👗👗👗…');
    expect(shown('👗'.repeat(5), 5)).toBe('👗'.repeat(5));
    expect(shown('a\ud800b', 9)).toBe('a�b');
    expect(shown('  a \n b ', 9)).toBe('a b');
  });
});
