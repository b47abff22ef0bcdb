import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareRun } from '../../../src/engine/mitigation/compareRun';
import { prepare, type FineTuneRequest } from '../../../src/engine/mitigation/prepare';
import { openRun } from '../../../src/engine/run/runFolder';
import { comparisonSchema } from '../../../src/shared/comparison';
import { configSchema } from '../../../src/shared/config';
import { writeMendedClip } from '../../fixtures/mendedClip';
import { writePlantedClip, writePlantedDataset, writePlantedTraining } from '../../fixtures/plantedClip';

const base = await mkdtemp(join(tmpdir(), 'ravl-compare-'));
afterAll(() => rm(base, { recursive: true, force: true }));
beforeAll(async () => {
  await writePlantedClip(join(base, 'clip'));
  await writeMendedClip(join(base, 'mended'));
  await writePlantedDataset(base, { images: 40, seed: 1 });
  await writePlantedTraining(base, { images: 4, seed: 2 });
});

const quiet = () => undefined;
const never = new AbortController().signal;
const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'validation.csv', train: 'train.csv' }, device: 'cpu' });
const request: FineTuneRequest = { kind: 'finetune', config, baseDir: base, root: base, skipUnreadable: false, fresh: false };
const trained = { epochs: 3, steps: 9, best: { epoch: 2, step: 6 }, ended: 'all 9 steps were made' };

async function input() {
  const prepared = await prepare(request, quiet);
  const run = await openRun({ root: join(base, '.ravl', 'runs'), fingerprint: '123456', describe: { kind: 'finetune', versions: {}, seed: 0, config, inputs: {} }, fresh: true }, quiet);
  return { request, prepared, run, checkpoint: join(base, 'mended'), trained, lines: [] };
}

describe('the comparison at the end of a run', () => {
  it('is of the checkpoints as they lie on disk', async () => {
    const given = await input();
    const { comparison, reportFile } = await compareRun(given, quiet, never);
    expect(comparison.images).toBe(40);
    expect(comparison.overall.before).toBeLessThan(0.8);
    expect(comparison.overall.after).toBeGreaterThan(0.85);
    expect(comparisonSchema.parse(JSON.parse(await readFile(join(given.run.folder, 'comparison.json'), 'utf8')))).toEqual(comparison);
    expect(reportFile).toBe(join(given.run.folder, 'report.html'));
    expect(await readFile(reportFile, 'utf8')).toContain('9 in 3 epochs; all 9 steps were made; kept is epoch 2');
    await given.run.close({ state: 'complete' });
  });

  it('is refused where the validation data is another by then', async () => {
    const given = await input();
    const table = await readFile(join(base, 'validation.csv'), 'utf8');
    for (const other of [table.replace(/,nine,/, ',one,'), table.split('\n').slice(0, -2).join('\n')]) {
      await writeFile(join(base, 'validation.csv'), other);
      await expect(compareRun(given, quiet, never)).rejects.toMatchObject({ code: 'dataset-changed-meanwhile', message: expect.stringContaining('validation.csv') as string });
    }
    await writeFile(join(base, 'validation.csv'), table);
    await given.run.close({ state: 'failed', error: new Error('x') });
  });
});
