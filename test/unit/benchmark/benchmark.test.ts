import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { benchmark } from '../../../src/engine/benchmark/benchmark';
import { detectionMethods } from '../../../src/engine/benchmark/detection/methods';
import { mitigationMethods } from '../../../src/engine/benchmark/mitigation/methods';
import { cacheName } from '../../../src/engine/benchmark/source';
import { suiteOf, type Setting } from '../../../src/engine/benchmark/suites';
import { acquireLock } from '../../../src/engine/run/lock';
import { fakeSlurm } from '../../fixtures/fakeSlurm';

const root = await mkdtemp(join(tmpdir(), 'ravl-benchmark-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const suite = suiteOf('quick');
/** In points, by setting: the first three settings are one class, the next three another. */
const learned = [50, 35, 22, 60, 12, 60];
/** RaVL's Precision@10, and Domino's. */
const found = [1, 0.9, 0.8, 0.7, 0.6, 0.5];
const rival = [0.3, 0.3, 0.3, 0.2, 0.2, 0.2];
/** Worst-group image accuracy of RaVL's mitigation; standard fine-tuning has a tenth throughout. */
const mended = [0.4, 0.5, 0.6, 0.3, 0.2, 0.1];

const out = join(root, 'out');
const data = join(root, 'data');

/** The cache of a quick suite whose first six settings are done, with results made up. */
beforeEach(async () => {
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, 'cache', cacheName('start', { dataset: 'fashion-mnist', ...suite.scale.pretraining }), 'pretrained'), { recursive: true });
  await Promise.all(suite.settings.slice(0, 6).map(fill));
  await mkdir(data, { recursive: true });
  for (const part of ['train', 't10k']) {
    await writeFile(join(data, `${part}-images-idx3-ubyte`), Buffer.concat([Buffer.from([0, 0, 8, 3]), sizes(10, 28, 28), Buffer.alloc(10 * 28 * 28)]));
    await writeFile(join(data, `${part}-labels-idx1-ubyte`), Buffer.concat([Buffer.from([0, 0, 8, 1]), sizes(10), Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])]));
  }
});

async function fill(setting: Setting, i: number): Promise<void> {
  const folder = join(out, 'cache', cacheName('setting', { setting, scale: suite.scale }));
  await mkdir(folder, { recursive: true });
  const precision = { ...Object.fromEntries(detectionMethods.map(({ id }) => [id, 0])), ravl: found[i]!, domino: rival[i]! };
  const accuracy = { overall: 0.8, worstGroup: 0.1 };
  await writeFile(join(folder, 'detection.json'), JSON.stringify({ setting, eps1: learned[i]!, eps2: 70, accuracy, precision, top: 3, seconds: { 'fine-tune': 10 + i, embed: 1 } }));
  for (const { id } of mitigationMethods) {
    const image = { overall: 0.9, worstGroup: id === 'ravl' ? mended[i]! : 0.1 };
    await writeFile(join(folder, `mitigation-${id}.json`), JSON.stringify({ setting, method: id, image, region: { overall: 0.7, worstGroup: 0.2 }, seconds: 30 }));
  }
}

function sizes(...dims: number[]): Buffer {
  const bytes = Buffer.alloc(4 * dims.length);
  dims.forEach((dim, i) => bytes.writeUInt32BE(dim, 4 * i));
  return bytes;
}

const run = (settings: number, more: { skipMitigation?: boolean } = {}) =>
  benchmark({ of: { suite: 'quick', data: { 'fashion-mnist': data } }, out, settings, skipMitigation: false, launcher: { kind: 'local' }, ...more }, () => undefined, new AbortController().signal);

describe('a benchmark whose settings are all there', () => {
  it('is two files a spreadsheet and a program read, and tables with means and intervals', async () => {
    const { tables, markdownFile } = await run(6);
    // All six count at 10 points; at 20 the second class does not, for its second seed; at 40 none does.
    expect(tables.valid.map(({ settings }) => settings)).toEqual([6, 3, 0, 0]);
    const ravl = tables.detection.find(({ method }) => method === 'ravl')!.precision;
    expect(ravl[0]!.mean).toBeCloseTo(0.75, 12);
    // 0.5 … 1 in steps of 0.1: deviation √0.035, standard error √(0.035 / 6), t(5) = 2.571.
    expect(ravl[0]!.interval![1] - 0.75).toBeCloseTo(2.571 * Math.sqrt(0.035 / 6), 3);
    expect(ravl[1]!.mean).toBeCloseTo(0.9, 12);
    expect(ravl[2]).toEqual({ n: 0, mean: null, interval: null });
    expect(tables.lead).toEqual({ rival: 'Domino', ratio: expect.closeTo(3, 9) as number });
    // Gains 0.3, 0.4, 0.5, 0.2, 0.1, 0.
    expect(tables.mitigation.find(({ method }) => method === 'ravl')!.gain.mean).toBeCloseTo(0.25, 12);
    expect(tables.cost).toEqual([{ stage: 'fine-tune', seconds: expect.objectContaining({ mean: 12.5 }) as object }, { stage: 'embed', seconds: expect.objectContaining({ mean: 1 }) as object }]);

    const text = await readFile(markdownFile, 'utf8');
    expect(text).toContain('6 of 30 settings were run');
    expect(text).toContain('| method | ≥ 10 points (6) | ≥ 20 points (3) | ≥ 30 points (0) | ≥ 40 points (0) |');
    expect(text).toMatch(/\| RaVL \| 0\.75 \[0\.55, 0\.95\] \| 0\.90 \[0\.65, 1\.00\] \| – \| – \|/);
    const csv = (await readFile(join(out, 'benchmark.csv'), 'utf8')).trimEnd().split('\n');
    expect(csv).toHaveLength(1 + 6 * detectionMethods.length + 6 * mitigationMethods.length);
    expect(csv).toContain('discovery,fashion-mnist,rectangle,0,0.95,2,ravl,0.9,35,70,,,,,');
    expect(csv).toContain('mitigation,fashion-mnist,rectangle,1,0.95,1,ravl,,,,0.9,0.3,0.7,0.2,30');
    const json = JSON.parse(await readFile(join(out, 'benchmark.json'), 'utf8')) as { detected: unknown[]; mitigated: unknown[]; tables: unknown };
    expect(json.detected).toHaveLength(6);
    expect(json.tables).toEqual(JSON.parse(JSON.stringify(tables)));
    expect(await readFile(join(out, 'mitigation.svg'), 'utf8')).toContain('Weight interpolation');
  });

  it('may be a part of its suite, seed by seed', async () => {
    const { tables } = await run(4);
    expect(tables.settings).toBe(4);
    // The fourth is the first seed of the second class, and stands for itself.
    expect(tables.valid.map(({ settings }) => settings)).toEqual([4, 4, 1, 1]);
    expect(tables.mitigation.find(({ method }) => method === 'ravl')!.imageWorst.mean).toBeCloseTo(0.45, 12);
  });

  it('leaves mitigation out on demand', async () => {
    const { tables, markdownFile } = await run(3, { skipMitigation: true });
    expect(tables.mitigation).toEqual([]);
    expect(await readFile(markdownFile, 'utf8')).not.toContain('## Mitigation');
  });

  it('is run by one process at a time', async () => {
    const { release } = await acquireLock(out, () => undefined);
    await expect(run(3)).rejects.toMatchObject({ code: 'run-busy', message: `Another RaVL process is working on the benchmark in ${out}.`, hint: expect.stringContaining('--out') as string });
    await release();
    await expect(run(3)).resolves.toBeDefined();
  });

  it('is left to Slurm jobs that are at work on it', async () => {
    await mkdir(join(out, 'launch'), { recursive: true });
    await writeFile(join(out, 'launch', 'jobs.json'), JSON.stringify({ version: 1, jobs: [{ stage: 'settings', id: '7', tasks: 2 }] }));
    const slurm = fakeSlurm(await mkdtemp(join(root, 'slurm-')));
    try {
      slurm.knows([{ job_id: 7, array_job_id: 7, array_task_id: 0, job_state: 'RUNNING' }]);
      await expect(run(3)).rejects.toMatchObject({ code: 'run-busy', message: `Slurm jobs (7) are at work on the benchmark in ${out}.` });
      slurm.knows([{ job_id: 7, array_job_id: 7, array_task_id: 0, job_state: 'COMPLETED' }]);
      await expect(run(3)).resolves.toBeDefined();
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('needs its data all the same, and says which', async () => {
    const asked = { of: { suite: 'quick', data: { 'fashion-mnist': join(root, 'nowhere') } }, out, skipMitigation: true, launcher: { kind: 'local' } } as const;
    await expect(benchmark(asked, () => undefined, new AbortController().signal)).rejects.toMatchObject({ code: 'benchmark-data-missing', message: expect.stringContaining('nowhere') as string });
  });
});
