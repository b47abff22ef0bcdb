import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCaptions } from '../../../src/engine/training/captions';

const [none, several] = [-1, -2];
const label = (caption: string, classes: readonly string[]) => parseCaptions([caption], classes).labels[0];

describe('the class that a caption names', () => {
  it.each([
    ['a photo of a nine', 'nine'],
    ['NINE!', 'nine'],
    ['two T-shirts on a chair', 't-shirt'],
    ['a shoe', 'shoes'],
    ['a t_shirt', 'T shirt'],
    ['one flip-flop', 'flip flops'],
    ['his  flip   flops', 'flip-flop'],
    ['three watches', 'watch'],
    ['a watch', 'watches'],
    ['black dresses', 'dress'],
    ['strawberries with cream', 'strawberry'],
    ['a berry', 'berries'],
    ['old movies', 'movie'],
    ['cooked potatoes', 'potato'],
    ['two pianos', 'piano'],
    ['wild horses', 'horse'],
    ['two boys', 'boy'],
    ['sport cars', 'sports car'],
    ["the dog's tail", 'dog'],
    ['women’s shoes in red', "women's shoe"],
    ['a photo of a T-shirt/top.', 'T-shirt/top'],
    ['un CAFE\u0301 noir', 'café'],
    ['ΜΕΓΆΛΗ ΓΆΤΑ', 'γάτα'],
    ['हिन्दी किताब', 'किताब'],
    ['number 7', '7'],
    ['written in C++', 'C++'],
  ])('"%s" names "%s"', (caption, name) => {
    expect(label(caption, ['zebra', name])).toBe(1);
  });

  it.each([
    ['ninety', 'nine'],
    ['a bootleg', 'boot'],
    ['an ankle, a boot', 'ankle boot'],
    ['a cat. Fish too', 'cat fish'],
    ['ankle', 'ankle boot'],
    ['a dres', 'dress'],
    ['written in C', 'C++'],
    ['as it is', 'a'],
    ['the 70s', '70'],
    ['किताब', 'क'],
    ['', 'nine'],
    ['a photo', '---'],
  ])('"%s" does not name "%s"', (caption, name) => {
    expect(label(caption, ['zebra', name])).toBe(none);
  });

  it('takes the longer name where one lies within the other', () => {
    const classes = ['boot', 'ankle boot', 'ankle', 'boot polish'];
    expect(label('red ankle boots', classes)).toBe(1);
    expect(label('a boot', classes)).toBe(0);
    expect(label('an ankle boot beside another boot', classes)).toBe(several);
    // Two names that overlap, neither within the other.
    expect(label('ankle boot polish', classes)).toBe(several);
  });

  it('prefers the name written as in the caption', () => {
    expect(label('a shoe', ['shoes', 'shoe'])).toBe(1);
    expect(label('my shoes', ['shoe', 'shoes'])).toBe(1);
    expect(label('T-Shirts', ['t shirt', 't-shirts'])).toBe(1);
    expect(label('one two', ['one-two', 'one_two'])).toBe(several);
  });

  it('counts captions that name one class, none and several', () => {
    const { labels, counts } = parseCaptions(['a cat', 'two cats and a cat', 'cat and dog', 'nothing', 'dogs'], ['cat', 'dog']);
    expect([...labels]).toEqual([0, 0, several, none, 1]);
    expect(counts).toEqual({ one: 3, none: 1, several: 1 });
    expect(parseCaptions([], ['cat'])).toEqual({ labels: new Int32Array(0), counts: { one: 0, none: 0, several: 0 } });
  });
});

/** Few words, so that names lie within and across each other. Every third word of a name or caption may be in the plural. */
const word = fc.constantFrom('red', 'box', 'ant', 'sky', 'été');
const plural: Record<string, string> = { red: 'reds', box: 'boxes', ant: 'ants', sky: 'skies', été: 'étés' };
const written = fc.array(fc.tuple(word, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 3 });
const text = (words: readonly (readonly [string, number])[], separator = ' ') => words.map(([each, form]) => (form === 2 ? plural[each]! : each)).join(separator);
const caption = fc.array(fc.tuple(fc.oneof(word, fc.constant('of')), fc.integer({ min: 0, max: 2 }), fc.constantFrom(' ', '-', '_', '  ', ', ')), { maxLength: 8 });

describe('any captions and classes', () => {
  it('agree with one regular expression a class, tried everywhere', () => {
    fc.assert(
      fc.property(fc.uniqueArray(written, { selector: (words) => words.map(([each]) => each).join(), maxLength: 6 }), caption, fc.boolean(), (names, drawn, upper) => {
        const given = drawn.map(([each, form, separator]) => `${form === 2 ? (plural[each] ?? each) : each}${separator}`).join('');
        const shown = upper ? given.toUpperCase() : given;
        expect(label(shown, names.map((words) => text(words)))).toBe(byExpressions(shown, names.map((words) => words.map(([each]) => each))));
      }),
      { numRuns: 3000 },
    );
  });

  it('do not depend on the order of the classes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(written, { selector: (words) => text(words), minLength: 1, maxLength: 6 }), caption, (names, drawn) => {
        const classes = names.map((words) => text(words));
        const given = drawn.map(([each, , separator]) => each + separator).join('');
        const there = label(given, classes)!;
        const back = label(given, [...classes].reverse())!;
        expect(back).toBe(there < 0 ? there : classes.length - 1 - there);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Slow and plain: every stretch of the caption that is a class name from its first to its last letter, less those within longer ones. */
function byExpressions(caption: string, names: readonly (readonly string[])[]): number {
  const found: { id: number; from: number; to: number }[] = [];
  names.forEach((words, id) => {
    const name = new RegExp(`^${words.map((each) => `(?:${each}|${plural[each]!})`).join('[\\s_-]+')}$`, 'iu');
    for (let from = 0; from < caption.length; from++) {
      for (let to = from + 1; to <= caption.length; to++) {
        const whole = !/\p{L}/u.test(caption[from - 1] ?? ' ') && !/\p{L}/u.test(caption[to] ?? ' ');
        if (whole && name.test(caption.slice(from, to))) found.push({ id, from, to });
      }
    }
  });
  const within = (a: { from: number; to: number }) => found.some((b) => b.from <= a.from && a.to <= b.to && b.to - b.from > a.to - a.from);
  const ids = new Set(found.filter((each) => !within(each)).map(({ id }) => id));
  return ids.size === 0 ? none : ids.size === 1 ? [...ids][0]! : several;
}
