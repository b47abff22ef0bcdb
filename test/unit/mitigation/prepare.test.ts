import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare, type FineTuneKind, type Prepared } from '../../../src/engine/mitigation/prepare';
import { configSchema, type ConfigInput } from '../../../src/shared/config';
import type { ProgressEvent } from '../../../src/shared/progress';
import { writePlantedClip, writePlantedDataset, writePlantedTraining } from '../../fixtures/plantedClip';

const base = await mkdtemp(join(tmpdir(), 'ravl-prepare-'));
afterAll(() => rm(base, { recursive: true, force: true }));
beforeAll(async () => {
  await writePlantedClip(join(base, 'clip'));
  await writePlantedDataset(base, { images: 8, seed: 1 });
  await writePlantedTraining(base, { images: 6, seed: 2 });
});

/** train.csv anew, with these captions for its first images. */
async function captions(...texts: string[]): Promise<void> {
  await writeFile(join(base, 'train.csv'), ['image,caption', ...texts.map((text, i) => `train/000${i}.png,${text}`), ''].join('\n'));
}

let notes: string[];
async function prepared(kind: FineTuneKind, more: Partial<ConfigInput> = {}): Promise<Prepared> {
  notes = [];
  const report = (event: ProgressEvent) => void (event.type === 'note' && notes.push(`${event.level}: ${event.text}`));
  const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'validation.csv', train: 'train.csv' }, ...more });
  return prepare({ kind, config, baseDir: base, root: base, skipUnreadable: false, fresh: false }, report);
}

describe('the captions of the training images', () => {
  it('are counted by the classes they name, and what names none or several is said', async () => {
    await captions('a photo of the nine', 'one and two', 'a red image', 'THREE.', 'no class');
    const { training } = await prepared('finetune');
    // Classes in order of their names: nine, one, three, two.
    expect([...training.labels]).toEqual([0, -2, -1, 2, -1]);
    expect(notes).toContain('warning: Of 5 captions 2 name one class; 2 name none, 1 names several: those images take part in the contrastive loss only.');
  });

  it('are no cause for concern where most name one class', async () => {
    await captions('nine', 'one', 'two', 'red');
    await prepared('finetune');
    expect(notes).toContain('info: Of 4 captions 3 name one class; 1 names none: those images take part in the contrastive loss only.');
    await captions('nine', 'one');
    await prepared('finetune');
    expect(notes).toContain('info: Of 2 captions 2 name one class.');
  });

  it('have to name a class for the region terms, but not for plain fine-tuning', async () => {
    await captions('red', 'green');
    await writeFile(join(base, 'regions.csv'), 'image,boxes\ntrain/0000.png,"[[0,0,32,32]]"\n');
    await expect(prepared('mitigate', { mitigation: { regions: 'regions.csv' } })).rejects.toMatchObject({ code: 'dataset-captions-no-class', message: expect.stringContaining('(nine, one, three, two)') as string });
    await expect(prepared('finetune')).resolves.toMatchObject({ discovery: null, findings: [], byHand: null });
  });
});

describe('what a run depends on', () => {
  const fingerprintOf = async (kind: FineTuneKind, more: Partial<ConfigInput> = {}) => (await prepared(kind, more)).identity;

  it('is its kind, the settings, the captions and the regions listed by hand', async () => {
    await captions('nine', 'one');
    await writeFile(join(base, 'regions.csv'), 'image,boxes\ntrain/0000.png,"[[0,0,32,32]]"\n');
    const byHand = { mitigation: { regions: 'regions.csv' } };
    const first = await fingerprintOf('mitigate', byHand);
    expect(Object.keys(first.inputs)).toEqual(expect.arrayContaining(['vision_model.onnx', 'validation.csv', 'images', 'training: train.csv', 'regions: regions.csv', 'training images']));
    expect(await fingerprintOf('mitigate', byHand)).toEqual(first);

    const others = [await fingerprintOf('finetune', byHand), await fingerprintOf('mitigate', { ...byHand, training: { learningRate: 1e-3 } })];
    await captions('nine', 'two');
    others.push(await fingerprintOf('mitigate', byHand));
    await captions('nine', 'one');
    await writeFile(join(base, 'regions.csv'), 'image,boxes\ntrain/0000.png,"[[0,0,32,33]]"\n');
    others.push(await fingerprintOf('mitigate', byHand));
    const all = [first, ...others].map(({ fingerprint }) => fingerprint);
    expect(new Set(all).size).toBe(5);
  });
});
