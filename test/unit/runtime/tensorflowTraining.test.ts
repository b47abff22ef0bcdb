import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { chooseFeatureMap } from '../../../src/engine/discovery/encoderGraphs';
import { batchMasks, regionKind } from '../../../src/engine/training/batchMasks';
import { lossInputs, regionAwareLoss } from '../../../src/engine/training/loss';
import { cpuRuntime } from '../../../src/engine/training/stepRuntime';
import { openTrainingStep, type StepBatch, type StepRuntime, type StepSpec, type Weight } from '../../../src/engine/training/trainingStep';
import { loadTensor } from '../../../src/engine/onnx/externalData';
import type { Model } from '../../../src/engine/onnx/readModel';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { openTensorFlowSession } from '../../../src/engine/runtime/tensorflow/session';
import type { Box } from '../../../src/shared/boxes';
import type { ImageTower } from '../../fixtures/imageTowers';
import { tf } from '../../fixtures/tensorflow';
import { tinyDim, tinySize, writeTinyClip } from '../../fixtures/tinyClip';
import { unitRows } from '../../fixtures/unitRows';
import { farthest } from './tensorflowGraphs';

const tensorflow: StepRuntime = { lowering: 'webgpu', open: (model, options) => openTensorFlowSession(model, tf, options) };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-tensorflow-step-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const classes = ['cat', 'dog'];
const boxes: Box[] = [[0, 0, 32, 32], [30, 20, 30, 40]];
const { regular, spurious } = regionKind;

/** Two images of smooth colours with two regions each. */
const images = [1, 2].map((seed) => ({
  name: `image ${seed}`,
  pixels: { width: tinySize, height: tinySize, data: Uint8Array.from({ length: 3 * tinySize ** 2 }, (_, i) => Math.round(127 + 120 * Math.sin(i / (7 + seed)))) },
  boxes,
}));

const batch: StepBatch = {
  images,
  inputs: {
    ...batchMasks({ labels: Int32Array.of(0, 1), kinds: Uint8Array.of(regular, spurious, regular, regular), regions: 2, classes: 2 }, 'distinct', 'mean'),
    [lossInputs.captions]: unitRows(2, tinyDim, 1, 3, 5),
    [lossInputs.classes]: unitRows(2, tinyDim, 1, 3, 6),
  },
};

test.each([['resnet', 'roi-align', 2], ['vit-mean', 'tokens', 2], ['resnet', 'roi-align', 1]] satisfies [ImageTower, 'roi-align' | 'tokens', number][])(
  'a step of region-aware fine-tuning of a %s with regions by %s, %i images at once, is on TensorFlow what it is on onnxruntime',
  async (tower, mode, microBatch) => {
    const { spec, tokens } = await tinySpec(tower, mode, microBatch === 1);
    const given = microBatch === 1 ? { ...batch, tokens } : batch;
    const reference = await openTrainingStep(spec, microBatch, cpuRuntime);
    const expected = await reference.run(given);
    await reference.release();

    const before = tf.memory().numTensors;
    const step = await openTrainingStep(spec, microBatch, tensorflow);
    const opened = tf.memory();
    const found = await step.run(given);
    expect(found.loss).toBeCloseTo(expected.loss, 4);
    expect(found.region).toBeGreaterThan(0);
    expected.gradients.forEach((gradient, index) => expect(farthest(gradient, found.gradients[index]!), spec.weights[index]!.name).toBeLessThan(1e-4));
    await step.run(given);
    // A thousand steps need no more memory than one.
    expect(tf.memory()).toMatchObject({ numTensors: opened.numTensors, numBytes: opened.numBytes });
    await step.release();
    expect(tf.memory().numTensors).toBe(before);
  },
);

/** A tiny CLIP, all of whose weights are trained; in its text encoder too if asked for. */
async function tinySpec(tower: ImageTower, mode: 'roi-align' | 'tokens', withText: boolean) {
  const target = join(folder, tower);
  await writeTinyClip(target, { image: tower });
  const { image, text, tokenizer, preprocessing, logitScale } = await openCheckpoint(target, folder);
  const split = chooseFeatureMap(await staticGraph(image.model, { [image.input]: [1, 3, tinySize, tinySize] }), image, { mode });
  const [ofImage, ofText] = [await weightsOf(image.model), withText ? await weightsOf(text.model) : []];
  const tokens = tokenizer.encode(['a photo of a cat', 'the red dog', ...classes]);
  const part = ({ model, output }: typeof image | typeof text, weights: readonly Weight[]) => {
    return { proto: model.proto, folder: model.folder, output, dim: tinyDim, trainable: weights.map(({ name }) => name) };
  };
  const spec: StepSpec = {
    image: { ...part(image, ofImage), input: { name: image.input, height: tinySize, width: tinySize }, preprocessing, split },
    shape: { batch: 2, regions: 2, classes: 2, dim: tinyDim },
    loss: regionAwareLoss({ lambda: 0.8, temperature: 0.07, logitScale: logitScale! }),
    weights: [...ofImage, ...ofText],
    ...(withText && { text: { ...part(text, ofText), encoder: text, length: tokens.dims[1], prompts: 1 } }),
  };
  return { spec, tokens };
}

async function weightsOf(model: Model): Promise<Weight[]> {
  const weights = model.proto.graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 0);
  return Promise.all(weights.map(async (tensor) => ({ name: tensor.name, dims: tensor.dims.map(Number), data: ((await loadTensor(model, tensor)).data as Float32Array).slice() })));
}
