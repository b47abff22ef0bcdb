import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crossEntropy, evaluateCheckpoint, type EvaluationRequest } from '../../../src/engine/evaluation/evaluate';
import { configSchema } from '../../../src/shared/config';
import type { ProgressEvent } from '../../../src/shared/progress';
import { plantedClasses, writePlantedClip, writePlantedDataset, type PlantedImage } from '../../fixtures/plantedClip';

const base = await mkdtemp(join(tmpdir(), 'ravl-evaluate-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const config = configSchema.parse({ checkpoint: 'elsewhere', data: { validation: 'validation.csv' }, device: 'cpu' });
const request: EvaluationRequest = { checkpoint: 'clip', config, baseDir: base };
const never = new AbortController().signal;
const quiet = () => undefined;
let images: PlantedImage[];

beforeAll(async () => {
  await writePlantedClip(join(base, 'clip'));
  images = await writePlantedDataset(base, { images: 62, seed: 4 });
});

/** Where each class points in the planted embedding space (see plantedClip.ts). */
const axis = { one: 0, two: 1, three: 2, nine: 3 } as const;

/** Similarities to the classes by onnxruntime alone: pictures of the encoder's own size, (rgb - .5) / .5, no resize. */
async function plainSimilarities(): Promise<number[][]> {
  const session = await InferenceSession.create(join(base, 'clip', 'onnx', 'vision_model.onnx'));
  const rows: number[][] = [];
  for (const { image } of images) {
    const pixels = await sharp(join(base, image)).raw().toBuffer();
    const input = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => (pixels[(i % 4096) * 3 + Math.floor(i / 4096)]! / 255 - 0.5) / 0.5);
    const row = (await session.run({ pixel_values: new Tensor('float32', input, [1, 3, 64, 64]) })).image_embeds!.data as Float32Array;
    // A prompt is the class's axis and a twentieth of an axis that no image has.
    rows.push(plantedClasses.map((label) => row[axis[label]]! / Math.hypot(1, 0.05)));
  }
  await session.release();
  return rows;
}

describe('evaluateCheckpoint', () => {
  it('predicts and scores as plain onnxruntime does', async () => {
    const similarities = await plainSimilarities();
    const result = await evaluateCheckpoint(request, quiet, never);
    const predicted = similarities.map((row) => row.indexOf(Math.max(...row)));
    expect(result.classes).toEqual(plantedClasses);
    expect(result.images).toEqual(images.map(({ image }) => image));
    expect(Array.from(result.predictions)).toEqual(predicted);
    const truth = images.map(({ label }) => plantedClasses.indexOf(label));
    expect(result.overall).toBeCloseTo(predicted.filter((y, i) => y === truth[i]).length / 62, 12);
    const losses = similarities.map((row, i) => -Math.log(Math.exp(row[truth[i]!]! / 0.07) / row.reduce((sum, s) => sum + Math.exp(s / 0.07), 0)));
    expect(result.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 62, 4);
    expect(result).toMatchObject({ groups: [], features: [], worstGroup: null, device: { used: 'cpu' } });
    expect(result.perClass.map(({ label, n }) => [label, n])).toEqual(plantedClasses.map((label) => [label, images.filter((image) => image.label === label).length]));
    expect(result.worstClass.accuracy).toBe(Math.min(...result.perClass.map(({ accuracy }) => accuracy)));
  });

  it('divides the classes by features, and finds the weakest group', async () => {
    const red = new Set(images.filter((image) => image.red >= 0).map(({ image }) => image));
    const feature = { rank: 2, cluster: 9, name: ['red'], attribute: 'nine', present: red };
    const { groups, worstGroup, predictions, features } = await evaluateCheckpoint({ ...request, grouping: { run: 'r', features: [feature] } }, quiet, never);
    const of = (label: string, has: boolean) => images.flatMap((image, i) => (image.label === label && red.has(image.image) === has ? [plantedClasses[predictions[i]!] === label] : []));
    for (const { label, rank, feature: side, n, accuracy } of groups) {
      const right = of(label, side === 'present');
      expect([rank, n, accuracy]).toEqual([2, right.length, right.filter(Boolean).length / right.length]);
    }
    expect(groups).toHaveLength(plantedClasses.flatMap((label) => [true, false].filter((has) => of(label, has).length >= 5)).length);
    // Red is all it takes to be a nine, and nothing else with red is right.
    expect(groups.find(({ label, feature: side }) => label === 'nine' && side === 'present')!.accuracy).toBe(1);
    expect(worstGroup!.accuracy).toBe(Math.min(...groups.map(({ accuracy }) => accuracy)));
    expect(features).toEqual([{ rank: 2, cluster: 9, name: ['red'], attribute: 'nine' }]);
  });

  it('refuses the groups of a run that saw other images', async () => {
    const feature = { rank: 1, cluster: 0, name: [], attribute: null, present: new Set(['other.png']) };
    await expect(evaluateCheckpoint({ ...request, grouping: { run: 'run-7', features: [feature] } }, quiet, never)).rejects.toMatchObject({ code: 'mitigation-other-data', message: expect.stringContaining('run-7') as string });
    expect((await evaluateCheckpoint({ ...request, grouping: { run: 'run-7', features: [] } }, quiet, never)).worstGroup).toBeNull();
  });

  it('stops at a picture that cannot be read, or leaves it out and says so', async () => {
    const [first, second] = images as [PlantedImage, PlantedImage];
    await writeFile(join(base, 'broken.png'), 'no picture');
    await writeFile(join(base, 'some.csv'), `image,label\n${first.image},${first.label}\nbroken.png,one\ngone.png,one\n${second.image},${second.label}\n`);
    const some = { ...request, config: { ...config, data: { ...config.data, validation: 'some.csv' }, classes: [...plantedClasses] } };
    await expect(evaluateCheckpoint(some, quiet, never)).rejects.toMatchObject({ code: 'dataset-image-missing' });
    const notes: string[] = [];
    const result = await evaluateCheckpoint({ ...some, skipUnreadable: true }, (event: ProgressEvent) => void (event.type === 'note' && notes.push(event.text)), never);
    expect(result.images).toEqual([first.image, second.image]);
    expect(notes.join(' ')).toMatch(/gone\.png.*Skipped: .*broken\.png/);
    await writeFile(join(base, 'last.csv'), `image,label\n${first.image},${first.label}\nbroken.png,one\n`);
    await expect(evaluateCheckpoint({ ...some, config: { ...some.config, data: { ...config.data, validation: 'last.csv' } } }, quiet, never)).rejects.toMatchObject({ code: 'dataset-image-unreadable' });
    await writeFile(join(base, 'none.csv'), 'image,label\nbroken.png,one\n');
    await expect(evaluateCheckpoint({ ...some, config: { ...some.config, data: { ...config.data, validation: 'none.csv' } }, skipUnreadable: true }, quiet, never)).rejects.toMatchObject({ code: 'dataset-nothing-left' });
  });

  it('stops when it is told to, and counts every image', async () => {
    const controller = new AbortController();
    const done: number[] = [];
    const stopping = evaluateCheckpoint(request, (event) => {
      if (event.type === 'progress' && event.phase === 'embed') controller.abort();
    }, controller.signal);
    await expect(stopping).rejects.toMatchObject({ name: 'AbortError' });
    await evaluateCheckpoint(request, (event) => void (event.type === 'progress' && event.phase === 'embed' && done.push(event.done)), never);
    expect(done.at(-1)).toBe(62);
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
  });
});

describe('crossEntropy', () => {
  it('is finite where the score of the label underflows', () => {
    expect(crossEntropy(Float32Array.of(1, -1), Int32Array.of(1), 2, 0.001)).toBeCloseTo(2000, 6);
    expect(crossEntropy(Float32Array.of(0.5, 0.5, 0.5, 0.5), Int32Array.of(0, 1), 2, 0.07)).toBeCloseTo(Math.LN2, 12);
  });
});
