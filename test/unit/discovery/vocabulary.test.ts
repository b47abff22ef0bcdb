import { describe, expect, it } from 'vitest';
import { vocabulary } from '../../../src/engine/discovery/vocabulary';

describe('the built-in vocabulary', () => {
  it('is a few thousand distinct lower-case words without stray white space', () => {
    expect(vocabulary.length).toBeGreaterThan(2000);
    expect(vocabulary.length).toBeLessThan(3000);
    expect(new Set(vocabulary).size).toBe(vocabulary.length);
    expect(vocabulary.filter((word) => !/^[a-zé\u00f10-9'-]+( [a-zé0-9'-]+)*$/.test(word))).toEqual([]);
  });

  it('knows what spurious features tend to be', () => {
    for (const word of ['solid red rectangle', 'watermark', 'black border', 'chest drain', 'ruler', 'hand', 'snow', 'forest', 'text']) {
      expect(vocabulary).toContain(word);
    }
  });
});
