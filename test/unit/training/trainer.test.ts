import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readMetrics } from '../../../src/engine/training/metricsLog';
import { epochOrder } from '../../../src/engine/training/order';
import { stateStore } from '../../../src/engine/training/trainingState';
import type { EpochMetrics, MetricsLine, StepMetrics } from '../../../src/shared/comparison';
import type { ProgressEvent } from '../../../src/shared/progress';
import { fakeTraining, found, type FakeTraining } from '../../fixtures/fakeTraining';

let folder: string;
let notes: string[];
const report = (event: ProgressEvent) => void (event.type === 'note' && notes.push(`${event.level}: ${event.text}`));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-trainer-'));
  notes = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Two steps an epoch; the weakest group's accuracy, and the loss, after each. */
const course = (...epochs: (readonly [accuracy: number, loss: number])[]): Partial<FakeTraining> => ({ validate: (step) => found(...epochs[step / 2]!), config: { epochs: epochs.length - 1, earlyStopping: { metric: 'worst-group', patience: 2 } } });
const run = (more: Partial<FakeTraining> = {}) => fakeTraining({ folder, report, ...more });
const epochs = (lines: readonly MetricsLine[]) => lines.filter((line): line is EpochMetrics => line.type === 'epoch');
const steps = (lines: readonly MetricsLine[]) => lines.filter((line): line is StepMetrics => line.type === 'step');
/** The first weight counts the steps. */
const counted = (weights: Float32Array) => weights[0];
/** Times are nobody's business. */
const timeless = (lines: readonly MetricsLine[]) => lines.map((line) => ({ ...line, seconds: 0 }));

describe('early stopping', () => {
  it('ends after so many epochs without a better one, and keeps the best', async () => {
    const { bestWeights, lastWeights, ...trained } = await run(course([0.5, 1], [0.6, 1], [0.55, 0.9], [0.59, 0.8], [0.9, 0.1]));
    expect(trained).toMatchObject({ epochs: 3, steps: 6, best: { epoch: 1, step: 2 }, ended: '2 epochs brought no improvement' });
    expect([counted(bestWeights), counted(lastWeights)]).toEqual([2, 6]);
    expect(epochs(trained.lines).map(({ epoch, step, best }) => [epoch, step, best])).toEqual([[0, 0, true], [1, 2, true], [2, 4, false], [3, 6, false]]);
    expect(notes.filter((note) => note.includes('the best so far'))).toHaveLength(1);
  });

  it('starts to wait anew after a better epoch', async () => {
    const trained = await run(course([0.5, 1], [0.4, 1], [0.6, 1], [0.5, 1], [0.5, 1], [0.9, 1]));
    expect(trained).toMatchObject({ epochs: 4, best: { epoch: 2, step: 4 } });
  });

  it('keeps the checkpoint as it was where no epoch is better', async () => {
    const trained = await run(course([0.5, 1], [0.4, 0.5], [0.5, 1]));
    expect(trained).toMatchObject({ epochs: 2, best: { epoch: 0, step: 0 } });
    expect(trained.bestWeights).toEqual(new Float32Array(2));
    expect(counted(trained.lastWeights)).toBe(4);
  });

  it('takes the lower loss where the weakest group is the same, and the earlier epoch where that is too', async () => {
    const trained = await run(course([0.5, 1], [0.5, 0.9], [0.5, 0.9], [0.5, 0.95], [0.9, 0.1]));
    expect(trained).toMatchObject({ best: { epoch: 1, step: 2 }, ended: '2 epochs brought no improvement' });
  });

  it('goes by the loss alone where it is told to', async () => {
    const given = course([0.5, 1], [0.9, 1.1], [0.1, 0.9], [0.2, 0.95]);
    const trained = await run({ ...given, config: { ...given.config, earlyStopping: { metric: 'loss', patience: 2 } } });
    expect(trained).toMatchObject({ epochs: 3, best: { epoch: 2, step: 4 } });
    expect(counted(trained.bestWeights)).toBe(4);
  });

  it('turned off, trains to the end, keeps the last and calls nothing the best', async () => {
    const given = course([0.9, 0.1], [0.5, 1], [0.4, 1], [0.3, 1], [0.2, 1]);
    const trained = await run({ ...given, config: { ...given.config, earlyStopping: null } });
    expect(trained).toMatchObject({ epochs: 4, steps: 8, best: { epoch: 4, step: 8 }, ended: 'all 8 steps were made' });
    expect([counted(trained.bestWeights), counted(trained.lastWeights)]).toEqual([8, 8]);
    expect(epochs(trained.lines).map(({ best }) => best)).toEqual([false, false, false, false, false]);
    expect(await readdir(join(folder, 'best'))).toEqual([]);
  });
});

describe('an epoch', () => {
  it('goes through the images in its own order, and leaves to the next one what does not fill a batch', async () => {
    const { asked } = await run({ images: 11, batch: 4, seed: 5, config: { epochs: 3, earlyStopping: null } });
    const expected = [0, 1, 2].flatMap((epoch) => [0, 4].map((from) => [...epochOrder(11, 5, epoch).slice(from, from + 4)]));
    expect(asked).toEqual(expected);
    expect(new Set(asked.slice(0, 2).flat()).size).toBe(8);
  });

  it('may be cut short by a number of steps, and is judged all the same', async () => {
    const trained = await run({ config: { epochs: 9, steps: 3, earlyStopping: null } });
    expect(trained).toMatchObject({ steps: 3, epochs: 2, ended: 'all 3 steps were made' });
    expect(epochs(trained.lines).map(({ epoch, step }) => [epoch, step])).toEqual([[0, 0], [1, 2], [2, 3]]);
    expect(trained.asked).toHaveLength(3);
  });

  it('tells the schedule its loss, the moment before training not', async () => {
    // Halved after the second epoch in a row without a lower loss; 9 before training would have been the lowest of all.
    const given = course([0.5, 1], [0.5, 9], [0.5, 8], [0.5, 8.5], [0.5, 8.2], [0.5, 8.1]);
    const { rates, lines } = await run({ ...given, config: { ...given.config, schedule: 'plateau', earlyStopping: null } });
    expect(rates).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5]);
    expect(steps(lines).map(({ learningRate }) => learningRate)).toEqual(rates);
  });

  it('warns where the accuracy has fallen from the start by more than it may', async () => {
    const overall = [0.9, 0.81, 0.79, 0.85];
    const trained = await run({ validate: (step) => found(0.5, 1, overall[step / 2]), config: { epochs: 3, earlyStopping: null, collapse: 0.1 } });
    expect(epochs(trained.lines).map(({ warning }) => warning?.slice(0, 60))).toEqual([undefined, undefined, 'Zero-shot accuracy has fallen from 90.0% to 79.0%: the model'.slice(0, 60), undefined]);
    expect(notes.filter((note) => note.startsWith('warning: '))).toEqual([expect.stringMatching(/^warning: Epoch 2: accuracy 79\.0%.*Zero-shot accuracy has fallen/)]);
  });
});

describe('training that diverges', () => {
  const states = async () => (await readdir(join(folder, 'states'))).map((name) => Number.parseInt(name));

  it.each([
    ['a loss that is not a number', NaN, 1, /at step 4: the loss is not finite/],
    ['an endless loss', Infinity, 1, /at step 4: the loss is not finite/],
    ['a gradient that is not a number', 1, NaN, /at step 4: the gradient is not finite/],
    ['an endless gradient', 1, -Infinity, /at step 4: the gradient is not finite/],
  ])('stops at %s, with the state before it on disk', async (_, loss, gradient, message) => {
    const failing = run({ config: { epochs: 4, learningRate: 0.5 }, step: (n, result) => (n === 3 ? { loss, gradients: [Float32Array.of(gradient, 0)] } : result) });
    await expect(failing).rejects.toMatchObject({ code: 'run-diverged', message: expect.stringMatching(message) as string, hint: expect.stringMatching(/last good state is kept\. A learning rate below 0\.50/) as string });
    expect(await states()).toEqual([0, 2]);
    const kept = await stateStore(folder).load(report);
    expect([...kept!.columns['weights']!].every(Number.isFinite)).toBe(true);
    expect((await readMetrics(join(folder, 'metrics.jsonl'))).map(({ step }) => step)).toEqual([0, 1, 2, 2, 3]);
  });

  it('stops at a validation loss that is not finite: it would be written as the best', async () => {
    const failing = run({ config: { epochs: 4 }, validate: (step) => (step < 4 ? found(0.5) : found(1, NaN)) });
    await expect(failing).rejects.toMatchObject({ code: 'run-diverged', message: expect.stringMatching(/after step 4 the loss on the validation images is not finite/) as string });
    expect(await states()).toEqual([0, 2]);
    expect((await stateStore(folder).load(report))?.progress).toMatchObject({ step: 2, best: { step: 0 } });
  });

  it('says that the checkpoint is broken where there was no step yet', async () => {
    await expect(run({ validate: () => found(0, NaN) })).rejects.toMatchObject({ code: 'checkpoint-not-finite' });
    expect(await states()).toEqual([]);
  });
});

describe('training that is stopped', () => {
  const config = { epochs: 5, optimizer: 'adamw', learningRate: 0.1, schedule: 'plateau', earlyStopping: { metric: 'loss', patience: 3 } } as const;
  /** Depends on the weights, so that a wrong one shows; the third epoch is the best. */
  const validate: FakeTraining['validate'] = (step, [a = 0, b = 0]) => found(0.5, Math.abs(a - 0.6) + 0.01 * Math.abs(b), 0.9 - step / 100);
  let unbroken: Awaited<ReturnType<typeof fakeTraining>>;
  beforeAll(async () => {
    const other = await mkdtemp(join(tmpdir(), 'ravl-trainer-'));
    unbroken = await fakeTraining({ folder: other, config, validate });
    await rm(other, { recursive: true, force: true });
  });

  async function expectSame(resumed: Awaited<ReturnType<typeof run>>): Promise<void> {
    expect({ ...resumed, asked: [], rates: [], lines: timeless(resumed.lines) }).toEqual({ ...unbroken, asked: [], rates: [], lines: timeless(unbroken.lines) });
    expect(timeless(await readMetrics(join(folder, 'metrics.jsonl')))).toEqual(timeless(unbroken.lines));
  }

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('after step %i ends as one that was not', async (stop) => {
    const controller = new AbortController();
    const stopped = run({ config, validate, signal: controller.signal, report: (event) => event.type === 'progress' && event.done === stop && controller.abort() });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    const again = await run({ config, validate });
    expect(again.asked).toHaveLength(10 - stop);
    await expectSame(again);
  });

  it('in a validation, before training or after an epoch, makes only that validation again', async () => {
    let validations = 0;
    for (const moment of [0, 4, 10]) {
      const controller = new AbortController();
      const stopping: FakeTraining['validate'] = (step, weights) => {
        validations++;
        if (step === moment) controller.abort();
        controller.signal.throwIfAborted();
        return validate(step, weights);
      };
      await expect(run({ config, validate: stopping, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    }
    const again = await run({ config, validate: (step, weights) => (validations++, validate(step, weights)) });
    expect(again.asked).toEqual([]);
    expect(validations).toBe(6 + 3);
    await expectSame(again);
  });

  it('before it begins leaves a state of the start', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(run({ config, validate, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await expectSame(await run({ config, validate }));
  });

  it('by an image that is gone says so, and goes on once it is back', async () => {
    const gone = new Error('gone');
    await expect(run({ config, validate, load: (indices) => (indices[0] === epochOrder(8, 0, 2)[4] ? Promise.reject(gone) : Promise.resolve()) })).rejects.toBe(gone);
    await expectSame(await run({ config, validate }));
  });

  it('by a failure in a long epoch goes on from what is saved every ten minutes', async () => {
    // Each look at the clock finds it four minutes later.
    let minutes = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => 60_000 * (minutes += 4));
    const lost = new Error('device lost');
    const long = { config: { epochs: 1, earlyStopping: null }, images: 40 };
    const failing = run({ ...long, step: (n, result) => {
      if (n === 7) throw lost;
      return result;
    } });
    await expect(failing).rejects.toBe(lost);
    clock.mockRestore();
    expect((await run(long)).asked.length).toBeLessThanOrEqual(10 - 6);
  });

  it('after its end does nothing but say what it ended in', async () => {
    const first = await run({ config, validate });
    const again = await run({ config, validate });
    expect({ ...again, rates: [], asked: [] }).toEqual({ ...first, rates: [], asked: [] });
    expect(again.asked).toEqual([]);
  });
});
