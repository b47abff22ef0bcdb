import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plantedClasses, writePlantedClip, writePlantedDataset, type PlantedImage } from '../../fixtures/plantedClip';
import { tinyDim, tinySize, tinyWords, writeTinyClip, type TinyClipOptions } from '../../fixtures/tinyClip';

/** Plain onnxruntime and plain arithmetic: the fixtures must be right by themselves, without the engine they test. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-fixtures-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const quiet: ort.InferenceSession.SessionOptions = { logSeverityLevel: 4 };
const norms = (data: Float32Array, dim: number) =>
  Array.from({ length: data.length / dim }, (_, i) => Math.hypot(...data.subarray(i * dim, (i + 1) * dim)));

describe('writeTinyClip', () => {
  const cases: TinyClipOptions[] = [
    { image: 'resnet' },
    { image: 'clip-resnet' },
    { image: 'vit' },
    { image: 'vit-mean' },
    { image: 'vit', layout: 'merged', externalData: true },
    { image: 'resnet', layout: 'merged', dtype: 'float16' },
  ];
  it.each(cases)('%o runs on onnxruntime and tells inputs apart', async (options) => {
    const target = join(folder, JSON.stringify(options).replace(/\W+/g, '-'));
    await writeTinyClip(target, options);
    const half = options.dtype === 'float16';
    const count = 2 * 3 * tinySize ** 2;
    const pixels = half
      ? new ort.Tensor('float16', Uint16Array.from({ length: count }, (_, i) => (i < count / 2 ? 0x3c00 : 0x3800 + ((i * 37) % 512))), [2, 3, tinySize, tinySize])
      : new ort.Tensor('float32', Float32Array.from({ length: count }, (_, i) => (i < count / 2 ? 1 : Math.sin(i))), [2, 3, tinySize, tinySize]);
    const start = tinyWords.length + 2;
    const ids = new ort.Tensor('int64', BigInt64Array.from([start, 2, 5, start + 1, start, 9, start + 1, 0], BigInt), [2, 4]);
    const mask = new ort.Tensor('int64', BigInt64Array.from([1n, 1n, 1n, 1n, 1n, 1n, 1n, 0n]), [2, 4]);

    const feeds: Record<string, ort.Tensor> = { pixel_values: pixels, input_ids: ids, attention_mask: mask };
    const results: Record<string, ort.Tensor> = {};
    for (const name of options.layout === 'merged' ? ['model'] : ['vision_model', 'text_model']) {
      const session = await ort.InferenceSession.create(join(target, 'onnx', `${name}.onnx`), quiet);
      Object.assign(results, await session.run(Object.fromEntries(session.inputNames.map((n) => [n, feeds[n]!]))));
      await session.release();
    }
    for (const name of ['image_embeds', 'text_embeds']) {
      const tensor = results[name]!;
      expect(tensor.dims).toEqual([2, tinyDim]);
      if (half) continue;
      const data = tensor.data as Float32Array;
      for (const norm of norms(data, tinyDim)) expect(norm).toBeCloseTo(1, 5);
      const cosine = data.subarray(0, tinyDim).reduce((sum, v, i) => sum + v * data[tinyDim + i]!, 0);
      expect(cosine).toBeLessThan(0.99);
    }
  });
});

describe('the planted checkpoint', () => {
  let images: PlantedImage[];
  let right: boolean[];
  beforeAll(async () => {
    await writePlantedClip(join(folder, 'planted'));
    images = await writePlantedDataset(join(folder, 'data'), { images: 200, seed: 3 });
    const session = await ort.InferenceSession.create(join(folder, 'planted/onnx/vision_model.onnx'), quiet);
    const pixels = new Float32Array(200 * 3 * 4096);
    for (const [i, { image }] of images.entries()) {
      const raw = await sharp(join(folder, 'data', image)).raw().toBuffer();
      for (let p = 0; p < 4096; p++) for (let c = 0; c < 3; c++) pixels[(i * 3 + c) * 4096 + p] = raw[p * 3 + c]! / 127.5 - 1;
    }
    const { image_embeds } = await session.run({ pixel_values: new ort.Tensor('float32', pixels, [200, 3, 64, 64]) });
    // The class embeddings by definition: axis 0 one, 1 two, 2 three, 3 nine.
    const axis = { one: 0, two: 1, three: 2, nine: 3 };
    right = images.map(({ label }, i) => {
      const row = (image_embeds!.data as Float32Array).subarray(i * 8, i * 8 + 8);
      return plantedClasses.every((other) => other === label || row[axis[label]]! > row[axis[other]]!);
    });
  });
  const accuracy = (keep: (image: PlantedImage) => boolean) => {
    const kept = right.filter((_, i) => keep(images[i]!));
    return kept.filter(Boolean).length / kept.length;
  };

  it('has learned the shortcut: red makes "nine" right and everything else wrong', () => {
    expect(accuracy((i) => i.label === 'nine' && i.red >= 0)).toBeGreaterThan(0.95);
    expect(accuracy((i) => i.label === 'nine' && i.red < 0)).toBeLessThan(0.5);
    expect(accuracy((i) => i.label === 'nine' && i.red < 0)).toBeGreaterThan(0.02);
    for (const label of ['one', 'two', 'three']) {
      expect(accuracy((i) => i.label === label && i.red < 0)).toBeGreaterThan(0.95);
      expect(accuracy((i) => i.label === label && i.red >= 0)).toBeLessThan(0.5);
    }
  });
  it('sees data without the correlation', () => {
    for (const label of plantedClasses) {
      const red = images.filter((i) => i.label === label && i.red >= 0).length;
      expect(red / 50).toBeGreaterThan(0.3);
      expect(red / 50).toBeLessThan(0.7);
    }
  });
});
