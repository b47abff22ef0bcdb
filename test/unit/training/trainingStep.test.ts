import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { openRegionEncoder } from '../../../src/engine/discovery/regionEncoder';
import { imageFeeds } from '../../../src/engine/training/imageFeeds';
import { cpuRuntime } from '../../../src/engine/training/stepRuntime';
import { imageTower } from '../../../src/engine/training/tower';
import { forwardGraph, stepOutputs } from '../../../src/engine/training/trainingGraphs';
import { openTrainingStep, type StepBatch, type StepResult, type StepSpec } from '../../../src/engine/training/trainingStep';
import { encodeModel } from '../../../src/engine/onnx/model';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import type { ImageTower } from '../../fixtures/imageTowers';
import { tinyContext, tinyDim as dim, tinySize } from '../../fixtures/tinyClip';
import { batchOf, classNames, images, stepSpec, tinyCheckpoint, weightsOf, type Mode } from '../../fixtures/tinyStep';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-step-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

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
  let batch: StepBatch;
  beforeAll(async () => {
    checkpoint = await tinyCheckpoint(folder, tower);
    whole = await stepSpec(checkpoint, mode, 3);
    batch = batchOf(whole);
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
  const plain = await stepSpec(await tinyCheckpoint(folder, 'resnet'), 'crop', 0);
  const batch = batchOf(plain);
  const [step, parts] = [await openTrainingStep(plain, 5, cpuRuntime), await openTrainingStep(plain, 2, cpuRuntime)];
  const expected = await step.run(batch);
  expect(expected.loss).toBe(expected.contrastive);
  expect(expected.region + expected.alignment).toBe(0);
  expectSameGradients(await parts.run(batch), expected, 1e-4);
  await Promise.all([step.release(), parts.release()]);
});

it('trains the text encoder as well', async () => {
  const checkpoint = await tinyCheckpoint(folder, 'resnet');
  const base = await stepSpec(checkpoint, 'roi-align', 3);
  const batch = batchOf(base);
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
