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
  for (const [i, setting] of settings.entries()) await finish(setting, {}, mended[i] ? 1 : null, learned[i] ? 50 : 0);
});

/** Keeps made-up results of a setting; `mending` is the seconds of each mitigation, null for none yet. */
async function finish(setting: Setting, seconds: Record<string, number>, mending: number | null, eps = 50): Promise<void> {
  await mkdir(folderOf(setting), { recursive: true });
  const accuracy = { overall: 1, worstGroup: 1 };
  const precision = Object.fromEntries(detectionMethods.map(({ id }) => [id, 0.5]));
  await writeFile(join(folderOf(setting), 'detection.json'), JSON.stringify({ setting, eps1: eps, eps2: eps, accuracy, precision, top: 0, seconds }));
  if (mending === null) return;
  for (const { id } of mitigationMethods) await writeFile(join(folderOf(setting), `mitigation-${id}.json`), JSON.stringify({ setting, method: id, image: accuracy, region: accuracy, seconds: mending }));
}

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

  it('tells once what all takes, by the first setting that has been through everything', async () => {
    const [first, other] = settings as [Setting, Setting];
    for (const setting of [first, other]) await rm(folderOf(setting), { recursive: true });
    const { watch, events } = await launched({ kind: 'pool', processes: 2 });
    const notes = () => events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    await watch!.looked!();
    expect(notes()).toEqual([]);
    await finish(first, { 'fine-tune': 300, cluster: 60 }, 120);
    await watch!.looked!();
    await watch!.looked!();
    // Discovery of one setting and mitigation of six are left, 360 s and 9 methods of 120 s each, two at a time.
    const minutes = (360 + 6 * 9 * 120) / 2 / 60;
    expect(notes()).toEqual([expect.stringContaining(`For one setting discovery took 360 s and mitigation 1080 s, so what is left of 9 takes about ${minutes} min at most`)]);
  });

  it('is launched again for what jobs that it only waited for were not asked', async () => {
    vi.mocked(runLaunch).mockImplementationOnce(() => Promise.all(settings.slice(6, 8).map((setting) => finish(setting, {}, 1))).then(() => undefined));
    vi.mocked(runLaunch).mockImplementationOnce(() => finish(settings[8]!, {}, 1));
    await launched({ kind: 'slurm' });
    expect(vi.mocked(runLaunch)).toHaveBeenCalledTimes(2);
    vi.mocked(runLaunch).mockClear();
    await launched({ kind: 'slurm' });
    expect(vi.mocked(runLaunch)).not.toHaveBeenCalled();
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
