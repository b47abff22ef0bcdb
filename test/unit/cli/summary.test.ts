import { describe, expect, it } from 'vitest';
import { resultJson } from '../../../src/cli/result';
import { summary } from '../../../src/cli/summary';
import { aligned, bytes, displayWidth, duration, plain } from '../../../src/cli/text';
import { analyzeResult, classRow, finding } from '../../fixtures/analyzeResult';

const text = (changes: Parameters<typeof analyzeResult>[0] = {}): string => summary(analyzeResult(changes), '/home/me/project');

describe('the summary', () => {
  it('says accuracy, clusters, the finding and where the report is', () => {
    const shown = text();
    expect(shown).toContain('Zero-shot accuracy 72.9%; worst class one, 53.7%');
    expect(shown).toContain('47 clusters, silhouette 0.588');
    expect(shown).toMatch(/1 +red, rectangle, sign +nine +4\.009 \[3\.71, 4\.32\] +0\.85 +<\.001 +474/);
    expect(shown).toContain('Report    .ravl/runs/20260101-120000-abcdef/report.html');
  });

  it('shows the classes the feature changes most, with counts and intervals, and leaves out those it does not', () => {
    const lines = text().split('\n');
    // nine: 1.0 of 54 with, .041 of 49 without; one: 0 of 56 and 1.0 of 65.
    expect(lines.find((line) => /^nine +100/.test(line))).toMatch(/^nine +100\.0% +of 54 +4\.1% +of 49 +\+95\.9 \[\+85\.9, \+100\.0\]$/);
    const [one, nine] = ['one  ', 'nine '].map((label) => lines.findLastIndex((line) => line.startsWith(label)));
    expect(one).toBeLessThan(nine!);
    expect(lines.filter((line) => line.startsWith('three'))).toHaveLength(1);
  });

  it('lists classes from the worst, and counts those it leaves out', () => {
    const perClass = Array.from({ length: 30 }, (_, i) => ({ label: `class ${i}`, n: 10, accuracy: i / 30 }));
    const shown = text({ accuracy: { overall: 0.5, worstClass: { label: 'class 0', accuracy: 0 }, perClass: [...perClass].reverse() } });
    expect(shown.indexOf('class 0 ')).toBeLessThan(shown.indexOf('class 1 '));
    expect(shown).toContain('class 19');
    expect(shown).not.toContain('class 20');
    expect(shown).toContain('… and 10 more accurate classes');
  });

  it('says so when nothing is significant, and why the strongest do not count', () => {
    const shown = text({ findings: [finding({ flagged: false, reasons: ['Chance explains it: q is 0.31.'] }), finding({ rank: null, flagged: false })] });
    expect(shown).toContain('No spurious feature found.');
    expect(shown).toContain('#1  Chance explains it: q is 0.31.');
    expect(text({ findings: [finding({ rank: null })] })).toContain('every cluster was pruned');
  });

  it('fits 100 columns and one line a row, whatever the labels are', () => {
    const hostile = ['\x1b[2J\x1b]0;title\x07evil', 'a\nb\r\nc', 'x'.repeat(100_000), '漢字'.repeat(50), '\u202Eright to left', 'שלום'.repeat(40), '👩‍👩‍👧‍👦'.repeat(40), '\u2028line'];
    const classes = hostile.slice(0, 4).map((label) => ({ ...classRow(label, [123_456, 0], [234_567, 1]), interval: [-1, -1] as [number, number] }));
    const shown = text({
      accuracy: { overall: 0, worstClass: { label: hostile[0]!, accuracy: 0 }, perClass: hostile.map((label) => ({ label, n: 5, accuracy: 0.5 })) },
      findings: hostile.map((label, i) => finding({ rank: i + 1, name: [label, label], attribute: label, gap: -12.345, gapInterval: [-12.34, 12.34], support: 123_456, classes })),
    });
    for (const line of shown.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(100);
    expect(shown).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]/);
    // As many lines as with tame labels: none of them broke one.
    const tame = hostile.map((_, i) => finding({ rank: i + 1, classes }));
    const perClass = hostile.map((_, i) => ({ label: String(i), n: 5, accuracy: 0.5 }));
    expect(shown.split('\n')).toHaveLength(text({ accuracy: { overall: 0, worstClass: perClass[0]!, perClass }, findings: tame }).split('\n').length);
  });
});

describe('--json', () => {
  it('has the documented shape: ranked findings only, by rank', () => {
    const findings = [finding({ rank: 2, cluster: 5 }), finding({ rank: null, cluster: 6 }), finding({ rank: 1, cluster: 7 })];
    const json = JSON.parse(JSON.stringify(resultJson(analyzeResult({ findings })))) as Record<string, unknown>;
    expect(Object.keys(json)).toEqual(['run', 'device', 'images', 'regions', 'accuracy', 'clusters', 'findings']);
    expect(json['clusters']).toEqual({ k: 47, silhouette: 0.588 });
    expect((json['findings'] as { cluster: number }[]).map(({ cluster }) => cluster)).toEqual([7, 5]);
    expect((json['findings'] as unknown[])[0]).toMatchObject({
      rank: 1,
      attribute: 'nine',
      gap: 4.009,
      support: 474,
      classes: [{ label: 'nine', presentN: 54, presentAcc: 1, absentN: 49, absentAcc: 0.041 }, {}, {}],
      regions: [{ image: 'a.png', box: [0, 0, 28, 28] }],
    });
  });
});

describe('text', () => {
  it('is cleaned and cut by what a terminal shows', () => {
    expect(plain('a\tb\n c')).toBe('a b c');
    expect(plain('\x1b[31mred\x1b[0m \u202Eevil\u2066\u200B')).toBe('red evil');
    expect(plain('abcdef', 4)).toBe('abc…');
    expect(plain('abcd', 4)).toBe('abcd');
    expect(plain('漢字漢字', 5)).toBe('漢字…');
    expect(displayWidth('é漢👩‍👧e\u0301')).toBe(6);
  });

  it('is aligned by display width', () => {
    expect(aligned([['漢', '1'], ['abc', '10']], 'lr')).toEqual(['漢    1', 'abc  10']);
  });

  it('writes durations and sizes as people do', () => {
    expect([0, 59.4, 125, 4020].map(duration)).toEqual(['0s', '59s', '2m 05s', '1h 07m']);
    expect([0, 1023, 1536, 3 * 2 ** 30].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '3.0 GiB']);
  });
});
