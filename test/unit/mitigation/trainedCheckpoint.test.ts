/** From the optimizer's weights to a checkpoint on disk, as another program reads it: plain onnxruntime. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { checkpointFiles } from '../../../src/engine/checkpoint/checkpointFiles';
import { decodeImage } from '../../../src/engine/dataset/decodeImage';
import { preprocess } from '../../../src/engine/dataset/preprocess';
import { imageStore } from '../../../src/engine/training/imageStore';
import { openOptimizer, type Optimizer } from '../../../src/engine/training/optimizer';
import { cpuRuntime } from '../../../src/engine/training/stepRuntime';
import { openTrainingModel, type TrainingModel } from '../../../src/engine/training/trainingModel';
import { openValidator } from '../../../src/engine/mitigation/validator';
import { writeFolderAtomically } from '../../../src/engine/run/atomic';
import { writePlantedDataset } from '../../fixtures/plantedClip';
import { tinyDim, tinySize, writeTinyClip, type TinyClipOptions } from '../../fixtures/tinyClip';
import { trainingConfig } from '../../fixtures/fakeTraining';

const base = await mkdtemp(join(tmpdir(), 'ravl-trained-'));
afterAll(() => rm(base, { recursive: true, force: true }));
/** Not a multiple of the validator's batch. */
const images = 19;
let files: string[];
beforeAll(async () => {
  files = (await writePlantedDataset(join(base, 'data'), { images, seed: 3 })).map(({ image }) => join(base, 'data', image));
});

interface Opened {
  readonly folder: string;
  readonly checkpoint: Checkpoint;
  readonly model: TrainingModel;
  readonly optimizer: Optimizer;
}

async function opened(options: TinyClipOptions, trainText = false): Promise<Opened> {
  const folder = await mkdtemp(join(base, 'clip-'));
  await writeTinyClip(folder, options);
  const checkpoint = await openCheckpoint(folder, '/');
  const config = trainingConfig({ learningRate: 0.02, momentum: 0.9, trainText });
  const model = await openTrainingModel(checkpoint, null, config);
  const values = await model.load();
  return { folder, checkpoint, model, optimizer: openOptimizer(config, model.parameters.map((parameter, i) => ({ ...parameter, data: values[i]! }))) };
}

async function written({ checkpoint, model, optimizer }: Opened): Promise<string> {
  const folder = join(await mkdtemp(join(base, 'written-')), 'checkpoint');
  await writeFolderAtomically(folder, await checkpointFiles(checkpoint, model.named(optimizer.weights)));
  return folder;
}

/** Three steps with random gradients: where they come from makes no difference here. */
function trained({ optimizer, model }: Opened): void {
  const random = xoroshiro128plus(5);
  for (let step = 0; step < 3; step++) optimizer.step(model.parameters.map(({ size }) => Float32Array.from({ length: size }, () => 2 * uniformFloat64(random) - 1)), 0.02);
}

const fileOf = ({ layout }: TinyClipOptions, encoder: 'vision' | 'text') => join('onnx', layout === 'merged' ? 'model.onnx' : `${encoder}_model.onnx`);

/** Image embeddings [images, dim] of a checkpoint's file, one image at a time. */
async function plain(folder: string, options: TinyClipOptions, { preprocessing }: Checkpoint): Promise<Float32Array> {
  const session = await InferenceSession.create(join(folder, fileOf(options, 'vision')));
  const all = new Float32Array(images * tinyDim);
  for (const [i, file] of files.entries()) {
    const pixels = new Float32Array(3 * tinySize ** 2);
    preprocess(await decodeImage(file), preprocessing, pixels, 0);
    const half = options.dtype === 'float16';
    const input = half ? new Tensor('float16', floatsToHalves(pixels), [1, 3, tinySize, tinySize]) : new Tensor('float32', pixels, [1, 3, tinySize, tinySize]);
    const texts: Record<string, Tensor> = session.inputNames.includes('input_ids') ? { input_ids: ones(), attention_mask: ones() } : {};
    const { data } = (await session.run({ pixel_values: input, ...texts }, ['image_embeds']))['image_embeds']!;
    const row = half ? Float32Array.from(data as Uint16Array, halfToFloat) : (data as Float32Array);
    const norm = Math.hypot(...row);
    all.set(row.map((value) => value / norm), i * tinyDim);
  }
  await session.release();
  return all;
}
const ones = () => new Tensor('int64', BigInt64Array.of(1n), [1, 1]);

/** Embeddings as training measures them. */
async function asTrained({ model, optimizer }: Opened): Promise<Float32Array> {
  const weights = model.parameters.map(({ name, dims }, i) => ({ name, dims, data: optimizer.weights[i]! }));
  const labels = new Int32Array(images);
  const validator = await openValidator({ image: model.image, weights, store: imageStore(files), labels, classes: ['x'], features: [], minSupport: 1, temperature: 0.07, classRows: () => Promise.reject(new Error('not asked for')) }, cpuRuntime);
  const rows = (await validator.embed()).slice();
  await validator.release();
  return rows;
}

const furthest = (a: Float32Array, b: Float32Array) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const layouts: TinyClipOptions[] = [{ image: 'resnet' }, { image: 'vit', layout: 'merged' }, { image: 'vit', externalData: true }, { image: 'clip-resnet' }];

describe('a checkpoint written by training', () => {
  it.each([...layouts, { image: 'vit', dtype: 'float16' } as const])('after no step gives the same embeddings to the bit, and is the same file: %o', async (options) => {
    for (const trainText of [false, true]) {
      const given = await opened(options, trainText);
      const folder = await written(given);
      expect(await plain(folder, options, given.checkpoint)).toEqual(await plain(given.folder, options, given.checkpoint));
      for (const encoder of ['vision', 'text'] as const) expect(await readFile(join(folder, fileOf(options, encoder)))).toEqual(await readFile(join(given.folder, fileOf(options, encoder))));
    }
  });

  it.each(layouts)('after some steps gives the embeddings that training measured: %o', async (options) => {
    const given = await opened(options);
    const before = await asTrained(given);
    trained(given);
    const measured = await asTrained(given);
    const found = await plain(await written(given), options, given.checkpoint);
    expect(furthest(found, measured)).toBeLessThan(1e-5);
    expect(furthest(measured, before)).toBeGreaterThan(0.05);
  });

  it('in half precision differs from what training measured by its rounding only', async () => {
    const options = { image: 'vit', dtype: 'float16' } as const;
    const given = await opened(options);
    trained(given);
    const found = await plain(await written(given), options, given.checkpoint);
    expect(furthest(found, await asTrained(given))).toBeLessThan(0.01);
  });
});

/** Half precision by the definition of IEEE 754, for numbers of moderate size: 10 bits of fraction, exponents from -14. */
function floatsToHalves(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    if (value === 0) return 0;
    const size = Math.abs(value);
    const exponent = Math.max(-14, Math.floor(Math.log2(size)));
    const steps = Math.round((size / 2 ** exponent) * 1024);
    return (value < 0 ? 0x8000 : 0) + (exponent + 14) * 1024 + steps;
  });
}

function halfToFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return (bits & 0x8000 ? -1 : 1) * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
