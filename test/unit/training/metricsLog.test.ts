import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openMetricsLog, readMetrics } from '../../../src/engine/training/metricsLog';
import type { EpochMetrics, StepMetrics } from '../../../src/shared/comparison';

const base = await mkdtemp(join(tmpdir(), 'ravl-metrics-'));
afterAll(() => rm(base, { recursive: true, force: true }));
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(base, 'run-'));
  file = join(folder, 'metrics.jsonl');
});

const step = (n: number): StepMetrics => ({ type: 'step', step: n, epoch: Math.ceil(n / 2), loss: 1 / n, contrastive: 0.1 + n, region: 2, alignment: 3, learningRate: 5e-5, gradientNorm: 1e-9 * n, seconds: 0.25 });
const epoch = (n: number): EpochMetrics => ({ type: 'epoch', epoch: n, step: 2 * n, loss: 1.5, overall: 0.5, worstGroup: { label: 'nine', feature: 'absent', accuracy: 0.25 }, perClass: [0.5, null], best: n === 0 });
/** Two epochs of two steps, and a step of the third. */
const course = [epoch(0), step(1), step(2), epoch(1), step(3), step(4), epoch(2), step(5)];

async function written(): Promise<void> {
  const log = await openMetricsLog(folder, null);
  for (const line of course) await log.append(line);
  await log.sync();
}

describe('metrics.jsonl', () => {
  it('has a line a step and an epoch, as they came', async () => {
    await written();
    expect((await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(course);
    expect(await readMetrics(file)).toEqual(course);
  });

  it.each([
    ['after step 5', { step: 5, validations: 3 }, course],
    ['within an epoch', { step: 3, validations: 2 }, course.slice(0, 5)],
    ['after an epoch', { step: 2, validations: 2 }, course.slice(0, 4)],
    ['after the last step of an epoch, before its validation', { step: 4, validations: 2 }, course.slice(0, 6)],
    ['before training', { step: 0, validations: 1 }, course.slice(0, 1)],
    ['before the first validation', { step: 0, validations: 0 }, []],
    ['from nothing', null, []],
  ])('gone on with %s keeps what led there', async (_, from, kept) => {
    await written();
    const log = await openMetricsLog(folder, from);
    expect(log.lines()).toEqual(kept);
    expect(await readMetrics(file)).toEqual(kept);
    await log.append(step(9));
    expect(log.lines()).toEqual([...kept, step(9)]);
    expect(await readMetrics(file)).toEqual([...kept, step(9)]);
  });

  it('drops a last line that a kill cut off, and appends on a line of its own', async () => {
    await written();
    await appendFile(file, JSON.stringify(step(6)).slice(0, 40));
    expect(await readMetrics(file)).toEqual(course);
    const log = await openMetricsLog(folder, { step: 6, validations: 3 });
    await log.append(step(6));
    expect(await readMetrics(file)).toEqual([...course, step(6)]);
  });

  it('is empty where there is none, and reads no line of another kind', async () => {
    expect(await readMetrics(file)).toEqual([]);
    await writeFile(file, `${JSON.stringify(step(1))}\n{"type":"step","step":2}\nnull\n\n${JSON.stringify(epoch(1))}\n`);
    expect(await readMetrics(file)).toEqual([step(1), epoch(1)]);
  });
});
