import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rules } from '../../../src/engine/autodiff/rules';
import { operators } from '../../../src/engine/runtime/tensorflow/operators';
import { cases } from '../autodiff/cases';
import { caseGraphs, expectSame } from './tensorflowGraphs';

describe('every operator that autodiff knows, and its gradient, computes on TensorFlow what it computes on onnxruntime', () => {
  test('and TensorFlow has them all', () => {
    expect(Object.keys(rules).filter((name) => !(name in operators))).toEqual([]);
  });

  test.each(Object.entries(cases))('%s', async (op, ways) => {
    const { random, fixed = [] } = 'generate' in ways ? { random: ways } : ways;
    const check = async (drawn: (typeof fixed)[number], seed = 1) => {
      const { forward, backward, feeds } = await caseGraphs({ op, seed, ...drawn });
      await expectSame(forward, feeds, `${JSON.stringify(drawn)} forward`);
      await expectSame(backward, Object.fromEntries(backward.graph.input.map(({ name }) => [name, feeds[name]!])), `${JSON.stringify(drawn)} backward`);
    };
    for (const drawn of fixed) await check(drawn);
    if (!random) return;
    await fc.assert(
      fc.asyncProperty(random, fc.integer({ min: 1, max: 2 ** 31 }), (drawn, seed) => check(drawn, seed)),
      { seed: 11, numRuns: 8, endOnFailure: true },
    );
  });
});
