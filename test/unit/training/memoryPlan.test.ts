import { describe, expect, it } from 'vitest';
import { planMemory, withFallback } from '../../../src/engine/training/memoryPlan';
import type { StepBatch, TrainingStep } from '../../../src/engine/training/trainingStep';
import { outOfMemory } from '../../../src/engine/runtime/errors';
import { model, node, valueInfo } from '../../../src/engine/onnx/build';
import type { ProgressEvent } from '../../../src/shared/progress';

const batch: StepBatch = { images: [], inputs: {} };
const result = (loss: number) => ({ loss, contrastive: loss, region: 0, alignment: 0, gradients: [] });

/** Steps that need memory for each of their images; what was opened, run and released, in order. */
function machine(fits: () => number, more: { readonly opens?: () => number; readonly error?: () => Error } = {}) {
  const course: string[] = [];
  const notes: string[] = [];
  const { opens = () => Infinity, error = () => outOfMemory('the step', new Error('bad_alloc')) } = more;
  const step = (microBatch: number): TrainingStep => ({
    microBatch,
    run(given) {
      course.push(`run ${microBatch}`);
      expect(given).toBe(batch);
      return microBatch > fits() ? Promise.reject(error()) : Promise.resolve(result(microBatch));
    },
    release: () => Promise.resolve(void course.push(`release ${microBatch}`)),
  });
  const reopen = (microBatch: number) => {
    course.push(`open ${microBatch}`);
    return microBatch > opens() ? Promise.reject(error()) : Promise.resolve(step(microBatch));
  };
  const report = (event: ProgressEvent) => void (event.type === 'note' && notes.push(`${event.level}: ${event.text}`));
  return { step: withFallback(step(12), reopen, report), course, notes };
}

describe('a step that runs out of memory', () => {
  it('is made again with half the images, and with half of those', async () => {
    const { step, course, notes } = machine(() => 3);
    expect(await step.run(batch)).toEqual(result(3));
    expect(step.microBatch).toBe(3);
    expect(course).toEqual(['run 12', 'release 12', 'open 6', 'run 6', 'release 6', 'open 3', 'run 3']);
    expect(notes).toEqual([expect.stringMatching(/^warning: Memory ran out with 12 images at once; going on with 6\./), expect.stringMatching(/^warning: .* with 6 images at once; going on with 3\./)]);
    course.length = 0;
    await step.run(batch);
    await step.release();
    expect(course).toEqual(['run 3', 'release 3']);
  });

  it('may run out later, and already while the smaller step is opened', async () => {
    let fits = 12;
    const { step, course } = machine(() => fits, { opens: () => 3 });
    await step.run(batch);
    fits = 6;
    expect(await step.run(batch)).toEqual(result(3));
    expect(course).toEqual(['run 12', 'run 12', 'release 12', 'open 6', 'open 3', 'run 3']);
  });

  it('counts what V8 refuses as well', async () => {
    const { step } = machine(() => 6, { error: () => new RangeError('Array buffer allocation failed') });
    expect(await step.run(batch)).toEqual(result(6));
  });

  it('ends where not even one image fits, in words that help', async () => {
    const { step, course } = machine(() => 0);
    await expect(step.run(batch)).rejects.toMatchObject({ code: 'runtime-out-of-memory', hint: expect.stringMatching(/training\.trainable.*training\.batch/) as string });
    expect(course.filter((line) => line.startsWith('open'))).toEqual(['open 6', 'open 3', 'open 2', 'open 1']);
    await step.release();
  });

  it('is not what any other failure is', async () => {
    const fault = new Error('a defect');
    const { step, course, notes } = machine(() => 0, { error: () => fault });
    await expect(step.run(batch)).rejects.toBe(fault);
    expect([course, notes]).toEqual([['run 12'], []]);
  });
});

describe('the plan of memory', () => {
  /** One image of 1024 values -> Relu -> a view -> Relu: of 2 · 4 KiB, three quarters are held at the peak. */
  const each = 0.75 * 2 * 4096;
  const tower = {
    proto: model({ nodes: [node('Relu', ['x'], ['a']), node('Flatten', ['a'], ['b']), node('Relu', ['b'], ['y'])], inputs: [valueInfo('x', 'float32', [1, 4, 256])], outputs: [valueInfo('y', 'float32', [1, 1024])], opset: 17 }),
    embeddings: { name: 'y', dims: [1, 1024], dtype: 'float32' as const },
    folder: '.',
  };
  const parameters = 1000;
  const budgetFor = (images: number) => (20 * parameters + images * each) / 2 ** 20;

  it.each([
    ['all of the batch where it fits', budgetFor(48), 48],
    ['a power of two where it does not', budgetFor(47.9), 32],
    ['one image where nothing fits: the attempt tells', 0.001, 1],
  ])('has %s', async (_, memoryBudget, microBatch) => {
    expect(await planMemory(tower, parameters, 48, { memoryBudget })).toEqual({ microBatch, bytes: 20 * parameters + microBatch * each, budget: memoryBudget * 2 ** 20 });
  });

  it('takes what the config says, up to the batch', async () => {
    expect(await planMemory(tower, parameters, 48, { microBatch: 5, memoryBudget: 0.001 })).toMatchObject({ microBatch: 5 });
    expect(await planMemory(tower, parameters, 48, { microBatch: 500 })).toMatchObject({ microBatch: 48 });
  });
});
