/** Every mitigation method on a problem where its paper says that it helps: a feature that tells the class of nearly every training image, and of no other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mitigationMethods } from '../../../../src/engine/benchmark/mitigation/methods';
import type { MitigationProblem } from '../../../../src/engine/benchmark/mitigation/problem';
import { fit } from '../../../../src/engine/benchmark/mitigation/train';
import { embedSet, groupAccuracy, scoreRows, type Embedded, type GroupAccuracy } from '../../../../src/engine/benchmark/score';
import type { Table } from '../../../../src/engine/dataset/table';
import { regionKind } from '../../../../src/engine/training/batchMasks';
import { checkConfig } from '../../../../src/shared/configFile';
import { shortcutClasses, writeShortcutClip, writeShortcutImages, type ShortcutImage } from '../../../fixtures/shortcutClip';

const folder = await mkdtemp(join(tmpdir(), 'ravl-mitigation-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const { signal } = new AbortController();
const silent = () => undefined;
// lambda: what tells the methods apart weighs as much as the contrastive loss, so that a few steps show it.
const config = checkConfig({
  checkpoint: '.', data: { validation: 'validation.csv' }, prompts: ['a photo of a {}'], regions: { kind: 'grid', rows: 1, cols: 2 }, embedding: { mode: 'crop' },
  training: { batch: 32, epochs: 12, learningRate: 0.01, schedule: 'constant', earlyStopping: null, weightDecay: 0 }, mitigation: { lambda: 0.5 }, device: 'cpu', seed: 1,
}).config!;

const items = (label: 0 | 1, red: boolean, count: number): ShortcutImage[] => Array.from({ length: count }, () => ({ label, red }));
/** Red comes with "sea" in 95 of 100 images. */
const training = [...items(0, false, 95), ...items(0, true, 5), ...items(1, true, 95), ...items(1, false, 5)];
const evaluation = [...items(0, false, 50), ...items(0, true, 50), ...items(1, true, 50), ...items(1, false, 50)];
const columns = (images: readonly ShortcutImage[]) => ({ labels: Int32Array.from(images, ({ label }) => label), present: Uint8Array.from(images, ({ red }) => (red ? 1 : 0)) });
const tableOf = (files: readonly string[]): Table => ({ source: folder, format: 'csv', columnNames: [], rowNumbers: Int32Array.from(files, (_, i) => i + 1), images: files, files });

let problem: MitigationProblem;
let evaluationTable: Table;

beforeAll(async () => {
  const start = join(folder, 'start');
  await writeShortcutClip(start);
  const files = await writeShortcutImages(join(folder, 'train'), training, 1);
  evaluationTable = tableOf(await writeShortcutImages(join(folder, 'evaluation'), evaluation, 2));
  const { labels, present } = columns(training);
  const set = { files, captions: Array.from(labels, (label) => `a photo of a ${shortcutClasses[label]!}`), labels, classes: shortcutClasses };
  const misled = await fit({ start, out: join(folder, 'misled'), data: set, config }, silent, signal);
  const embedded = await embedSet(misled, tableOf(files), shortcutClasses, config, folder, silent, signal);
  problem = {
    start, misled, training: set, config, present, regions: regionsOf(embedded, present), embeddings: embedded.images, classRows: embedded.classRows, dim: embedded.dim,
  };
});

/** The right half is spurious where it is red. */
function regionsOf({ boxes, regionImage, embedding }: Embedded, present: Uint8Array): MitigationProblem['regions'] {
  const all = Array.from(regionImage, (_, region) => Array.from(boxes.subarray(4 * region, 4 * region + 4)) as [number, number, number, number]);
  const kinds = Uint8Array.from(all, ([x], region) => (x > 0 && present[regionImage[region]!] === 1 ? regionKind.spurious : regionKind.regular));
  return { regions: 2, kinds, boxes: Array.from(present, (_, image) => all.slice(2 * image, 2 * image + 2)), embedding };
}

async function accuracyOf(id: string): Promise<GroupAccuracy> {
  const method = mitigationMethods.find((each) => each.id === id)!;
  const { checkpoint, classRows } = await method.mitigate(problem, join(folder, id), silent, signal);
  const embedded = await embedSet(checkpoint, evaluationTable, shortcutClasses, config, folder, silent, signal);
  const { predictions } = await scoreRows(embedded.images, embedded.dim, classRows ?? embedded.classRows, 0.07);
  const { labels, present } = columns(evaluation);
  return groupAccuracy(labels, predictions, present);
}

describe('where red nearly tells the class in training, and nothing in the evaluation', () => {
  it('the start knows better, and standard fine-tuning falls for it', async () => {
    expect((await accuracyOf('start')).worstGroup).toBeGreaterThan(0.8);
    expect((await accuracyOf('standard')).worstGroup).toBeLessThan(0.2);
  });

  it.each(mitigationMethods.filter(({ id }) => id !== 'start' && id !== 'standard'))('$name lifts the weakest group', async ({ id }) => {
    expect((await accuracyOf(id)).worstGroup).toBeGreaterThan(0.5);
  });

  it('upsampling does not, where red is not suspected', async () => {
    problem = { ...problem, present: new Uint8Array(training.length) };
    expect((await accuracyOf('upsampled')).worstGroup).toBeLessThan(0.3);
  });
});
