import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { benchmarkTask } from '../../../src/engine/benchmark/benchmarkTask';
import { detectionMethods } from '../../../src/engine/benchmark/detection/methods';
import { launchSettings } from '../../../src/engine/benchmark/launched';
import { mitigationMethods } from '../../../src/engine/benchmark/mitigation/methods';
import { taskRequestSchema, type BenchmarkRequest } from '../../../src/engine/benchmark/request';
import { cacheName } from '../../../src/engine/benchmark/source';
import type { Stage } from '../../../src/engine/benchmark/stages';
import { suiteOf, type Setting } from '../../../src/engine/benchmark/suites';
import type { Launch, Launcher, Watch } from '../../../src/engine/launcher/launch';
import { runLaunch } from '../../../src/engine/launcher/runLaunch';
import type { ProgressEvent } from '../../../src/shared/progress';
import { shortcutSource } from '../../fixtures/shortcutSource';

vi.mock('../../../src/engine/launcher/runLaunch', () => ({ runLaunch: vi.fn(() => Promise.resolve()) }));

const root = await mkdtemp(join(tmpdir(), 'ravl-launched-'));
afterAll(() => rm(root, { recursive: true, force: true }));

/** Three classes in three seeds each. */
const settings = suiteOf('quick').settings.slice(0, 9);
const source = { ...shortcutSource(join(root, 'clip')), start: () => Promise.resolve('nowhere') };
const out = join(root, 'out');
const folderOf = (setting: Setting) => join(out, 'cache', cacheName('setting', source.identity(setting)));

/** Setting by setting: learned or not, and mended or not. The first class is done, the second learned nothing in one seed, the third is half done. */
const learned = [true, true, true, true, false, true, true, true, true];
const mended = [true, true, true, false, false, false, true, false, false];

beforeEach(async () => {
  vi.mocked(runLaunch).mockClear();
  await rm(out, { recursive: true, force: true });
  for (const [i, setting] of settings.entries()) {
    await mkdir(folderOf(setting), { recursive: true });
    const eps = learned[i] ? 50 : 0;
    const precision = Object.fromEntries(detectionMethods.map(({ id }) => [id, 0.5]));
    await writeFile(join(folderOf(setting), 'detection.json'), JSON.stringify({ setting, eps1: eps, eps2: eps, accuracy: { overall: 1, worstGroup: 1 }, precision, top: 0, seconds: {} }));
    if (!mended[i]) continue;
    const accuracy = { overall: 1, worstGroup: 1 };
    for (const { id } of mitigationMethods) await writeFile(join(folderOf(setting), `mitigation-${id}.json`), JSON.stringify({ setting, method: id, image: accuracy, region: accuracy, seconds: 1 }));
  }
});

const request: BenchmarkRequest = { of: { suite: 'quick', data: {} }, out, settings: 9, skipMitigation: false, launcher: { kind: 'pool' } };

async function launched(launcher: Launcher, more: Partial<BenchmarkRequest> = {}): Promise<{ launch?: Launch; watch?: Watch; events: ProgressEvent[] }> {
  const events: ProgressEvent[] = [];
  const stage: Stage = { sources: { 'fashion-mnist': source }, cache: join(out, 'cache'), report: () => undefined, signal: new AbortController().signal };
  await launchSettings({ ...request, launcher, ...more }, stage, settings, launcher, (event) => events.push(event), stage.signal);
  const [call] = vi.mocked(runLaunch).mock.calls;
  return { ...(call ? { launch: call[0], watch: call[2] } : {}), events };
}

describe('a benchmark that is launched', () => {
  it('has a task for each group that is not finished, between the start and the tables', async () => {
    const { launch } = await launched({ kind: 'slurm' });
    expect(launch!.stages).toEqual([{ name: 'start', tasks: 1 }, { name: 'settings', tasks: 1 }, { name: 'merge', tasks: 1 }]);
    expect(launch!.folder).toBe(join(out, 'launch'));
    // The first two classes have nothing left: the second is not valid, so nothing is to be mended.
    expect(launch!.task).toEqual({ kind: 'benchmark', request: { of: request.of, out, settings: 9, skipMitigation: false, groups: [2] } });
    expect(taskRequestSchema.parse(JSON.parse(JSON.stringify(launch!.task.request)))).toEqual(launch!.task.request);
  });

  it('leaves the tables to whoever waits for a pool', async () => {
    const { launch } = await launched({ kind: 'pool' });
    expect(launch!.stages.find(({ name }) => name === 'merge')!.tasks).toBe(0);
  });

  it('tells how many settings are done by what lies in the cache', async () => {
    const { watch, events } = await launched({ kind: 'pool' });
    await watch!.looked!();
    // Three, three that are not valid, and one of the last three.
    expect(events).toEqual([{ type: 'progress', phase: 'benchmark', done: 7, total: 9, unit: 'settings' }]);
  });

  it('launches nothing where nothing is left', async () => {
    expect((await launched({ kind: 'slurm' }, { skipMitigation: true })).launch).toBeUndefined();
  });
});

describe('a task', () => {
  it('refuses a request that it does not know', async () => {
    const share = { folder: root, stage: 'settings', index: 0, request: { of: { suite: 'huge', data: {} }, out, skipMitigation: false, groups: [0] } };
    await expect(benchmarkTask(share, () => undefined, new AbortController().signal)).rejects.toThrow();
  });
});
