import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rules } from '../../../src/engine/autodiff/rules';
import { cases } from './cases';
import { checkGradient } from './gradientCheck';

describe('every rule agrees with central differences', () => {
  test('and every rule has a case', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(rules).sort());
  });

  test.each(Object.entries(cases))('%s', async (op, ways) => {
    const { random, fixed = [] } = 'generate' in ways ? { random: ways } : ways;
    for (const drawn of fixed) await checkGradient({ op, ...drawn });
    if (!random) return;
    await fc.assert(
      fc.asyncProperty(random, fc.integer({ min: 1, max: 2 ** 31 }), (drawn, seed) => checkGradient({ op, seed, ...drawn })),
      { seed: 7, numRuns: 12, endOnFailure: true },
    );
  });
});
