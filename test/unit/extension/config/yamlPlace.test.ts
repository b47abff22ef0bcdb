import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exampleConfig } from '../../../../src/shared/configDocs';
import { placeAt } from '../../../../src/extension/config/yamlPlace';

/** The place of the ¦ in a text, as `kind path [token]`. */
function told(marked: string): string {
  const lines = marked.split(/\r?\n/);
  const line = lines.findIndex((text) => text.includes('¦'));
  const character = lines[line]!.indexOf('¦');
  const place = placeAt(lines.map((text) => text.replace('¦', '')), line, character);
  if (!place) return 'nothing';
  const more = place.kind === 'key' ? (place.colon ? ' :' : '') : place.entry ? ' -' : '';
  return `${place.kind} ${place.path.join('.') || '(top)'} [${place.text}]${more}`;
}

describe('the place in a block', () => {
  it.each([
    ['an empty file', '¦', 'key (top) []'],
    ['an empty line between keys', 'checkpoint: c\n¦\nseed: 1', 'key (top) []'],
    ['a half-typed key', 'checkpoint: c\nda¦', 'key (top) [da]'],
    ['a key that has its colon', 'dat¦a:\n  validation: v', 'key (top) [data] :'],
    ['a key below a section', 'data:\n  ¦', 'key data []'],
    ['a key below a section, with CRLF', 'data:\r\n  tr¦\r\nseed: 1\r\n', 'key data [tr]'],
    ['two sections deep', 'data:\n  validation: v.csv\n  columns:\n    la¦\nseed: 1', 'key data.columns [la]'],
    ['back from a deeper section', 'data:\n  columns:\n    label: l\n  ¦', 'key data []'],
    ['back at the top by its indentation', 'data:\n  columns:\n    label: l\n¦', 'key (top) []'],
    ['past half-typed lines', 'data:\n  valid\n  tra¦', 'key data [tra]'],
    ['indented by a tab', 'data:\n\ttr¦', 'key data [tr]'],
    ['past comments and empty lines', 'data:\n# no key: here\n\n  # nor: here\n  ¦', 'key data []'],
    ['below a key with a comment', 'data: # the images\n  ¦', 'key data []'],
    ['below an anchor', 'data: &d\n  ¦', 'key data []'],
    ['below a quoted key', '"data":\n  ¦', 'key data []'],
    ['after the document mark', '---\n¦', 'key (top) []'],
    ['a value', 'device: ¦', 'value device []'],
    ['a half-typed value', 'device: cu¦', 'value device [cu]'],
    ['a value before a comment', 'device: cu¦ # fast', 'value device [cu]'],
    ['in the middle of a value', 'data:\n  validation: im¦ages/v.csv', 'value data.validation [images/v.csv]'],
    ['a value with an apostrophe and a hash', "checkpoint: bob's#1¦", "value checkpoint [bob's#1]"],
    ['a quoted value', 'checkpoint: "my cl¦', 'value checkpoint ["my cl]'],
    ['a value behind many blanks', 'device:    ¦', 'value device []'],
    ['a list entry', 'prompts:\n  - ¦', 'value prompts [] -'],
    ['a list entry at the indentation of its key', 'prompts:\n- a {}\n- ph¦', 'value prompts [ph] -'],
    ['a key after such a list', 'prompts:\n- a {}\nse¦', 'key (top) [se]'],
  ])('%s', (_, text, expected) => {
    expect(told(text)).toBe(expected);
  });

  it.each([
    ['a comment', '# dev¦'],
    ['a comment behind a value', 'device: cpu # c¦'],
    ['directly behind the colon', 'device:¦'],
    ['before what is written', 'data:\n ¦ validation: v'],
    ['below a key that has a value', 'device: cpu\n  ¦'],
    ['in a second line of a text', 'prompts:\n  - a photo\n    of ¦'],
    ['in a text block', 'checkpoint: |\n  de¦'],
    ['between words', 'two wor¦ds'],
    ['behind a dash', 'prompts:\n  -¦'],
    ['behind a closed bracket', 'regions: { kind: grid } ¦'],
    ['in a line no one writes', `seed: ${'x'.repeat(20_000)}¦`],
  ])('nothing in %s', (_, text) => {
    expect(told(text)).toBe('nothing');
  });
});

describe('the place in brackets', () => {
  it.each([
    ['the first key', 'regions: { ¦', 'key regions []'],
    ['the first key, closed', 'regions: {¦}', 'key regions []'],
    ['a half-typed key', 'regions: { ki¦ }', 'key regions [ki]'],
    ['a key that has its colon', 'regions: { ki¦nd: grid }', 'key regions [kind] :'],
    ['a value', 'regions: { kind: ¦ }', 'value regions.kind []'],
    ['a half-typed value', 'regions: { kind: sli¦, rows: 2 }', 'value regions.kind [sli]'],
    ['the second key', 'regions: { kind: grid, ¦', 'key regions []'],
    ['the second key over two lines', 'regions: { kind: grid,\n  ro¦', 'key regions [ro]'],
    ['a key on the last of three lines', 'data:\n  columns: {\n    image: i,\n    la¦\n  }\nseed: 1', 'key data.columns [la]'],
    ['brackets in brackets', 'data: { columns: { la¦ } }', 'key data.columns [la]'],
    ['behind inner brackets', 'data: { columns: { label: l }, tr¦ }', 'key data [tr]'],
    ['an entry of a list', 'classes: [cat, do¦', 'value classes [do] -'],
    ['an empty list', 'classes: [¦]', 'value classes [] -'],
    ['a list in brackets', 'regions: { kind: sliding, scales: [0.5, ¦] }', 'value regions.scales [] -'],
    ['a comma in quotation marks', 'classes: ["a, b", c¦', 'value classes [c] -'],
    ['below brackets that were never closed', 'regions: { kind: grid\ndev¦', 'key (top) [dev]'],
    ['below brackets that were never closed, one level in', 'data:\n  columns: { label: l\n  tr¦', 'key data [tr]'],
    ['a value with a bracket inside it', 'data:\n  validation: v[1].csv¦', 'value data.validation [v[1].csv]'],
  ])('%s', (_, text, expected) => {
    expect(told(text)).toBe(expected);
  });

  it('is nothing in a comment', () => {
    expect(told('regions: { kind: grid, # ro¦')).toBe('nothing');
  });
});

describe('any position of any text', () => {
  const piece = fc.constantFrom('data:', 'kind: grid', '{', '}', '[', ']', ',', ' ', '  ', '\n', '- ', '# c', '"', "'", ':', '\t', 'x', '|', '&a', '---');

  it('has a token that lies on its line around the position', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(), fc.nat(), (pieces, a, b) => {
        const lines = pieces.join('').split('\n');
        const line = a % lines.length;
        const character = b % (lines[line]!.length + 1);
        const place = placeAt(lines, line, character);
        if (!place) return;
        expect(place.start).toBeLessThanOrEqual(character);
        expect(place.end).toBeGreaterThanOrEqual(character);
        expect(place.end).toBeLessThanOrEqual(lines[line]!.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('is told at every key of the example', () => {
    const lines = exampleConfig.split('\n');
    const keys = lines.flatMap((text, line) => {
      const found = /^( *)([a-zA-Z]+):/.exec(text);
      const place = found && placeAt(lines, line, found[1]!.length + 1);
      return place ? [[...place.path, place.text].join('.')] : [];
    });
    expect(keys).toEqual(['checkpoint', 'data', 'data.validation', 'data.columns', 'prompts', 'regions', 'discovery', 'discovery.minSupport', 'discovery.alpha', 'seed']);
  });
});
