import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { preprocess } from '../../../src/engine/dataset/preprocess';
import { openRegionEncoder, type EncoderImage } from '../../../src/engine/discovery/regionEncoder';
import type { Box } from '../../../src/shared/boxes';
import { RavlError } from '../../../src/shared/errors';
import type { ImageTower } from '../../fixtures/imageTowers';
import { tinyDim, tinySize, writeTinyClip, type TinyClipOptions } from '../../fixtures/tinyClip';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-encoder-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const silent = () => undefined;

async function tinyCheckpoint(options: TinyClipOptions): Promise<Checkpoint> {
  const target = join(folder, JSON.stringify(options).replace(/\W+/g, '-'));
  await writeTinyClip(target, options);
  return openCheckpoint(target, folder);
}

/** Smooth colour blobs, so that places differ; sizes differ from image to image. */
function picture(seed: number, width: number, height: number, boxes: readonly Box[]): EncoderImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    return Math.round(127 + 120 * Math.sin((x * (seed + c + 1)) / 17 + (y * (seed + 2 * c + 1)) / 23));
  });
  return { name: `image ${seed}`, pixels: { data, width, height }, boxes };
}

const images = [
  picture(1, 64, 64, [[0, 0, 32, 32], [32, 32, 32, 32]]),
  picture(2, 64, 64, []),
  picture(3, 80, 64, [[20, 10, 30, 40]]),
  picture(4, 64, 90, [[8, 30, 50, 20], [0, 13, 64, 64], [30.5, 40.25, 9, 11.5]]),
];

const row = (rows: Float32Array, i: number) => rows.subarray(i * tinyDim, (i + 1) * tinyDim);
const distance = (a: Float32Array, b: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));

/** The whole encoder on one preprocessed picture, by plain onnxruntime. */
async function plainEmbedding(checkpoint: Checkpoint, image: EncoderImage, box?: Box): Promise<Float32Array> {
  const session = await InferenceSession.create(checkpoint.layout.vision, { logSeverityLevel: 4 });
  const input = new Float32Array(3 * tinySize ** 2);
  preprocess(image.pixels, checkpoint.preprocessing, input, 0, box);
  const result = await session.run({ pixel_values: new Tensor('float32', input, [1, 3, tinySize, tinySize]) });
  return result.image_embeds!.data as Float32Array;
}

const towers: ImageTower[] = ['resnet', 'clip-resnet', 'vit', 'vit-mean'];

describe.each(towers)('region encoder on a %s', (tower) => {
  it.each(['auto', 'roi-align', 'tokens', 'crop'] as const)('gives whole images the encoder’s own embedding in mode %s', async (mode) => {
    if (mode === 'tokens' && tower.includes('resnet')) return;
    const checkpoint = await tinyCheckpoint({ image: tower });
    const encoder = await openRegionEncoder(checkpoint, { mode, batch: 3 }, 'cpu', silent);
    const embedded = await encoder.embed(images);
    for (const [i, image] of images.entries()) expect(distance(row(embedded.images, i), await plainEmbedding(checkpoint, image))).toBeLessThan(1e-5);
    expect(embedded.regions.length).toBe(6 * tinyDim);
    await encoder.release();
  });

  it('gives a region that is the whole visible image the image’s embedding in roi-align', async () => {
    const checkpoint = await tinyCheckpoint({ image: tower });
    const encoder = await openRegionEncoder(checkpoint, { mode: 'roi-align' }, 'cpu', silent);
    const { images: whole, regions } = await encoder.embed(images);
    // Region 4 is the centre crop of the 64 × 90 picture.
    expect(distance(row(regions, 4), row(whole, 3))).toBeLessThan(1e-5);
    expect(distance(row(regions, 0), row(whole, 0))).toBeGreaterThan(1e-3);
    await encoder.release();
  });

  it('embeds an image the same whatever shares its batch', async () => {
    const checkpoint = await tinyCheckpoint({ image: tower });
    const [small, large] = await Promise.all([2, 5].map((batch) => openRegionEncoder(checkpoint, { mode: 'auto', batch }, 'cpu', silent)));
    const together = await large!.embed(images);
    const alone = await small!.embed([images[3]!]);
    expect(distance(row(together.images, 3), row(alone.images, 0))).toBeLessThan(1e-5);
    for (const r of [0, 1, 2]) expect(distance(row(together.regions, 3 + r), row(alone.regions, r))).toBeLessThan(1e-5);
  });
});

describe('region encoder', () => {
  it('crops and encodes in mode crop', async () => {
    const checkpoint = await tinyCheckpoint({ image: 'vit' });
    const encoder = await openRegionEncoder(checkpoint, { mode: 'crop' }, 'cpu', silent);
    const { regions } = await encoder.embed(images);
    expect(distance(row(regions, 2), await plainEmbedding(checkpoint, images[2]!, [20, 10, 30, 40]))).toBeLessThan(1e-5);
    expect(encoder.device()).toMatchObject({ used: 'cpu' });
  });

  it('sees only the region: pixels far outside it do not move a ViT’s roi-align embedding', async () => {
    const checkpoint = await tinyCheckpoint({ image: 'vit' });
    const encoder = await openRegionEncoder(checkpoint, { mode: 'auto' }, 'cpu', silent);
    expect(encoder.mode).toBe('roi-align');
    const box: Box = [0, 0, 16, 16];
    const before = picture(5, 64, 64, [box]);
    const changed = { ...before, pixels: { ...before.pixels, data: before.pixels.data.map((v, i) => (Math.floor(i / 3 / 64) >= 40 ? 255 - v : v)) } };
    const { images: whole, regions } = await encoder.embed([before, changed]);
    expect(distance(row(whole, 0), row(whole, 1))).toBeGreaterThan(1e-3);
    expect(distance(row(regions, 0), row(regions, 1))).toBeLessThan(1e-6);
  });

  it('reads CNNs before their last stage and ViTs at their patches or their last tokens', async () => {
    const cnn = await openRegionEncoder(await tinyCheckpoint({ image: 'resnet' }), { mode: 'auto' }, 'cpu', silent);
    const vit = await openRegionEncoder(await tinyCheckpoint({ image: 'vit' }), { mode: 'tokens' }, 'cpu', silent);
    expect([cnn.mode, vit.mode]).toEqual(['roi-align', 'tokens']);
    expect(cnn.featureMap).not.toBeNull();
    expect(vit.featureMap).not.toBe(cnn.featureMap);
  });

  it('runs float16 checkpoints with external data and a merged graph, close to float32', async () => {
    const full = await openRegionEncoder(await tinyCheckpoint({ image: 'vit' }), { mode: 'auto' }, 'cpu', silent);
    const half = await openRegionEncoder(await tinyCheckpoint({ image: 'vit', dtype: 'float16', layout: 'merged', externalData: true }), { mode: 'auto' }, 'cpu', silent);
    const [a, b] = [await full.embed(images), await half.embed(images)];
    expect(distance(a.regions, b.regions)).toBeLessThan(0.02);
    expect(distance(a.images, b.images)).toBeLessThan(0.02);
    const crop = await openRegionEncoder(await tinyCheckpoint({ image: 'vit', dtype: 'float16', layout: 'merged', externalData: true }), { mode: 'crop' }, 'cpu', silent);
    expect(distance((await crop.embed(images)).images, a.images)).toBeLessThan(0.02);
  });

  it('takes large batches only where they spread the reading of weights that no cache holds', async () => {
    const small = await tinyCheckpoint({ image: 'vit' });
    const { model } = small.image;
    const weights = { name: 'more', dims: [1 << 20], dataType: 1, rawData: new Uint8Array() };
    const proto = { ...model.proto, graph: { ...model.proto.graph, initializer: [...model.proto.graph.initializer, weights] } };
    const large: Checkpoint = { ...small, image: { ...small.image, model: { ...model, proto } } };
    const batch = async (checkpoint: Checkpoint, asked?: number) => (await openRegionEncoder(checkpoint, { mode: 'crop', batch: asked }, 'cpu', silent)).batch;
    expect([await batch(small), await batch(large), await batch(large, 3)]).toEqual([4, 8, 3]);
  });

  it('refuses tokens on a CNN and an unknown feature map in one sentence that names what would do', async () => {
    const cnn = await tinyCheckpoint({ image: 'resnet' });
    const tokens = openRegionEncoder(cnn, { mode: 'tokens' }, 'cpu', silent);
    await expect(tokens).rejects.toThrow(RavlError);
    await expect(tokens).rejects.toThrow(/no feature map that mode 'tokens' can read/);
    await expect(openRegionEncoder(cnn, { mode: 'roi-align', featureMap: 'nonsense' }, 'cpu', silent)).rejects.toMatchObject({
      code: 'discovery-feature-map',
      hint: expect.stringContaining('Use one of') as string,
    });
  });
});
