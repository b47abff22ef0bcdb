/** "Stop and keep the best": a training that is asked to finish early. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeTraining, found, type FakeTraining } from '../../fixtures/fakeTraining';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-finish-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Trains with two steps an epoch, and asks to finish as soon as step `at` is made. */
async function finishedAt(at: number, given: Partial<FakeTraining> = {}) {
  const controller = new AbortController();
  if (at < 0) controller.abort();
  const trained = await fakeTraining({
    folder, finish: controller.signal, ...given,
    config: { epochs: 5, earlyStopping: { metric: 'worst-group', patience: 4 }, ...given.config },
    report: (event) => event.type === 'progress' && event.done === at && controller.abort(),
  });
  const judged = trained.lines.flatMap((line) => (line.type === 'epoch' ? [[line.epoch, line.step]] : []));
  return { ...trained, judged };
}
/** Better with every step. */
const rising: FakeTraining['validate'] = (step) => found(step / 20);

describe('training that is asked to finish', () => {
  it('makes no further step, and judges the half epoch, which is the best here', async () => {
    const { judged, ...trained } = await finishedAt(5, { validate: rising });
    expect(trained).toMatchObject({ steps: 5, epochs: 3, best: { epoch: 3, step: 5 }, ended: 'finished on request after step 5' });
    expect(judged).toEqual([[0, 0], [1, 2], [2, 4], [3, 5]]);
    expect([trained.bestWeights[0], trained.lastWeights[0]]).toEqual([5, 5]);
  });

  it('keeps an earlier epoch where the half one is worse', async () => {
    const trained = await finishedAt(5, { validate: (step) => found(step === 2 ? 0.9 : 0.1) });
    expect(trained).toMatchObject({ steps: 5, best: { epoch: 1, step: 2 } });
    expect([trained.bestWeights[0], trained.lastWeights[0]]).toEqual([2, 5]);
  });

  it('at the end of an epoch judges it once', async () => {
    expect((await finishedAt(4, { validate: rising })).judged).toEqual([[0, 0], [1, 2], [2, 4]]);
  });

  it('before its first step keeps the checkpoint as it was', async () => {
    const { judged, ...trained } = await finishedAt(-1, { validate: rising });
    expect(trained).toMatchObject({ steps: 0, epochs: 0, best: { epoch: 0, step: 0 }, ended: 'finished on request after step 0' });
    expect(judged).toEqual([[0, 0]]);
  });

  it('in a validation lets that one be the last', async () => {
    const controller = new AbortController();
    const validate: FakeTraining['validate'] = (step) => {
      if (step === 2) controller.abort();
      return found(step / 20);
    };
    expect(await fakeTraining({ folder, validate, finish: controller.signal, config: { epochs: 5 } })).toMatchObject({ steps: 2, best: { step: 2 }, ended: 'finished on request after step 2' });
  });

  it('without early stopping keeps the last step', async () => {
    expect(await finishedAt(3, { validate: (step) => found(1 - step / 20), config: { earlyStopping: null } })).toMatchObject({ steps: 3, best: { epoch: 2, step: 3 } });
  });

  it('at the very last step, or out of patience, ends for that reason', async () => {
    expect(await finishedAt(10, { validate: rising })).toMatchObject({ steps: 10, ended: 'all 10 steps were made' });
    await rm(folder, { recursive: true });
    expect(await finishedAt(4, { validate: () => found(0.5), config: { earlyStopping: { metric: 'worst-group', patience: 2 } } })).toMatchObject({ steps: 4, ended: '2 epochs brought no improvement' });
  });
});
