import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { assertResumable } from '../../../src/engine/mitigation/resume';
import { openRun, type Outcome, type RunOptions } from '../../../src/engine/run/runFolder';

const base = await mkdtemp(join(tmpdir(), 'ravl-resume-'));
afterAll(() => rm(base, { recursive: true, force: true }));
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(base, 'runs-'));
});

const describe_: RunOptions['describe'] = {
  kind: 'mitigate',
  versions: { ravl: '0.1.0', node: 'v20' },
  seed: 0,
  config: { training: { learningRate: 1e-4, trainable: 'all', betas: [0.9, 0.999] }, prompts: ['a {}'] },
  inputs: { 'vision_model.onnx': 'a', 'training: train.csv': 'b', 'training images': 'c' },
};
const options = (fingerprint: string, changes: Partial<RunOptions['describe']> = {}): RunOptions => ({ root, fingerprint, describe: { ...describe_, ...changes } });

async function left(given: RunOptions, outcome: Outcome = { state: 'interrupted' }): Promise<string> {
  const run = await openRun({ ...given, fresh: true }, () => undefined);
  await run.close(outcome);
  return run.id;
}

describe('--resume', () => {
  it('goes on with a run that was interrupted, or failed, on the same inputs', async () => {
    const interrupted = await left(options('aaaaaa'));
    await left(options('bbbbbb'), { state: 'failed', error: new Error('disk') });
    await expect(assertResumable(options('aaaaaa'), undefined)).resolves.toBeUndefined();
    await expect(assertResumable(options('aaaaaa'), join('.ravl/runs', interrupted))).resolves.toBeUndefined();
    await expect(assertResumable(options('bbbbbb'), undefined)).resolves.toBeUndefined();
  });

  it('finds nothing where all runs are complete, of another kind, or of another name', async () => {
    const nothing = { code: 'run-nothing-to-resume', message: 'There is no unfinished mitigate run here to resume.' };
    await expect(assertResumable(options('aaaaaa'), undefined)).rejects.toMatchObject(nothing);
    const complete = await left(options('aaaaaa'), { state: 'complete' });
    await left(options('aaaaaa', { kind: 'finetune' }));
    await expect(assertResumable(options('aaaaaa'), undefined)).rejects.toMatchObject(nothing);
    await expect(assertResumable(options('aaaaaa'), complete)).rejects.toMatchObject({ message: `There is no unfinished mitigate run ${complete} here to resume.` });
  });

  it('is refused by the names of what has changed', async () => {
    const id = await left(options('aaaaaa'));
    const changes: Partial<RunOptions['describe']> = {
      versions: { ravl: '0.1.0', node: 'v22' },
      config: { training: { learningRate: 1e-5, trainable: { lastBlocks: 2 }, betas: [0.9, 0.99] }, prompts: ['a {}'], seed: 1 },
      inputs: { 'vision_model.onnx': 'a', 'training: train.csv': 'x', 'regions: boxes.csv': 'new', 'training images': 'c' },
    };
    await expect(assertResumable(options('bbbbbb', changes), undefined)).rejects.toMatchObject({
      code: 'run-resume-changed',
      message: `Run ${id} cannot be resumed, for these have changed since: training: train.csv, regions: boxes.csv, training.learningRate, training.trainable, training.betas, seed, the version of node.`,
    });
    await expect(assertResumable(options('bbbbbb'), undefined)).rejects.toMatchObject({ message: expect.stringContaining('the findings it started from') as string });
  });

  it('does not go on with another run than the one named', async () => {
    const [first, second] = [await left(options('aaaaaa')), await left(options('aaaaaa'))];
    await expect(assertResumable(options('aaaaaa'), second)).resolves.toBeUndefined();
    await expect(assertResumable(options('aaaaaa'), undefined)).resolves.toBeUndefined();
    await expect(assertResumable(options('aaaaaa'), first)).rejects.toMatchObject({ code: 'run-resume-newer', message: expect.stringContaining(second) as string });
  });
});
