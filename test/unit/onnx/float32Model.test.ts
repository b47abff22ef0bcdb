import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differentiate } from '../../../src/engine/autodiff/differentiate';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { checkpointFiles } from '../../../src/engine/checkpoint/checkpointFiles';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { float16ToFloat32, float32ToFloat16 } from '../../../src/engine/onnx/float16';
import { float32Model } from '../../../src/engine/onnx/float32Model';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { Model } from '../../../src/engine/onnx/readModel';
import type { ModelProto, TensorProto } from '../../../src/engine/onnx/schema';
import { writeFolderAtomically } from '../../../src/engine/run/atomic';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { tinyDim, tinySize, writeTinyClip, type TinyClipOptions } from '../../fixtures/tinyClip';
import { shifted, weightsOf } from '../../fixtures/trainedWeights';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ravl-float32-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const pixels = Float32Array.from({ length: 2 * 3 * tinySize ** 2 }, (_, i) => float16ToFloat32(float32ToFloat16(Float32Array.of(Math.sin(i))))[0]!);
const dims = [2, 3, tinySize, tinySize];
const float32Pixels = new Tensor('float32', pixels, dims);
const float16Pixels = new Tensor('float16', float32ToFloat16(pixels), dims);
const tokens = {
  input_ids: new Tensor('int64', BigInt64Array.from([35n, 2n, 5n, 36n, 35n, 9n, 36n, 0n]), [2, 4]),
  attention_mask: new Tensor('int64', BigInt64Array.from([1n, 1n, 1n, 1n, 1n, 1n, 1n, 0n]), [2, 4]),
};

async function open(options: TinyClipOptions) {
  const folder = join(base, JSON.stringify(options).replace(/\W+/g, '-'));
  await writeTinyClip(folder, options);
  return await openCheckpoint(folder, '/');
}

async function embed({ proto, folder }: Model, output: string, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await openSession(encodeModel(proto), { externalFolder: folder });
  const { data, dims } = (await session.run(feeds))[output]!;
  await session.release();
  expect(dims).toEqual([2, tinyDim]);
  return data instanceof Uint16Array ? float16ToFloat32(data) : (data as Float32Array);
}

const difference = (a: Float32Array, b: Float32Array) => a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

describe('float32Model', () => {
  const kinds: TinyClipOptions[] = [{ image: 'vit', externalData: true }, { image: 'resnet' }, { image: 'clip-resnet', layout: 'merged' }];
  it.each(kinds)('computes what the float16 model rounds, and what the float32 model it was made from computes: %o', async (options) => {
    const half = await open({ ...options, dtype: 'float16' });
    // The fixture has the same seeded weights in both types; the float32 one gets them as halves hold them.
    const full = await open(options);
    const rounded = join(base, `rounded ${options.image}`);
    const [image, text] = [await weightsOf(half.image.model, true), await weightsOf(half.text.model, true)];
    await writeFolderAtomically(rounded, await checkpointFiles(full, { image, text }));
    const exact = await openCheckpoint(rounded, '/');

    for (const [part, feeds, halfFeeds] of [['image', { pixel_values: float32Pixels }, { pixel_values: float16Pixels }], ['text', tokens, tokens]] as const) {
      const { model, output } = half[part];
      const widened = await float32Model(model);
      const embedding = await embed(widened, output, feeds);
      expect(difference(embedding, await embed(exact[part].model, output, feeds)), part).toBeLessThan(1e-6);
      // 2^-11 is half a unit in the last place of a half; a few layers of them.
      expect(difference(embedding, await embed(model, output, halfFeeds)), part).toBeLessThan(20 * 2 ** -11);
      expect(widened.proto.graph.initializer.map(({ name }) => name)).toEqual(model.proto.graph.initializer.map(({ name }) => name));
      expect(halvesIn(widened.proto)).toBe(false);
    }
  });

  it('trained in float32, a float16 checkpoint is float16 again, to the rounding of its weights', async () => {
    const checkpoint = await open({ image: 'vit', dtype: 'float16', seed: 3 });
    const { model, output } = checkpoint.image;
    const widened = await float32Model(model);
    const trained = shifted(await weightsOf(widened), 4);
    const folder = join(base, 'trained');
    await writeFolderAtomically(folder, await checkpointFiles(checkpoint, { image: trained }));
    const written = await openCheckpoint(folder, '/');
    expect(written.image.dtype).toBe('float16');
    const initializer = widened.proto.graph.initializer.map((tensor) => (trained.has(tensor.name) ? tensorProto(tensor.name, tensor.dims.map(Number), trained.get(tensor.name)!) : tensor));
    const ideal = await embed({ ...widened, proto: { ...widened.proto, graph: { ...widened.proto.graph, initializer } } }, output, { pixel_values: float32Pixels });
    expect(difference(await embed(written.image.model, output, { pixel_values: float16Pixels }), ideal)).toBeLessThan(20 * 2 ** -11);
  });

  it('can be differentiated in every weight, as the float32 model can', async () => {
    const half = await float32Model((await open({ image: 'vit', dtype: 'float16', seed: 5 })).image.model);
    const names = [...(await weightsOf(half)).keys()];
    const { proto, shapes } = await staticGraph({ ...half, proto: trainableInputs(half.proto, names) }, { pixel_values: dims });
    const loss = node('ReduceSum', ['image_embeds'], ['loss'], { keepdims: 0 });
    const whole = { ...proto, graph: { ...proto.graph, node: [...proto.graph.node, loss], output: [valueInfo('loss', 'float32', [])] } };
    const gradients = differentiate(whole, new Map([...shapes, ['loss', []]]), { loss: 'loss', wrt: names });
    expect(gradients.graph.output).toHaveLength(names.length + 1);
    await (await openSession(encodeModel(gradients), { externalFolder: half.folder })).release();
  });

  it('turns every place that names the element type', async () => {
    const bits = (...values: number[]) => float32ToFloat16(Float32Array.from(values));
    const branch = (name: string, factor: number) => ({
      ...model({ nodes: [node('Mul', ['h', `${name}_factor`], [name])], inputs: [], outputs: [valueInfo(name, 'float16', ['n'])], initializers: [tensorProto(`${name}_factor`, [], bits(factor))] }).graph,
      name,
    });
    const proto = model({
      nodes: [
        node('Cast', ['x'], ['half'], { to: 10 }),
        node('Constant', [], ['c'], { value: tensorProto('', [1], bits(0.25)) }),
        node('ConstantOfShape', ['one'], ['filled'], { value: tensorProto('', [1], bits(3)) }),
        node('Sum', ['half', 'c', 'filled', 'z'], ['h']),
        node('If', ['yes'], ['y'], { then_branch: branch('then', 2), else_branch: branch('else', 5) }),
      ],
      inputs: [valueInfo('x', 'float32', [1]), valueInfo('z', 'float16', [1]), valueInfo('yes', 'bool', [])],
      outputs: [valueInfo('y', 'float16', [1])],
      initializers: [tensorProto('one', [1], BigInt64Array.of(1n))],
    });
    proto.graph.valueInfo = [valueInfo('h', 'float16', [1])];
    const file = join(base, 'casts.onnx');
    await writeFile(file, encodeModel(proto));
    const before = encodeModel(proto);
    const { proto: widened } = await float32Model({ file, folder: base, proto, externalFiles: [] });
    expect(encodeModel(proto)).toEqual(before);
    expect(halvesIn(widened)).toBe(false);
    const session = await InferenceSession.create(encodeModel(widened));
    // (0.1 + 0.25 + 3 + 0.5) · 2, with 0.1 as float32 holds it: no half was in between.
    const { y } = await session.run({ x: new Tensor('float32', [0.1], [1]), z: new Tensor('float32', [0.5], [1]), yes: new Tensor('bool', [true], []) });
    expect(y!.data[0]).toBeCloseTo(7.7, 6);
  });

  it('returns a float32 model as it is, also with tables in float64', async () => {
    const proto = single({ name: 'w', dims: [2, 2], dataType: 1, floatData: [1, 2, 3, 4] }, { name: 'table', dims: [3], dataType: 11, doubleData: [1, 2, 3] });
    const given = { file: 'm.onnx', folder: base, proto, externalFiles: [] };
    expect(await float32Model(given)).toBe(given);
  });

  it.each([
    ['bfloat16', { name: 'w', dims: [2, 2], dataType: 16, rawData: new Uint8Array(8) }],
    ['float64', { name: 'w', dims: [2, 2], dataType: 11, doubleData: [1, 2, 3, 4] }],
  ] as const)('refuses weights in %s', async (dtype, weight) => {
    const proto = single(weight as unknown as TensorProto, { name: 's', dims: [], dataType: 1, floatData: [1] });
    await expect(float32Model({ file: 'm.onnx', folder: base, proto, externalFiles: [] })).rejects.toMatchObject({ code: 'onnx-weight-type', message: expect.stringContaining(`"w" as ${dtype}`) });
  });

  it('refuses what one graph cannot hold', async () => {
    const proto = single({ name: 'w', dims: [2 ** 15, 2 ** 15], dataType: 10, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] });
    await expect(float32Model({ file: 'm.onnx', folder: base, proto, externalFiles: [] })).rejects.toMatchObject({ code: 'onnx-float32-too-large', message: expect.stringContaining('4.0 GiB') });
  });
});

const single = (...initializers: TensorProto[]): ModelProto =>
  model({ nodes: [node('Identity', ['w'], ['y'])], inputs: [], outputs: [{ name: 'y' }], initializers });

/** Whether the number of float16, 10, stands anywhere that an element type does. */
function halvesIn(proto: ModelProto): boolean {
  const keys = ['dataType', 'elemType'];
  const look = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
      ? Object.entries(value).some(([key, inner]) => (keys.includes(key) && inner === 10) || look(inner))
      : false;
  const casts = (nodes: ModelProto['graph']['node']): boolean => nodes.some(({ attribute }) => attribute.some(({ name, i }) => name === 'to' && Number(i) === 10));
  return look(proto.graph) || casts(proto.graph.node);
}
