import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mitigationMethods } from '../../../src/engine/benchmark/mitigation/methods';
import { runSettings, type Outcome } from '../../../src/engine/benchmark/settings';
import { cacheName, type Source } from '../../../src/engine/benchmark/source';
import type { Stage } from '../../../src/engine/benchmark/stages';
import type { Setting } from '../../../src/engine/benchmark/suites';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { openRegionFinder } from '../../../src/engine/dataset/regions';
import { embedImages } from '../../../src/engine/discovery/embedImages';
import { openRegionEncoder } from '../../../src/engine/discovery/regionEncoder';
import { diverged } from '../../../src/engine/training/errors';
import type { ProgressEvent } from '../../../src/shared/progress';
import { shortcutSource } from '../../fixtures/shortcutSource';

const root = await mkdtemp(join(tmpdir(), 'ravl-stages-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const source = shortcutSource(join(root, 'clip'));
const setting = (seed: number): Setting => ({ dataset: 'mnist', feature: 'rectangle', tied: 1, cramersV: 0.8, seed });
const folderOf = (cache: string, of: Setting) => join(cache, cacheName('setting', source.identity(of)));

interface Ran {
  readonly outcome: Outcome;
  /** Of the benchmark, and of the trainings and embeddings within it. */
  readonly events: readonly ProgressEvent[];
}

/** Runs settings in a cache; `stop` says at which event to stop. */
async function run(cache: string, settings: readonly Setting[], { of = source, stop = () => false }: { of?: Source; stop?: (event: ProgressEvent) => boolean } = {}): Promise<Ran> {
  const controller = new AbortController();
  const events: ProgressEvent[] = [];
  const report = (event: ProgressEvent) => {
    events.push(event);
    if (stop(event)) controller.abort(new Error('stopped'));
  };
  const stage: Stage = { sources: { mnist: of }, cache, report, signal: controller.signal };
  return { outcome: await runSettings(stage, settings, false, report), events };
}

const notes = (events: readonly ProgressEvent[]) => events.flatMap((event) => (event.type === 'note' ? [event.text] : []));

/** All but how long it took. */
const untimed = ({ detected, mitigated }: Outcome) => ({ detected: detected.map((each) => ({ ...each, seconds: null })), mitigated: mitigated.map((each) => ({ ...each, seconds: null })) });

/** A source that has nothing to give any more. */
const gone: Source = { ...source, start: () => Promise.reject(new Error('started')), plant: () => { throw new Error('planted'); } };

const undisturbed = join(root, 'undisturbed');
let whole: Ran;
beforeAll(async () => {
  whole = await run(undisturbed, [setting(1)]);
});

describe('a setting', () => {
  it('goes through discovery and every mitigation', () => {
    const [found] = whole.outcome.detected;
    // Red is tied to class 1, so the model needs it there and falls for it elsewhere; RaVL sees where it lies.
    expect(found!.eps1).toBeGreaterThan(10);
    expect(found!.eps2).toBeGreaterThan(10);
    expect(found!.precision['ravl']).toBe(1);
    expect(whole.outcome.mitigated.map(({ method }) => method)).toEqual(mitigationMethods.map(({ id }) => id));
    // Standard fine-tuning is the very checkpoint that discovery measured.
    expect(whole.outcome.mitigated.find(({ method }) => method === 'standard')!.image).toEqual(found!.accuracy);
  });

  it('leaves no images behind, and no checkpoint but the misled one', async () => {
    const left = await readdir(folderOf(undisturbed, setting(1)));
    expect(left.sort()).toEqual(['detection.json', 'medoids.json', 'misled', ...mitigationMethods.map(({ id }) => `mitigation-${id}.json`)].sort());
  });

  it('outlives a method whose training diverges', async () => {
    const cache = join(root, 'diverged');
    await cp(undisturbed, cache, { recursive: true });
    await rm(join(folderOf(cache, setting(1)), 'mitigation-upsampled.json'));
    const training = vi.spyOn(mitigationMethods.find(({ id }) => id === 'upsampled')!, 'mitigate').mockRejectedValue(diverged(3, NaN, 0.001));
    const { outcome } = await run(cache, [setting(1)]).finally(() => training.mockRestore());
    const nothing = { overall: 0, worstGroup: 0 };
    expect(outcome.mitigated.find(({ method }) => method === 'upsampled')).toMatchObject({ image: nothing, region: nothing, diverged: true });
    const others = ({ mitigated }: Outcome) => mitigated.filter(({ method }) => method !== 'upsampled');
    expect(others(outcome)).toEqual(others(whole.outcome));
  });

  it('is not made again', async () => {
    const again = await run(undisturbed, [setting(1)], { of: gone });
    expect(again.outcome).toEqual(whole.outcome);
    expect(notes(again.events)).toEqual([]);
  });
});

describe('a benchmark that was stopped', () => {
  it.each([
    ['while the model is misled', (event: ProgressEvent) => event.type === 'progress' && event.phase === 'train'],
    ['between two mitigations', (event: ProgressEvent) => event.type === 'note' && event.text.startsWith('Mitigation by VL-GDRO')],
  ])('%s goes on and comes to the same', async (name, stop) => {
    const cache = join(root, name);
    await expect(run(cache, [setting(1)], { stop })).rejects.toThrow('stopped');
    const { outcome, events } = await run(cache, [setting(1)]);
    expect(untimed(outcome)).toEqual(untimed(whole.outcome));
    // What was finished is not done twice.
    const done = name.startsWith('between');
    expect(notes(events).some((text) => text.startsWith('Discovery:'))).toBe(!done);
    expect(notes(events).some((text) => text.startsWith('Mitigation by VL-ERM'))).toBe(!done);
  });

  it('does not take embeddings that a killed process left for its own', async () => {
    const [cache, of] = [join(root, 'killed'), setting(1)];
    const folder = folderOf(cache, of);
    await mkdir(folder, { recursive: true });
    await cp(join(folderOf(undisturbed, of), 'misled'), join(folder, 'misled'), { recursive: true });
    // Of the start, and of the training images.
    const config = source.config(of);
    const checkpoint = await openCheckpoint(join(root, 'clip'), '.');
    const table = await source.plant(of).training.write(folder);
    const [regions, encoder] = [await openRegionFinder(config.regions, table, '.', 'cpu', () => undefined), await openRegionEncoder(checkpoint, config.embedding, 'cpu', () => undefined)];
    await embedImages({ checkpoint, table, regions, encoder, folder: join(folder, 'shards'), skipUnreadable: false }, () => undefined, new AbortController().signal);
    await encoder.release();
    const { outcome } = await run(cache, [of]);
    expect(untimed(outcome)).toEqual(untimed(whole.outcome));
  });
});

describe('seeds of one setting', () => {
  it('are valid together or not at all, and the first tells what all take', async () => {
    // Seed 9 learns nothing, so neither counts; the first was measured through both all the same.
    const cache = join(root, 'seeds');
    const { outcome, events } = await run(cache, [setting(1), setting(9)]);
    expect(Math.min(outcome.detected[1]!.eps1, outcome.detected[1]!.eps2)).toBeLessThan(10);
    expect(outcome.detected).toHaveLength(2);
    expect(outcome.mitigated).toEqual([]);
    const told = notes(events);
    const pace = told.findIndex((text) => /^For one setting discovery took \d+ s and mitigation \d+ s, so what is left of 2 takes about 1 min at most/.test(text));
    expect(pace).toBeGreaterThan(-1);
    expect(told.slice(0, pace).filter((text) => text.startsWith('Discovery:'))).toHaveLength(1);
    expect(told.slice(pace).filter((text) => text.startsWith('Discovery:'))).toHaveLength(1);
    expect(told.filter((text) => text.startsWith('For one setting'))).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'progress', phase: 'benchmark', done: 2, total: 2 });
  });
});
