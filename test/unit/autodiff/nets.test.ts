import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, test } from 'vitest';
import { differentiate, gradientName } from '../../../src/engine/autodiff/differentiate';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { decodeModel, encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { readTensor } from '../../../src/engine/onnx/tensor';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { graphWriter, type GraphWriter } from '../../fixtures/graphWriter';
import { imageTower, type ImageTower } from '../../fixtures/imageTowers';
import { convNext, mobileNet, textTower } from './nets';

const dim = 6;

describe('whole nets agree with central differences', () => {
  test.each(['resnet', 'clip-resnet', 'vit', 'vit-mean'] satisfies ImageTower[])('%s', async (kind) => {
    await checkNet(imageNet((w, x) => imageTower(kind, w, x, 32, dim)), 'pixel_values', uniform([2, 3, 32, 32], 3));
  });
  test.each([['MobileNet', mobileNet], ['ConvNeXt', convNext]] as const)('%s', async (_, tower) => {
    await checkNet(imageNet((w, x) => tower(w, x, dim)), 'pixel_values', uniform([2, 3, 16, 16], 3));
  });
  test('text transformer', async () => {
    const w = graphWriter(5, 'float32', 'text');
    const output = textTower(w, 'input_ids', dim);
    const proto = model({ nodes: w.nodes, initializers: w.initializers, inputs: [valueInfo('input_ids', 'int64', [2, 6])], outputs: [valueInfo(output, 'float32', [2, dim])] });
    await checkNet(proto, 'input_ids', new Tensor('int64', BigInt64Array.from([1, 4, 4, 9, 11, 0, 1, 2, 3, 4, 11, 0], BigInt), [2, 6]));
  });

  const fashion = resolve('../shared/data/fashion/checkpoints/fashion-clip/onnx/vision_model.onnx');
  if (!existsSync(fashion)) console.warn('Skipped: the exported fashion CLIP is not here.');
  test.skipIf(!existsSync(fashion))('an exported CLIP', async () => {
    await checkNet(decodeModel(readFileSync(fashion)), 'pixel_values', uniform([2, 3, 80, 80], 3), 'image_embeds');
  });
});

function imageNet(tower: (w: GraphWriter, input: string) => string): ModelProto {
  const w = graphWriter(5, 'float32', 'vision');
  const output = tower(w, 'pixel_values');
  return model({ nodes: w.nodes, initializers: w.initializers, inputs: [valueInfo('pixel_values', 'float32', ['n', 3, 'h', 'w'])], outputs: [valueInfo(output, 'float32', ['n', dim])] });
}

/**
 * Compares ∇L · d with (L(θ + hd) - L(θ - hd)) / 2h for L = Σ w·embedding over all weights θ at once. The directions are the gradient
 * with each element scaled at random: every element then adds to the slope, so that none hides behind the others'
 * rounding. Two steps and Richardson's extrapolation remove the error of the step.
 */
async function checkNet(proto: ModelProto, input: string, x: Tensor, output = proto.graph.output[0]!.name): Promise<void> {
  const trainable = proto.graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 0);
  const weights = new Map(trainable.map((tensor) => [tensor.name, { dims: tensor.dims.map(Number), data: Float32Array.from(readTensor(tensor).data as Float32Array) }]));
  const open = trainableInputs(proto, [...weights.keys()]);
  const wrt = [...weights.keys(), ...(x.type === 'float32' ? [input] : [])];
  const fixed = { [input]: x.dims, ...Object.fromEntries([...weights].map(([name, { dims }]) => [name, dims])) };
  const forward = await openSession(encodeModel(open));
  const feeds = (shift: (name: string, at: number) => number) =>
    Object.fromEntries([
      [input, x.type === 'float32' ? shifted(x, input, shift) : x],
      ...[...weights].map(([name, { dims, data }]) => [name, shifted(new Tensor('float32', data, dims), name, shift)] as const),
    ]);
  const size = (await forward.run(feeds(() => 0)))[output]!.size;
  const cotangent = (uniform([size], 11).data as Float32Array).map((value) => 10 * value);
  const loss = async (shift: (name: string, at: number) => number) => ((await forward.run(feeds(shift)))[output]!.data as Float32Array).reduce((sum, value, at) => sum + value * cotangent[at]!, 0);

  const { proto: whole, shapes } = await staticGraph({ proto: withLoss(open, output, cotangent) }, fixed);
  const backward = await openSession(encodeModel(differentiate(whole, shapes, { loss: 'loss', wrt })));
  const results = await backward.run(feeds(() => 0));
  expect(backward.outputs.map(({ name }) => name)).toEqual(['loss', ...wrt.map(gradientName)]);
  const gradients = new Map(wrt.map((name) => [name, results[gradientName(name)]!.data as Float32Array]));
  expect(results.loss!.data[0]).toBeCloseTo(await loss(() => 0), 3);

  for (const seed of [1, 2, 3]) {
    const random = xoroshiro128plus(seed);
    let slope = 0;
    let square = 0;
    const direction = new Map([...gradients].map(([name, gradient]) => {
      const d = gradient.map((value) => value * 2 * uniformFloat64(random));
      d.forEach((value, at) => ((slope += value * gradient[at]!), (square += value * value)));
      return [name, d] as const;
    }));
    const along = async (length: number) => {
      const h = length / Math.sqrt(square);
      const at = (sign: number) => (name: string, index: number) => sign * h * (direction.get(name)?.[index] ?? 0);
      return ((await loss(at(1))) - (await loss(at(-1)))) / (2 * h);
    };
    const numeric = (4 * (await along(0.001)) - (await along(0.002))) / 3;
    expect(Math.abs(numeric - slope) / slope, `differences ${numeric}, gradient ${slope}`).toBeLessThan(1e-4);
  }
  // Each weight by itself, coarsely: one gradient that is small beside the others could be wrong unseen. Steps move the loss by
  // 0.002; weights that hardly move it at all (the bias of attention's keys) would need steps too long for a slope.
  for (const [name, gradient] of gradients) {
    const slope = gradient.reduce((sum, value) => sum + value * value, 0);
    const h = 0.001 / slope;
    if (h * Math.sqrt(slope) > 0.02) continue;
    const at = (sign: number) => loss((other, index) => (other === name ? sign * h * gradient[index]! : 0));
    const numeric = ((await at(1)) - (await at(-1))) / (2 * h);
    expect(Math.abs(numeric - slope) / slope, `${name}: differences ${numeric}, gradient ${slope}`).toBeLessThan(2e-2);
  }
  await Promise.all([forward.release(), backward.release()]);
}

function withLoss(proto: ModelProto, output: string, cotangent: Float32Array): ModelProto {
  const { graph } = proto;
  const size = cotangent.length;
  return {
    ...proto,
    graph: {
      ...graph,
      node: [...graph.node, node('Reshape', [output, 'row'], ['flat']), node('MatMul', ['flat', 'cotangent'], ['loss'])],
      initializer: [...graph.initializer, tensorProto('row', [2], BigInt64Array.of(1n, BigInt(size))), tensorProto('cotangent', [size, 1], cotangent)],
      output: [valueInfo('loss', 'float32', [1, 1])],
    },
  };
}

function shifted(tensor: Tensor, name: string, shift: (name: string, at: number) => number): Tensor {
  return new Tensor('float32', (tensor.data as Float32Array).map((value, at) => value + shift(name, at)), tensor.dims);
}

function uniform(dims: readonly number[], seed: number): Tensor {
  const random = xoroshiro128plus(seed);
  return new Tensor('float32', Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * uniformFloat64(random) - 1), dims);
}
