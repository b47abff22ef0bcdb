import { describe, expect, it } from 'vitest';
import type { MetricsLine, Regression } from '../../../src/shared/comparison';
import type { RunSummary } from '../../../src/shared/runSummary';
import { classRows, groupInWords, groupRows, regressionRows } from '../../../src/webview/comparison/rows';
import { topScores, whatIfInWords } from '../../../src/webview/image/words';
import { curvesOf } from '../../../src/webview/training/curves';
import { merged, type Training } from '../../../src/webview/training/lines';
import { patienceInWords, stateInWords, warningsOf } from '../../../src/webview/training/words';
import { exampleComparison, exampleMetrics, spoiltCells } from '../../fixtures/exampleComparison';

const step = (at: number): MetricsLine => ({ type: 'step', step: at, epoch: 1, loss: at, contrastive: at, region: 0, alignment: 0, learningRate: 1, gradientNorm: 1, seconds: 1 });
const training = (state: RunSummary['state'], lines: readonly MetricsLine[] = exampleMetrics, totalSteps: number | null = 80) => ({ run: { state }, lines, totalSteps }) as unknown as Training;
const live = (phase: string) => ({ progress: { type: 'progress', phase, done: 3, total: 9, unit: 'images' }, eta: 5 }) as const;

describe('the comparison as rows', () => {
  const spoilt = exampleComparison(spoiltCells);

  it('marks what got worse beyond chance, and names the feature of a group', () => {
    const rows = regressionRows(spoilt.regressions, spoilt.findings);
    const certain = spoilt.regressions.filter((each) => each.certain).length;
    expect(certain).toBeGreaterThan(0);
    rows.forEach((row, i) => expect(row.sign?.text).toBe(i < certain ? 'Worse beyond chance' : undefined));
    for (const row of rows) expect(row.difference).toBeLessThan(0);
    const group = rows.find(({ note }) => note !== undefined);
    expect(group!.note).toMatch(/^with(out)? ‹red/);
  });

  it('lists every class, the worst change first, with what it was before on the first side', () => {
    const rows = classRows(exampleComparison().perClass);
    expect(rows.map(({ difference }) => difference!)).toEqual(rows.map(({ difference }) => difference!).sort((a, b) => a - b));
    for (const { first, second, difference } of rows) expect(second.share! - first.share!).toBeCloseTo(difference!, 12);
  });

  it('gives each class of a finding two rows, and none a number where there are no images', () => {
    const [finding] = exampleComparison().findings;
    const rows = groupRows({ ...finding!, classes: [{ ...finding!.classes[0]!, absent: null, gapBefore: null }, finding!.classes[1]!] });
    // The class with a gap comes before the one without.
    expect(rows.map(({ label, note }) => `${label} ${note}`)).toEqual([1, 0].flatMap((at) => ['with it', 'without it'].map((side) => `${finding!.classes[at]!.label} ${side}`)));
    expect(rows[3]).toMatchObject({ first: { n: 0, share: null }, second: { n: 0, share: null }, difference: null, interval: null });
  });

  it('says a group in words, and takes labels as text on one line', () => {
    const regression = { label: 'a\nb\u202e', rank: null, feature: null } as Regression;
    expect(groupInWords(regression, [])).toBe('“a b\ufffd”');
    expect(groupInWords({ label: 'one', rank: 1, feature: 'absent' }, spoilt.findings)).toMatch(/^“one” without ‹red/);
  });
});

describe('what a mask did', () => {
  const prediction = (predicted: string, ...scores: number[]) => ({ predicted, scores });
  it.each([
    ['coat', 'boot', 'coat', 'The prediction turns from “boot” to “coat”, which is right.'],
    ['boot', 'boot', 'coat', 'The prediction turns from “boot” to “coat”, which is wrong.'],
    ['bag', 'boot', 'coat', 'The prediction turns from “boot” to “coat”, which is wrong as well.'],
    ['boot', 'boot', 'boot', 'The prediction stays “boot”, its score goes from 70.0% to 60.0%.'],
  ])('labelled %s, from %s to %s', (label, before, after, sentence) => {
    expect(whatIfInWords({ before: prediction(before, 0.7, 0.3), after: prediction(after, 0.4, 0.6) }, label)).toBe(sentence);
  });

  it('shows the classes that score highest on either side', () => {
    const top = topScores({ before: prediction('a', 0.6, 0.1, 0.1, 0.2), after: prediction('c', 0.1, 0.05, 0.8, 0.05) }, 3);
    expect(top).toEqual([
      { index: 2, before: 0.1, after: 0.8 },
      { index: 0, before: 0.6, after: 0.1 },
      { index: 3, before: 0.2, after: 0.05 },
    ]);
  });
});

describe('the lines of a training', () => {
  it('are added at their end', () => expect(merged([step(1), step(2)], { lines: [step(3)], next: 3 })).toEqual([step(1), step(2), step(3)]));
  it('stay when nothing is new', () => expect(merged([step(1)], { lines: [], next: 1 })).toEqual([step(1)]));
  it('are replaced where a resume cut the log back', () => {
    expect(merged([step(1), step(2), step(3)], { lines: [step(2.5)], next: 3 })).toEqual([step(1), step(2), step(2.5)]);
    expect(merged([step(1), step(2), step(3)], { lines: [], next: 1 })).toEqual([step(1)]);
  });
});

describe('a training in words', () => {
  it.each([
    ['running', 'Training, step 30 of at most 80.'],
    ['interrupted', 'Interrupted after step 30 of at most 80. It can be resumed.'],
    ['failed', 'Failed after step 30 of at most 80.'],
    ['complete', 'Complete after step 30 of at most 80. Epoch 2 was kept.'],
  ] as const)('%s', (state, sentence) => expect(stateInWords(training(state), null)).toBe(sentence));

  it('names a phase other than training, and does not invent steps', () => {
    expect(stateInWords(training('running', []), live('regions'))).toBe('Running: regions.');
    expect(stateInWords(training('running', [], null), null)).toBe('Running; training has not begun.');
    expect(stateInWords(training('failed', []), null)).toBe('Failed.');
  });

  it('tells how long early stopping waits', () => {
    const earlyStopping = { metric: 'worst-group', patience: 5 } as const;
    expect(patienceInWords(exampleMetrics, earlyStopping)).toBe('Best by weakest group: epoch 2, 1 epoch ago; early stopping waits for 5.');
    expect(patienceInWords(exampleMetrics, null)).toBe('');
    expect(patienceInWords([], earlyStopping)).toBe('');
  });

  it('says a warning that goes on once, with the latest epoch', () => {
    const epoch = exampleMetrics.findLast((line) => line.type === 'epoch')!;
    const lines = [1, 2, 3].map((each) => ({ ...epoch, epoch: each, warning: each === 2 ? 'Other.' : 'Falls.' }));
    expect(warningsOf(lines)).toEqual([
      { epoch: 3, text: 'Falls.' },
      { epoch: 2, text: 'Other.' },
    ]);
  });
});

describe('the curves of a training', () => {
  it('are those of the losses it has, and mark the best epoch', () => {
    const { accuracy, loss, best, summary } = curvesOf(exampleMetrics);
    expect(best).toBe(2);
    expect(loss.map(({ name }) => name)).toEqual(['total', 'contrastive', 'region', 'alignment']);
    expect(loss[0]!.x).toHaveLength(30);
    expect(accuracy[0]).toMatchObject({ name: 'weakest group', x: [0, 1, 2, 3], y: [0.15, 0.4, 0.5, 0.3] });
    expect(summary.accuracy).toContain('weakest group went from 15.0% to 30.0%, overall accuracy from 50.0% to 80.0%');
    expect(curvesOf([step(1), step(2)]).loss.map(({ name }) => name)).toEqual(['total']);
  });
});
