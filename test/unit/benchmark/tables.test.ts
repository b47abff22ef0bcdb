import { describe, expect, it } from 'vitest';
import { barChart } from '../../../src/engine/benchmark/chart';
import { detectionMethods } from '../../../src/engine/benchmark/detection/methods';
import { mitigationMethods } from '../../../src/engine/benchmark/mitigation/methods';
import { markdownOf } from '../../../src/engine/benchmark/output';
import { groupAccuracy, shortcutLearned } from '../../../src/engine/benchmark/score';
import type { Detected, MitigationResult } from '../../../src/engine/benchmark/stages';
import { bySeeds, suiteOf, type Setting } from '../../../src/engine/benchmark/suites';
import { meanOf, studentT, tablesOf, validAt } from '../../../src/engine/benchmark/tables';

const setting = (tied: number, seed: number): Setting => ({ dataset: 'fashion-mnist', feature: 'rectangle', tied, cramersV: 0.95, seed });

function detected(tied: number, seed: number, eps: number, precision: Record<string, number>): Detected {
  const none = Object.fromEntries(detectionMethods.map(({ id }) => [id, 0]));
  return { setting: setting(tied, seed), eps1: eps, eps2: eps, accuracy: { overall: 0.8, worstGroup: 0.1 }, precision: { ...none, ...precision }, top: 0, seconds: { embed: 2 } };
}

const mitigated = (tied: number, seed: number, method: string, worst: number): MitigationResult => {
  const accuracy = { overall: 0.8, worstGroup: worst };
  return { setting: setting(tied, seed), method, image: accuracy, region: accuracy, seconds: 1 };
};

describe('suites', () => {
  it('are as large as the paper asks: classes × strengths × seeds', () => {
    expect(suiteOf('quick').settings).toHaveLength(10 * 1 * 3);
    expect(suiteOf('quick-mnist').settings.map(({ dataset, seed }) => `${dataset} ${seed}`)).toEqual(Array.from({ length: 30 }, (_, i) => `mnist ${1 + (i % 3)}`));
    expect(suiteOf('paper').settings).toHaveLength(2 * 10 * 5 * 3);
    expect(suiteOf('full').settings).toHaveLength(2 * 5 * 10 * 5 * 3);
    expect(bySeeds(suiteOf('paper').settings).every((seeds) => seeds.length === 3)).toBe(true);
  });
});

describe('validity', () => {
  it('asks for both differences in all three seeds', () => {
    const all = [detected(0, 1, 30, {}), detected(0, 2, 30, {}), detected(0, 3, 12, {}), detected(1, 1, 30, {}), detected(1, 2, 5, {}), detected(1, 3, 30, {}), { ...detected(2, 1, 30, {}), eps2: 9 }];
    expect(validAt(all, 10).map(({ setting: { tied, seed } }) => [tied, seed])).toEqual([[0, 1], [0, 2], [0, 3]]);
    expect(validAt(all, 20)).toEqual([]);
  });

  it('is measured on the classes with and without the feature', () => {
    // Class 0 (tied): right 2/2 with, 1/2 without. Class 1: right 1/2 with, 2/2 without. Class 2: 1/1 with, 0/1 without.
    const labels = Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1, 2, 2);
    const present = [1, 1, 0, 0, 1, 1, 0, 0, 1, 0];
    const predictions = Int32Array.of(0, 0, 0, 1, 1, 0, 1, 1, 2, 0);
    expect(shortcutLearned(labels, predictions, present, 0, 3)).toEqual({ eps1: 50, eps2: 50 });
    expect(groupAccuracy(labels, predictions, present)).toEqual({ overall: 0.7, worstGroup: 0 });
  });
});

describe('means', () => {
  it.each([[1, 12.706], [2, 4.303], [3, 3.182], [4, 2.776], [9, 2.262], [29, 2.045], [1000, 1.962]])('with %i degrees of freedom reach %d standard errors', (freedom, expected) => {
    expect(Math.abs(studentT(freedom) - expected)).toBeLessThan(0.01);
  });

  it('have the interval of the textbook', () => {
    // 4, 6, 8: mean 6, deviation 2, standard error 2/√3, t(2) = 4.303.
    const { mean, interval } = meanOf([4, 6, 8]);
    expect(mean).toBe(6);
    expect(interval![1] - 6).toBeCloseTo((4.303 * 2) / Math.sqrt(3), 6);
    expect(meanOf([])).toEqual({ n: 0, mean: null, interval: null });
    expect(meanOf([3])).toEqual({ n: 1, mean: 3, interval: null });
  });
});

describe('tables', () => {
  const runs = [1, 2, 3].map((seed) => detected(0, seed, 50, { ravl: 0.9, domino: 0.3, george: 0.2, 'ravl-weighted': 1 }));
  const fixes = [1, 2, 3].flatMap((seed) => mitigationMethods.map(({ id }) => mitigated(0, seed, id, id === 'ravl' ? 0.6 : id === 'standard' ? 0.1 * seed : 0.3)));
  const tables = tablesOf(runs, fixes);

  it('tell the lead over the closest rival, and an ablation is no rival', () => {
    expect(tables.lead!.rival).toBe('Domino');
    expect(tables.lead!.ratio).toBeCloseTo(3, 9);
  });

  it('take the gain setting by setting', () => {
    const row = tables.mitigation.find(({ method }) => method === 'ravl')!;
    // 0.5, 0.4, 0.3.
    expect(row.gain.mean).toBeCloseTo(0.4, 9);
    expect(row.gain.interval![1] - row.gain.mean!).toBeCloseTo((4.303 * 0.1) / Math.sqrt(3), 6);
  });

  it('say in words what they are of', () => {
    const text = markdownOf({ suite: suiteOf('quick'), machine: 'a test', versions: { ravl: '0' }, detected: runs, mitigated: fixes, tables });
    expect(text).toContain('3 of 30 settings were run on a test');
    expect(text).toContain('| RaVL | 0.90 [0.90, 0.90] |');
    expect(text).toContain("RaVL's mean is 3.00 times that of the closest rival, Domino.");
    expect(text).toMatch(/\| RaVL \| 80\.0 \[80\.0, 80\.0\] \| 60\.0 \[60\.0, 60\.0\] \| 40\.0 \[/);
    for (const { name } of [...detectionMethods, ...mitigationMethods]) expect(text).toContain(`**${name}.**`);
  });

  it('say which goal is met and which is missed', () => {
    const of = (worst: Record<string, number>, all = runs) => {
      const made = [1, 2, 3].flatMap((seed) => mitigationMethods.map(({ id }) => mitigated(0, seed, id, worst[id] ?? 0.1)));
      return markdownOf({ suite: suiteOf('quick'), machine: '', versions: {}, detected: all, mitigated: made, tables: tablesOf(all, made) });
    };
    const close = [1, 2, 3].map((seed) => detected(0, seed, 50, { ravl: 0.9, domino: 0.6, george: 0.2 }));
    expect(of({})).toContain("**Goal, the paper's +191%: 2.91 times. Met.**");
    expect(of({}, close)).toContain("1.50 times that of the closest rival, Domino. **Goal, the paper's +191%: 2.91 times. Missed.**");
    // Standard fine-tuning has 10; the start is no rival.
    expect(of({ ravl: 0.3, start: 0.9, dfr: 0.2 })).toMatch(/8 points or more\. Met, 20\.0 \[20\.0, 20\.0\]\.\*\* .*Met: Last-layer retraining \(DFR\) has 20\.0/);
    expect(of({ ravl: 0.15, dfr: 0.2 })).toMatch(/8 points or more\. Missed, 5\.0 .*Missed: Last-layer retraining \(DFR\) has 20\.0 \[20\.0, 20\.0\], RaVL 15\.0/);
  });

  it('count a training that diverged as 0, and say so', () => {
    const made = fixes.map((each) => (each.method === 'upsampled' && each.setting.seed === 2 ? { ...each, image: { overall: 0, worstGroup: 0 }, diverged: true as const } : each));
    const those = tablesOf(runs, made);
    expect(those.mitigation.find(({ method }) => method === 'upsampled')!.imageWorst.mean).toBeCloseTo(0.2, 9);
    const text = markdownOf({ suite: suiteOf('quick'), machine: '', versions: {}, detected: runs, mitigated: made, tables: those });
    expect(text).toContain('The training of Upsampled fine-tuning diverged in 1 setting, and counts as 0 there.');
  });

  it('have a dash where nothing is valid', () => {
    const text = markdownOf({ suite: suiteOf('quick'), machine: 'a test', versions: {}, detected: [detected(0, 1, 0, {})], mitigated: [], tables: tablesOf([detected(0, 1, 0, {})], []) });
    expect(text).toContain('| RaVL | – | – | – | – |');
    expect(text).not.toContain('## Mitigation');
  });
});

describe('charts', () => {
  it('name every bar, safely, and draw it to scale', () => {
    const svg = barChart('A & B', [{ name: '<one>', value: meanOf([0.5, 0.5]) }, { name: 'two', value: meanOf([1, 1]) }, { name: 'none', value: meanOf([]) }]);
    expect(svg).toContain('&lt;one>');
    expect(svg).not.toContain('<one');
    const widths = [...svg.matchAll(/<rect [^>]*? width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toHaveLength(2);
    expect(widths[1]).toBeCloseTo(2 * widths[0]!, 0);
  });
});
