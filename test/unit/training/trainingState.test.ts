import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stateStore, type TrainingState } from '../../../src/engine/training/trainingState';
import type { ProgressEvent } from '../../../src/shared/progress';

let base: string;
let folder: string;
let notes: string[];
const report = (event: ProgressEvent) => void (event.type === 'note' && notes.push(event.text));
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ravl-states-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(base, 'run-'));
  notes = [];
});

/** A state whose every number tells the step. */
const state = (step: number, best: number | null = null): TrainingState => ({
  progress: { step, validations: 1 + step, microBatch: 2, best: best === null ? null : { step: best, epoch: best, score: 0.5, loss: 1.25 }, waited: 1, optimizerSteps: step, schedule: { best: 0.1 + step, badEpochs: 1, factor: 0.5 } },
  columns: { weights: Float32Array.of(step, 0.1, -0), m: Float32Array.of(1e-30, step, 3), v: new Float32Array(0) },
});
const weights = (step: number) => Float32Array.of(step + 0.5, 7);

/** States after every step of `steps`, each with the best of `bests`. */
async function filled(steps: readonly number[], bests: readonly number[]): Promise<void> {
  const store = stateStore(folder);
  await store.load(report);
  for (const [i, step] of steps.entries()) {
    if (bests[i] !== bests[i - 1]) await store.saveBest(bests[i]!, weights(bests[i]!));
    await store.save(state(step, bests[i]));
  }
}
const kept = async (part: 'states' | 'best') => (await readdir(join(folder, part))).map((name) => Number.parseInt(name)).sort((a, b) => a - b);

describe('states', () => {
  it('come back as they were saved, to the bit', async () => {
    await filled([3, 4], [3, 4]);
    const loaded = await stateStore(folder).load(report);
    expect(loaded).toEqual(state(4, 4));
    expect(Object.is(loaded!.columns['weights']![2], -0)).toBe(true);
    expect(await stateStore(folder).loadBest(4)).toEqual(weights(4));
    expect(notes).toEqual([]);
  });

  it('are none in a new run', async () => {
    expect(await stateStore(folder).load(report)).toBeNull();
    expect(notes).toEqual([]);
  });

  it('are the two newest, with the weights of the best epochs that these speak of', async () => {
    await filled([1, 2, 3, 4], [1, 1, 3, 4]);
    expect([await kept('states'), await kept('best')]).toEqual([[3, 4], [3, 4]]);
    await filled([5, 6], [5, 5]);
    expect([await kept('states'), await kept('best')]).toEqual([[5, 6], [5]]);
  });

  it('are never three at a time, and never none', async () => {
    await filled([1, 2], [1, 2]);
    const store = stateStore(folder);
    await store.load(report);
    let most = 0;
    let least = 9;
    const saving = store.save(state(3, 2)).then(() => true);
    while (!(await Promise.race([saving, new Promise((resolve) => setImmediate(() => resolve(false)))]))) {
      const now = (await readdir(join(folder, 'states'))).length;
      [most, least] = [Math.max(most, now), Math.min(least, now)];
    }
    expect(most).toBeLessThanOrEqual(2);
    expect(least).toBeGreaterThanOrEqual(1);
    expect(await kept('states')).toEqual([2, 3]);
  });

  const damages: [string, (state: string) => Promise<unknown>, RegExp][] = [
    ['a flipped bit', async (at) => {
      const bytes = await readFile(join(at, 'm.npy'));
      bytes[bytes.length - 2]! ^= 1;
      await writeFile(join(at, 'm.npy'), bytes);
    }, /content of m\.npy has changed/],
    ['a cut-off file', (at) => truncate(join(at, 'weights.npy'), 100), /weights\.npy has 100 bytes in place of/],
    ['a missing file', (at) => rm(join(at, 'progress.json')), /progress\.json cannot be read/],
    ['no manifest', (at) => rm(join(at, 'ravl-manifest.json')), /manifest is missing/],
  ];
  it.each(damages)('with %s are passed over by name, and the one before is taken', async (_, damage, says) => {
    await filled([1, 2, 3], [1, 2, 2]);
    const [newest] = (await readdir(join(folder, 'states'))).sort().slice(-1);
    await damage(join(folder, 'states', newest!));
    const store = stateStore(folder);
    expect(await store.load(report)).toEqual(state(2, 2));
    expect(notes).toEqual([expect.stringMatching(/^The state after step 3 is damaged \(.+\) and is passed over\.$/)]);
    expect(notes[0]).toMatch(says);
    // The damaged one is not what the next one is kept beside.
    await store.save(state(3, 2));
    expect(await kept('states')).toEqual([2, 3]);
    expect(await stateStore(folder).load(report)).toEqual(state(3, 2));
  });

  it('whose best weights are damaged are passed over too: they would be missed at the end', async () => {
    await filled([1, 2], [1, 2]);
    await truncate(join(folder, 'best', '000000002', 'weights.npy'), 130);
    expect(await stateStore(folder).load(report)).toEqual(state(1, 1));
    expect(notes).toEqual([expect.stringMatching(/^The state after step 2 is damaged \(of the weights of the best epoch, weights\.npy has 130 bytes/)]);
  });

  it('that are all damaged are all named, and training starts anew', async () => {
    await filled([1, 2], [1, 1]);
    await rm(join(folder, 'best', '000000001', 'weights.npy'));
    const store = stateStore(folder);
    expect(await store.load(report)).toBeNull();
    expect(notes).toEqual([expect.stringMatching(/^The state after step 2 /), expect.stringMatching(/^The state after step 1 /)]);
    await expect(store.loadBest(1)).rejects.toMatchObject({ code: 'run-artifact-damaged', message: expect.stringMatching(/000000001.*weights\.npy cannot be read/) as string });
    await store.save(state(0));
    expect([await kept('states'), await kept('best')]).toEqual([[0], []]);
  });

  it('of a newer format are refused', async () => {
    await filled([1], [1]);
    const [name] = await readdir(join(folder, 'states'));
    await writeFile(join(folder, 'states', name!, 'ravl-manifest.json'), '{"version": 99}');
    await expect(stateStore(folder).load(report)).rejects.toMatchObject({ code: 'run-newer-version' });
  });

  it('are cleared of what a killed process left half-written', async () => {
    await filled([1], [1]);
    for (const part of ['states', 'best']) {
      await mkdir(join(folder, part, '.ravl-tmp-half'));
      await writeFile(join(folder, part, '.ravl-tmp-half', 'weights.npy'), 'half');
    }
    expect(await stateStore(folder).load(report)).toEqual(state(1, 1));
    expect([await readdir(join(folder, 'states')), await readdir(join(folder, 'best'))]).toEqual([['000000001-000002'], ['000000001']]);
  });

  it('of one moment are written once: replacing it would leave none for a while', async () => {
    await filled([1], [1]);
    const [name] = await readdir(join(folder, 'states'));
    const store = stateStore(folder);
    await store.load(report);
    await rm(join(folder, 'states', name!), { recursive: true });
    await store.save(state(1, 1));
    expect(await readdir(join(folder, 'states'))).toEqual([]);
  });
});

describe('kill -9', () => {
  it('at file operations of a training leaves what ends in the same weights and metrics', async () => {
    const script = join(base, 'trainingWriter.mjs');
    await build({ entryPoints: [join(import.meta.dirname, '../../fixtures/trainingWriter.ts')], outfile: script, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error', external: ['onnxruntime-node', 'sharp'] });
    const process_ = async (at: string, killAt: number) => {
      const outcome = await promisify(execFile)(process.execPath, [script, at, String(killAt)]).catch((error: { signal?: string; stderr?: string }) => error.signal ?? error.stderr!);
      return typeof outcome === 'string' ? outcome : (JSON.parse(outcome.stdout) as { operations: number });
    };
    const ended = (outcome: Awaited<ReturnType<typeof process_>>) => (typeof outcome === 'string' ? outcome : { ...outcome, operations: 0 });
    const whole = await process_(await mkdtemp(join(base, 'whole-')), 0);
    expect(whole).toMatchObject({ epochs: 3, steps: 6, best: { epoch: 2, step: 4 } });
    const { operations } = whole as { operations: number };

    // Each process is killed so many operations later than the one before it, and goes on from what that one left. (With a
    // stride of 1 this takes minutes, and ends the same.)
    const stride = 31;
    for (const first of [4, 14, 25]) {
      const at = await mkdtemp(join(base, 'killed-'));
      let last: Awaited<ReturnType<typeof process_>> = 'SIGKILL';
      for (let kill = first; kill <= operations && last === 'SIGKILL'; kill += stride) last = await process_(at, kill);
      if (last === 'SIGKILL') last = await process_(at, 0);
      expect(ended(last)).toEqual(ended(whole));
    }
  });
});
