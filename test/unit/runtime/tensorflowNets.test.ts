import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, test } from 'vitest';
import { differentiate } from '../../../src/engine/autodiff/differentiate';
import type { Lowering } from '../../../src/engine/autodiff/rule';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { readTensor } from '../../../src/engine/onnx/tensor';
import { Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { graphWriter, type GraphWriter } from '../../fixtures/graphWriter';
import { imageTower, type ImageTower } from '../../fixtures/imageTowers';
import { convNext, mobileNet, textTower } from '../autodiff/nets';
import { expectSame } from './tensorflowGraphs';

const dim = 6;

describe('the gradients of all weights of a net are on TensorFlow what they are on onnxruntime', () => {
  test.each(['resnet', 'clip-resnet', 'vit', 'vit-mean'] satisfies ImageTower[])('%s', async (kind) => {
    await checkStep(net((w, x) => imageTower(kind, w, x, 32, dim), uniform([2, 3, 32, 32], 3)), 'cpu');
  });

  test.each([['MobileNet', mobileNet, 'cpu'], ['MobileNet', mobileNet, 'webgpu'], ['ConvNeXt', convNext, 'cpu'], ['ConvNeXt', convNext, 'webgpu']] as const)('%s', async (_, tower, lowering) => {
    await checkStep(net((w, x) => tower(w, x, dim), uniform([2, 3, 16, 16], 3)), lowering);
  });

  test('text transformer', async () => {
    await checkStep(net((w, x) => textTower(w, x, dim), new Tensor('int64', BigInt64Array.from([1, 4, 4, 9, 11, 0, 1, 2, 3, 4, 11, 0], BigInt), [2, 6])), 'cpu');
  });
});

interface Net {
  readonly proto: ModelProto;
  readonly x: Tensor;
}

/** A net with the loss Σ w·embedding, w random. */
function net(tower: (w: GraphWriter, input: string) => string, x: Tensor): Net {
  const w = graphWriter(5, 'float32', 'encoder');
  const output = tower(w, 'x');
  const size = dim * x.dims[0]!;
  const nodes = [...w.nodes, node('Reshape', [output, 'row'], ['flat']), node('MatMul', ['flat', 'cotangent'], ['loss'])];
  const initializers = [...w.initializers, tensorProto('row', [2], BigInt64Array.of(1n, BigInt(size))), tensorProto('cotangent', [size, 1], uniform([size], 11).data as Float32Array)];
  return { proto: model({ nodes, initializers, inputs: [valueInfo('x', x.type as 'float32', x.dims)], outputs: [valueInfo('loss', 'float32', [1, 1])] }), x };
}

async function checkStep({ proto, x }: Net, lowering: Lowering): Promise<void> {
  const weights = proto.graph.initializer.filter(({ dataType, dims, name }) => dataType === 1 && dims.length > 0 && name !== 'cotangent');
  const feeds = { x, ...Object.fromEntries(weights.map((tensor) => [tensor.name, new Tensor('float32', readTensor(tensor).data as Float32Array, tensor.dims.map(Number))])) };
  const open = trainableInputs(proto, weights.map(({ name }) => name));
  const { proto: whole, shapes } = await staticGraph({ proto: open }, Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims])));
  await expectSame(differentiate(whole, shapes, { loss: 'loss', wrt: weights.map(({ name }) => name), lowering }), feeds, 'one step');
}

function uniform(dims: readonly number[], seed: number): Tensor {
  const random = xoroshiro128plus(seed);
  return new Tensor('float32', Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * uniformFloat64(random) - 1), dims);
}
