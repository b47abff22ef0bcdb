import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { chooseFeatureMap } from '../../../src/engine/discovery/encoderGraphs';
import { openRegionEncoder, type EncoderImage } from '../../../src/engine/discovery/regionEncoder';
import { batchMasks, regionKind } from '../../../src/engine/mitigation/batchMasks';
import { imageFeeds } from '../../../src/engine/mitigation/imageFeeds';
import { lossInputs } from '../../../src/engine/mitigation/loss';
import { cpuRuntime } from '../../../src/engine/mitigation/stepRuntime';
import { imageTower } from '../../../src/engine/mitigation/tower';
import { forwardGraph, stepOutputs } from '../../../src/engine/mitigation/trainingGraphs';
import { openTrainingStep, type StepBatch, type StepResult, type StepSpec, type Weight } from '../../../src/engine/mitigation/trainingStep';
import { encodeModel } from '../../../src/engine/onnx/model';
import { loadTensor } from '../../../src/engine/onnx/externalData';
import type { Model } from '../../../src/engine/onnx/readModel';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import type { Box } from '../../../src/shared/boxes';
import type { ImageTower } from '../../fixtures/imageTowers';
import { unitRows } from '../../fixtures/unitRows';
import { tinyContext, tinyDim, tinySize, writeTinyClip } from '../../fixtures/tinyClip';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-step-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const dim = tinyDim;
const classNames = ['cat', 'dog', 'bird'];
const boxes: Box[] = [[0, 0, 32, 32], [30, 20, 30, 40], [8, 40, 50, 20]];

/** Smooth colour blobs, so that places differ; the second image has fewer regions than the others. */
const images: EncoderImage[] = [1, 2, 3, 4, 5].map((seed) => ({
  name: `image ${seed}`,
  pixels: {
    width: tinySize, height: tinySize,
    data: Uint8Array.from({ length: 3 * tinySize ** 2 }, (_, i) => {
      const [x, y, c] = [Math.floor(i / 3) % tinySize, Math.floor(i / 3 / tinySize), i % 3];
      return Math.round(127 + 120 * Math.sin((x * (seed + c + 1)) / 17 + (y * (seed + 2 * c + 1)) / 23));
    }),
  },
  boxes: seed === 2 ? boxes.slice(0, 1) : boxes,
}));
const labels = Int32Array.of(0, 1, -1, 2, 1);
const { none, regular, spurious } = regionKind;
const kinds = Uint8Array.of(regular, spurious, regular, regular, none, none, regular, spurious, regular, spurious, regular, regular, regular, regular, spurious);

type Mode = 'roi-align' | 'tokens' | 'crop';

async function open(tower: ImageTower): Promise<Checkpoint> {
  const target = join(folder, tower);
  await writeTinyClip(target, { image: tower });
  return openCheckpoint(target, folder);
}

/** All weights of an encoder of more than one value, as a trainer would hold them. */
async function weightsOf(model: Model): Promise<Weight[]> {
  const weights = model.proto.graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 0);
  return Promise.all(weights.map(async (tensor) => ({ name: tensor.name, dims: tensor.dims.map(Number), data: ((await loadTensor(model, tensor)).data as Float32Array).slice() })));
}

async function spec(checkpoint: Checkpoint, mode: Mode, regions: number): Promise<StepSpec> {
  const { image, preprocessing } = checkpoint;
  const { model } = image;
  const split = regions > 0 ? chooseFeatureMap(await staticGraph(model, { [image.input]: [1, 3, tinySize, tinySize] }), image, { mode }) : null;
  const weights = await weightsOf(model);
  return {
    image: { proto: model.proto, folder: model.folder, output: image.output, dim, trainable: weights.map(({ name }) => name), input: { name: image.input, height: tinySize, width: tinySize }, preprocessing, split },
    shape: { batch: images.length, regions, classes: classNames.length, dim },
    loss: { lambda: 0.8, temperature: 0.07, logitScale: checkpoint.logitScale! },
    weights,
  };
}

const batch: StepBatch = {
  images,
  inputs: {
    ...batchMasks({ labels, kinds, regions: 3, classes: 3 }, 'distinct', 'mean'),
    [lossInputs.captions]: unitRows(images.length, dim, 1, 3, 5),
    [lossInputs.classes]: unitRows(classNames.length, dim, 1, 3, 6),
  },
};

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
function expectSameGradients(found: StepResult, expected: StepResult, tolerance: number): void {
  expect(found.loss).toBeCloseTo(expected.loss, 5);
  expected.gradients.forEach((gradient, w) => {
    const apart = norm(gradient.map((value, i) => value - found.gradients[w]![i]!));
    expect(apart, `weight ${w}`).toBeLessThan(tolerance * Math.max(norm(gradient), 1e-3));
  });
}

const towers: [ImageTower, Mode][] = [['resnet', 'roi-align'], ['clip-resnet', 'roi-align'], ['vit', 'roi-align'], ['vit-mean', 'tokens'], ['resnet', 'crop']];

describe.each(towers)('a step of a %s with regions by %s', (tower, mode) => {
  let checkpoint: Checkpoint;
  let whole: StepSpec;
  beforeAll(async () => {
    checkpoint = await open(tower);
    whole = await spec(checkpoint, mode, 3);
  });

  it('embeds images and regions as discovery does', async () => {
    const encoder = await openRegionEncoder(checkpoint, { mode }, 'cpu', () => undefined);
    const expected = await encoder.embed(images);
    await encoder.release();
    const graph = await imageTower(whole.image, { input: { name: 'pixel_values', dims: [3, tinySize, tinySize] }, images: 5, regions: 3, map: whole.image.split?.map ?? null });
    const session = await openSession(encodeModel(forwardGraph(graph)), { externalFolder: graph.folder });
    const weights = Object.fromEntries(whole.weights.map(({ name, dims, data }) => [name, new Tensor('float32', data, dims)]));
    const found = (await session.run({ ...weights, ...imageFeeds({ ...whole.image, images: 5, regions: 3 })(images) }))[stepOutputs.embeddings]!.data as Float32Array;
    await session.release();
    const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
    expect(apart(found.subarray(0, 5 * dim), expected.images)).toBeLessThan(1e-5);
    let next = 0;
    images.forEach(({ boxes: own }, i) => own.forEach((_, r) => {
      const row = (5 + 3 * i + r) * dim;
      expect(apart(found.subarray(row, row + dim), expected.regions.subarray(next, (next += dim)))).toBeLessThan(1e-5);
    }));
  });

  it('has the gradient that central differences see', async () => {
    const step = await openTrainingStep(whole, 5, cpuRuntime);
    const { gradients } = await step.run(batch);
    // Along the gradient the loss changes by its norm; float32 losses allow steps of about 1e-3.
    const copies = gradients.map((gradient) => gradient.slice());
    const size = norm(copies.flatMap((gradient) => [...gradient]));
    const h = 1e-3;
    const at = async (move: number) => {
      whole.weights.forEach(({ data }, w) => data.forEach((value, i) => (data[i] = value + (move * copies[w]![i]!) / size)));
      return (await step.run(batch)).loss;
    };
    const [up, down] = [await at(h), await at(-2 * h)];
    await at(h);
    await step.release();
    expect(Math.abs((up - down) / (2 * h) / size - 1)).toBeLessThan(0.01);
  });

  it('is the same in micro-batches of any size', async () => {
    const one = await openTrainingStep(whole, 5, cpuRuntime);
    const expected = await one.run(batch);
    for (const size of [1, 2, 3]) {
      const step = await openTrainingStep(whole, size, cpuRuntime);
      expect(step.microBatch).toBe(size);
      // Twice: nothing may be left over from the step before.
      await step.run(batch);
      expectSameGradients(await step.run(batch), expected, 1e-4);
      await step.release();
    }
    await one.release();
  });
});

it('trains without regions on the contrastive loss alone', async () => {
  const plain = await spec(await open('resnet'), 'crop', 0);
  const [step, parts] = [await openTrainingStep(plain, 5, cpuRuntime), await openTrainingStep(plain, 2, cpuRuntime)];
  const expected = await step.run(batch);
  expect(expected.loss).toBe(expected.contrastive);
  expect(expected.region + expected.alignment).toBe(0);
  expectSameGradients(await parts.run(batch), expected, 1e-4);
  await Promise.all([step.release(), parts.release()]);
});

it('trains the text encoder as well', async () => {
  const checkpoint = await open('resnet');
  const base = await spec(checkpoint, 'roi-align', 3);
  const { text, tokenizer } = checkpoint;
  const texts = [...['a photo of a cat', 'a dog', 'a bird on a car', 'the red cat', 'two'], ...classNames.flatMap((name) => [`a photo of a ${name}`, `the ${name} .`])];
  const tokens = tokenizer.encode(texts);
  const textWeights = await weightsOf(text.model);
  const both: StepSpec = {
    ...base,
    weights: [...base.weights, ...textWeights],
    text: { proto: text.model.proto, folder: text.model.folder, output: text.output, dim, trainable: textWeights.map(({ name }) => name), encoder: text, length: tokens.dims[1], prompts: 2 },
  };
  expect(tokens.dims[1]).toBeLessThanOrEqual(tinyContext);
  const step = await openTrainingStep(both, 5, cpuRuntime);
  const { gradients } = await step.run({ ...batch, tokens });
  const copies = gradients.map((gradient) => gradient.slice());
  const ofText = copies.slice(base.weights.length);
  const size = norm(ofText.flatMap((gradient) => [...gradient]));
  expect(size).toBeGreaterThan(0.01);
  const h = 2e-3;
  const at = async (move: number) => {
    textWeights.forEach(({ data }, w) => data.forEach((value, i) => (data[i] = value + (move * ofText[w]![i]!) / size)));
    return (await step.run({ ...batch, tokens })).loss;
  };
  const [up, down] = [await at(h), await at(-2 * h)];
  await step.release();
  expect((up - down) / (2 * h) / size).toBeCloseTo(1, 2);
});
