import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepare } from '../../../src/engine/mitigation/prepare';
import { writeVerdict } from '../../../src/engine/run/verdicts';
import { configSchema } from '../../../src/shared/config';
import type { ProgressEvent } from '../../../src/shared/progress';
import { writePlantedTraining } from '../../fixtures/plantedClip';
import { analyzePlanted, plantedConfig, type PlantedRun } from '../../fixtures/plantedRun';

let planted: PlantedRun;
beforeAll(async () => {
  // Nothing is pruned by its influence, so that there is a second finding.
  planted = await analyzePlanted({ discovery: { minInfluence: 0, bothSigns: false } });
  await writePlantedTraining(planted.root, { images: 8, seed: 2 });
});
afterAll(() => rm(planted.root, { recursive: true, force: true }));

async function prepared(findings?: number[]) {
  const notes: string[] = [];
  const config = configSchema.parse({ ...plantedConfig, data: { ...plantedConfig.data, train: 'train.csv' }, ...(findings ? { mitigation: { findings } } : {}) });
  const report = (event: ProgressEvent) => void (event.type === 'note' && notes.push(event.text));
  const { findings: chosen, identity } = await prepare({ kind: 'mitigate', config, baseDir: planted.root, root: planted.root, skipUnreadable: false, fresh: false }, report);
  return { ranks: chosen.map(({ rank }) => rank), clusters: chosen.map(({ cluster }) => cluster), fingerprint: identity.fingerprint, notes };
}

it('another verdict pushes another finding away, says so, and makes another run; one that is named stays', async () => {
  const before = await prepared();
  expect(before.ranks).toEqual([1]);
  const second = await prepared([2]);
  await writeVerdict(planted.folder, second.clusters[0]!, { verdict: 'spurious', note: '' });
  const after = await prepared();
  expect(after.clusters).toEqual(second.clusters);
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(after.notes).toContain(`Finding 2 of ${planted.id} is pushed away: judged spurious.`);
  expect(await prepared([2])).toEqual(second);
  await writeVerdict(planted.folder, second.clusters[0]!, { verdict: null, note: 'only a note' });
  expect((await prepared()).fingerprint).toBe(before.fingerprint);
});
