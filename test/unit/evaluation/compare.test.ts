import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparePredictions, type ComparisonInput } from '../../../src/engine/evaluation/compare';
import { comparisonSchema } from '../../../src/shared/comparison';
import { comparisonInput, red, type Cell } from '../../fixtures/comparisonInput';

const compare = (cells: readonly Cell[], changes: Partial<ComparisonInput> = {}) => comparePredictions(comparisonInput(cells, changes));

/** "nine" leaned on red and no longer does; "one" paid for it. */
const mended: Cell[] = [
  { label: 0, red: 1, kept: 36, gained: 2, lost: 2, wrong: 0 },
  { label: 0, red: 0, kept: 6, gained: 24, lost: 0, wrong: 10 },
  { label: 1, red: 1, kept: 10, gained: 20, lost: 0, wrong: 10 },
  { label: 1, red: 0, kept: 20, gained: 0, lost: 20, wrong: 0 },
];

describe('comparePredictions', () => {
  const result = compare(mended);

  it('counts what flipped overall, per class and per group', () => {
    expect(result).toMatchObject({ version: 1, seed: 5, classes: ['nine', 'one'], images: 160, minSupport: 5 });
    // 36 + 2 + 6 + 10 + 20 + 20 right before; 46 gained and 22 lost.
    expect(result.overall).toMatchObject({ n: 160, before: 94 / 160, after: 118 / 160, wrongToRight: 46, rightToWrong: 22 });
    expect(result.overall.difference).toBeCloseTo(24 / 160, 12);
    expect(result.perClass).toMatchObject([{ label: 'nine', n: 80, before: 44 / 80, after: 68 / 80 }, { label: 'one', n: 80, before: 50 / 80, after: 50 / 80, wrongToRight: 20, rightToWrong: 20, pValue: 1 }]);
    const [nine, one] = result.findings[0]!.classes;
    expect(nine).toMatchObject({ present: { n: 40, before: 38 / 40, after: 38 / 40 }, absent: { n: 40, before: 6 / 40, after: 30 / 40 } });
    expect(nine!.gapBefore).toBeCloseTo(0.8, 12);
    expect(nine!.gapAfter).toBeCloseTo(0.2, 12);
    expect(one).toMatchObject({ present: { before: 0.25, after: 0.75 }, absent: { before: 1, after: 0.5 } });
  });

  it('says which group is worst before and after, and by how much the gap closed', () => {
    expect(result.worstGroup).toMatchObject({
      before: { label: 'nine', rank: 1, feature: 'absent', n: 40, accuracy: 0.15 },
      after: { label: 'one', rank: 1, feature: 'absent', n: 40, accuracy: 0.5 },
    });
    expect(result.worstGroup!.difference).toBeCloseTo(0.35, 12);
    expect(result.worstGroup!.interval[0]).toBeGreaterThan(0);
    expect(result.worstClass).toMatchObject({ before: { label: 'nine', n: 80, accuracy: 44 / 80 }, after: { label: 'one', accuracy: 50 / 80 } });
    // Both sides have 40 images, so the weights are 1: .8 + .75 before, .2 + .25 after.
    const { gap, support, stillFlagged } = result.findings[0]!;
    expect([gap.before, gap.after, gap.difference].map((value) => value.toFixed(12))).toEqual(['1.550000000000', '0.450000000000', '-1.100000000000']);
    expect(gap.interval[1]).toBeLessThan(0);
    expect({ support, stillFlagged }).toEqual({ support: 80, stillFlagged: null });
  });

  it('lists what got worse, the certain first, and says so in the summary', () => {
    expect(result.regressions).toMatchObject([{ label: 'one', rank: 1, feature: 'absent', certain: true, before: 1, after: 0.5 }]);
    expect(result.summary).toBe(
      'The accuracy of the weakest group rose from 15.0% to 50.0%. The weakest group was “nine” without ‹red, crimson› and is now “one” without ‹red, crimson›. ' +
        'Overall accuracy rose from 58.8% to 73.8%. The gap of ‹red, crimson› shrank from 1.55 to 0.45. ' +
        '1 group got worse beyond chance, most of all “one” without ‹red, crimson›, from 100.0% to 50.0%.',
    );
    const doubtful = compare([
      { label: 0, red: 1, kept: 30, gained: 0, lost: 3, wrong: 7 },
      { label: 0, red: 0, kept: 30, gained: 0, lost: 1, wrong: 9 },
      { label: 1, red: 1, kept: 10, gained: 0, lost: 30, wrong: 0 },
      { label: 1, red: 0, kept: 30, gained: 12, lost: 0, wrong: 0 },
    ]);
    expect(doubtful.regressions.map(({ label, feature, certain }) => [label, feature, certain])).toEqual([
      ['one', 'present', true],
      ['one', null, true],
      ['nine', 'present', false],
      ['nine', null, false],
      ['nine', 'absent', false],
    ]);
    // A loss that chance could explain comes after a smaller one that it could not.
    const small = compare([{ label: 0, red: 1, kept: 2, gained: 0, lost: 3, wrong: 0 }, { label: 0, red: 0, kept: 100, gained: 0, lost: 0, wrong: 0 }, { label: 1, red: 1, kept: 60, gained: 0, lost: 40, wrong: 0 }]);
    expect(small.regressions.map(({ label, feature, certain }) => [label, feature, certain])).toEqual([['one', null, true], ['nine', 'present', false], ['nine', null, false]]);
    expect(small.regressions[1]!.difference).toBeLessThan(small.regressions[0]!.difference);
    expect(doubtful.summary).toMatch(/^The accuracy of the weakest group fell from 71\.4% to 25\.0%\..*1 class and 1 group got worse beyond chance, most of all “one” with ‹red, crimson›, from 100\.0% to 25\.0%\.$/);
  });

  it('lists the flipped images as the data names them, at most 200 of a kind, spread over the data', () => {
    expect(result.flipped.rightToWrong.n).toBe(22);
    expect(result.flipped.rightToWrong.images[0]).toEqual({ image: 'images/38.png', label: 'nine', before: 'nine', after: 'one' });
    expect(result.flipped.wrongToRight.images[0]).toEqual({ image: 'images/36.png', label: 'nine', before: 'one', after: 'nine' });
    const many = compare([{ label: 0, red: 0, kept: 0, gained: 500, lost: 0, wrong: 0 }, { label: 1, red: 0, kept: 1, gained: 100, lost: 0, wrong: 0 }]).flipped.wrongToRight;
    expect(many.n).toBe(600);
    expect(new Set(many.images.map(({ image }) => image)).size).toBe(200);
    expect(many.images.filter(({ label }) => label === 'one').length).toBeGreaterThan(30);
  });

  it('passes its schema, and gives the same bytes again', () => {
    expect(comparisonSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(JSON.stringify(compare(mended))).toBe(JSON.stringify(result));
    expect(Object.keys(result)).toEqual(Object.keys(comparisonSchema.shape).filter((key) => key !== 'discovery'));
  });

  it('takes what a new discovery run found', () => {
    const summary = { run: '20260101-000000-abcdef', flaggedBefore: 2, flaggedAfter: 1, strongest: { rank: 1, name: ['blue'], attribute: 'one', gap: 0.4, qValue: 0.01 } };
    const again = compare(mended, { discovery: { summary, stillFlagged: new Map([[1, false]]) } });
    expect(again.discovery).toEqual(summary);
    expect(again.findings[0]!.stillFlagged).toBe(false);
    expect(again.summary).toContain('Discovery, run again on the new checkpoint, flags 1 feature; it flagged 2 before.');
  });
});

describe('degenerate comparisons', () => {
  it('without features have no groups: the weakest class stands for them', () => {
    const result = compare(mended, { features: [] });
    expect(result).toMatchObject({ worstGroup: null, findings: [], worstClass: { before: { label: 'nine' } } });
    expect(result.summary).toMatch(/^The accuracy of the weakest class .*No class got worse beyond chance\.$/);
  });

  it('in which nothing changed say so, with intervals that are honest about it', () => {
    const still = mended.map(({ kept, gained, lost, wrong, ...cell }) => ({ ...cell, kept: kept + lost, gained: 0, lost: 0, wrong: wrong + gained }));
    const result = compare(still);
    expect(result).toMatchObject({ regressions: [], overall: { difference: 0, pValue: 1 }, flipped: { rightToWrong: { n: 0, images: [] }, wrongToRight: { n: 0, images: [] } } });
    expect(result.overall.interval[0]).toBeLessThan(0);
    expect(result.summary).toBe('No image changed between right and wrong. The weakest group is “nine” without ‹red, crimson›.');
  });

  it('leave out a class without images, and do not count a group that is the whole class twice', () => {
    const result = compare([{ label: 0, red: 1, kept: 10, gained: 0, lost: 30, wrong: 0 }, { label: 1, red: 1, kept: 20, gained: 0, lost: 0, wrong: 0 }], { classes: ['nine', 'one', 'two'] });
    expect(result.perClass.map(({ label }) => label)).toEqual(['nine', 'one']);
    expect(result.findings[0]!.classes).toMatchObject([{ label: 'nine', absent: null, gapBefore: null, gapAfter: null }, { label: 'one', absent: null }]);
    expect(result.findings[0]!.gap).toMatchObject({ before: 0, after: 0 });
    expect(result.regressions).toMatchObject([{ label: 'nine', rank: null, feature: null }]);
    expect(result.worstGroup).toMatchObject({ after: { label: 'nine', feature: 'present', accuracy: 0.25 } });
  });

  it('do not take a group for the worst that has too few images', () => {
    const few: Cell[] = [...mended, { label: 2, red: 1, kept: 0, gained: 0, lost: 4, wrong: 0 }, { label: 2, red: 0, kept: 30, gained: 0, lost: 0, wrong: 0 }];
    const result = compare(few, { classes: ['nine', 'one', 'two'] });
    expect(result.worstGroup!.after.label).toBe('one');
    expect(result.regressions.filter(({ label }) => label === 'two').map(({ feature }) => feature)).toEqual([null]);
    expect(compare(few, { classes: ['nine', 'one', 'two'], minSupport: 4 }).worstGroup!.after).toMatchObject({ label: 'two', feature: 'present', accuracy: 0 });
  });

  it('take the first of equally weak groups: by feature, then class, with the feature before without it', () => {
    const even = [0, 1].flatMap((label) => ([1, 0] as const).map((side) => ({ label, red: side, kept: 5, gained: 0, lost: 0, wrong: 5 })));
    expect(compare(even).worstGroup).toMatchObject({ before: { label: 'nine', rank: 1, feature: 'present' }, after: { label: 'nine', rank: 1, feature: 'present' } });
  });

  it('of one image compare it', () => {
    const result = compare([{ label: 1, red: 0, kept: 0, gained: 1, lost: 0, wrong: 0 }]);
    expect(result).toMatchObject({ images: 1, overall: { n: 1, before: 0, after: 1 }, worstGroup: null });
    expect(JSON.stringify(result)).not.toMatch(/NaN|Infinity/);
  });
});

describe('any comparison', () => {
  const data = fc.array(fc.record({ label: fc.nat({ max: 2 }), before: fc.nat({ max: 2 }), after: fc.nat({ max: 2 }), features: fc.tuple(fc.boolean(), fc.boolean()) }), { minLength: 1, maxLength: 25 });

  it('equals counting image by image', () => {
    fc.assert(
      fc.property(data, (images) => {
        const column = (key: 'label' | 'before' | 'after') => Int32Array.from(images, (image) => image[key]);
        const feature = (at: 0 | 1) => ({ ...red, rank: at + 1, present: Uint8Array.from(images, (image) => Number(image.features[at])) });
        const result = comparePredictions({
          classes: ['a', 'b', 'c'], labels: column('label'), before: column('before'), after: column('after'), images: images.map((_, i) => `${i}`), features: [feature(0), feature(1)], minSupport: 2, seed: 0,
        });
        const share = (of: typeof images, key: 'before' | 'after') => of.filter((image) => image[key] === image.label).length / of.length;
        const groups = [0, 1].flatMap((at) => [0, 1, 2].flatMap((label) => [true, false].map((has) => images.filter((image) => image.label === label && image.features[at] === has))));
        const counted = groups.filter((group) => group.length >= 2);
        if (counted.length === 0) expect(result.worstGroup).toBeNull();
        else for (const key of ['before', 'after'] as const) expect(result.worstGroup![key].accuracy).toBe(Math.min(...counted.map((group) => share(group, key))));
        for (const { label, present } of result.findings[1]!.classes) {
          const group = images.filter((image) => image.label === 'abc'.indexOf(label) && image.features[1]);
          if (group.length === 0) expect(present).toBeNull();
          else expect([present!.n, present!.before, present!.after]).toEqual([group.length, share(group, 'before'), share(group, 'after')]);
        }
        for (const { difference } of result.regressions) expect(difference).toBeLessThan(0);
        expect(result.flipped.wrongToRight.n - result.flipped.rightToWrong.n).toBe(Math.round(result.overall.difference * images.length));
        expect(comparisonSchema.safeParse(result).error).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });
});
