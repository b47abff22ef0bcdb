import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { loadTensor } from '../../../src/engine/onnx/externalData';
import { float16ToFloat32 } from '../../../src/engine/onnx/float16';
import { encodeModel } from '../../../src/engine/onnx/model';
import { readModel, readWholeModel } from '../../../src/engine/onnx/readModel';
import { changedBytes, replaceWeights, type NewWeights } from '../../../src/engine/onnx/replaceWeights';
import type { TensorProto } from '../../../src/engine/onnx/schema';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-weights-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const old = Float32Array.of(1, 2, 3, 4, 5, 6);
const young = Float32Array.of(-1, 0.5, 1e-3, 7, 8, 9);

/** y = x w + b, and what it costs to add a weight: the other's bytes on both sides. */
async function put(name: string, w: Partial<TensorProto>, more: TensorProto[] = []): Promise<string> {
  const proto = model({
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Add', ['h', 'b'], ['y'])],
    inputs: [valueInfo('x', 'float32', ['n', 2])],
    outputs: [valueInfo('y', 'float32', ['n', 3])],
    initializers: [tensorProto('a', [2], Float32Array.of(7, 8)), { name: 'w', dims: [2, 3], dataType: 1, ...w }, tensorProto('b', [3], Float32Array.of(1, 2, 3)), ...more],
  });
  proto.metadataProps = [{ key: 'author', value: 'somebody' }];
  const file = join(folder, name);
  await writeFile(file, encodeModel(proto));
  return file;
}

const external = (location: string, offset: number, length: number): Partial<TensorProto> => ({
  dataLocation: 1,
  externalData: Object.entries({ location, offset, length }).map(([key, value]) => ({ key, value: String(value) })),
});

/** Writes the changed files over the old ones. */
async function replace(...models: NewWeights[]): Promise<string[]> {
  const changed = await replaceWeights(models);
  const contents = [];
  for (const each of changed) {
    const blocks: Uint8Array[] = [];
    for await (const block of changedBytes(each)) blocks.push(block);
    contents.push(Buffer.concat(blocks));
  }
  for (const [index, { file }] of changed.entries()) await writeFile(file, contents[index]!);
  return changed.map(({ file }) => file);
}

async function valuesOf(file: string, name: string): Promise<number[]> {
  const read = await readModel(file);
  const { data } = await loadTensor(read, read.proto.graph.initializer.find((each) => each.name === name)!);
  return [...(data instanceof Uint16Array ? float16ToFloat32(data) : (data as Float32Array))];
}

const raw = (values: Float32Array) => new Uint8Array(values.buffer);

describe('replaceWeights', () => {
  it('changes raw bytes where they lie', async () => {
    const file = await put('raw.onnx', { rawData: raw(old) });
    const before = await readFile(file);
    expect(await replace({ file, weights: new Map([['w', young]]) })).toEqual([file]);
    const after = await readFile(file);
    const at = before.indexOf(raw(old));
    expect(after).toEqual(Buffer.concat([before.subarray(0, at), raw(young), before.subarray(at + 24)]));
  });

  it('changes external bytes where they lie, and not the model', async () => {
    const file = await put('apart.onnx', external('apart.bin', 8, 24));
    const before = await readFile(file);
    await writeFile(join(folder, 'apart.bin'), Buffer.concat([Buffer.from('8 before'), raw(old), Buffer.from('after')]));
    expect(await replace({ file, weights: new Map([['w', young]]) })).toEqual([file, join(folder, 'apart.bin')]);
    expect(await readFile(file)).toEqual(before);
    expect(await readFile(join(folder, 'apart.bin'))).toEqual(Buffer.concat([Buffer.from('8 before'), raw(young), Buffer.from('after')]));
  });

  it.each<[string, Partial<TensorProto>]>([
    ['float_data', { floatData: [...old] }],
    ['float16 bits in int32_data', { dataType: 10, int32Data: [1, 2, 3, 4, 5, 6] }],
  ])('replaces %s, and keeps the rest', async (_, stored) => {
    const file = await put('typed.onnx', stored);
    const expected = (await readWholeModel(file)).proto;
    await replace({ file, weights: new Map([['w', young], ['b', Float32Array.of(4, 5, 6)]]) });
    const found = await valuesOf(file, 'w');
    found.forEach((value, at) => expect(value).toBeCloseTo(young[at]!, stored.dataType === 10 ? 3 : 12));
    expect(await valuesOf(file, 'b')).toEqual([4, 5, 6]);
    const { proto } = await readWholeModel(file);
    for (const each of [proto, expected]) each.graph.initializer = each.graph.initializer.map((tensor) => (tensor.name === 'a' ? tensor : { name: tensor.name, dims: tensor.dims, dataType: tensor.dataType }));
    expect(encodeModel(proto)).toEqual(encodeModel(expected));
  });

  it('rounds to the nearest half, ties to the even one', async () => {
    const file = await put('half.onnx', { dataType: 10, rawData: new Uint8Array(12) });
    await replace({ file, weights: new Map([['w', Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 0.1, 65519, 2 ** -25, -3)]]) });
    // 0.1 is 1638.4 · 2^-14, between the halves 1638 and 1639; what lies half-way goes to the even one.
    expect(await valuesOf(file, 'w')).toEqual([1, 1 + 2 ** -9, 1638 * 2 ** -14, 65504, 0, -3]);
  });

  it('gives a weight that shares its bytes a place of its own', async () => {
    await writeFile(join(folder, 'tied.bin'), raw(old));
    const tied = { name: 'tied', dims: [2, 3], dataType: 1, ...external('tied.bin', 0, 24) };
    const one = await put('one.onnx', external('tied.bin', 0, 24), [tied, { name: 'half', dims: [3], dataType: 1, ...external('tied.bin', 12, 12) }]);
    await replace({ file: one, weights: new Map([['w', young]]) });
    expect([await valuesOf(one, 'w'), await valuesOf(one, 'tied'), await valuesOf(one, 'half')]).toEqual([[...young], [...old], [4, 5, 6]]);
  });

  it('does so too where two models share a file', async () => {
    await writeFile(join(folder, 'both.bin'), Buffer.concat([raw(old), raw(old)]));
    const image = await put('image.onnx', external('both.bin', 0, 24), [{ name: 'own', dims: [3], dataType: 1, ...external('both.bin', 24, 12) }]);
    const text = await put('text.onnx', external('both.bin', 0, 24));
    await replace({ file: image, weights: new Map([['w', young], ['own', Float32Array.of(0, 0, 0)]]) }, { file: text, weights: new Map() });
    expect([await valuesOf(image, 'w'), await valuesOf(text, 'w'), await valuesOf(image, 'own')]).toEqual([[...young], [...old], [0, 0, 0]]);
  });
});

describe('replaceWeights refuses in one sentence', () => {
  it.each<[string, Partial<TensorProto>, Float32Array, string, string]>([
    ['another size', { rawData: raw(old) }, new Float32Array(5), 'onnx-weight-missing', '"w" of 5 values'],
    ['bfloat16', { dataType: 16, rawData: new Uint8Array(12) }, young, 'onnx-weight-type', 'as bfloat16'],
    ['float64', { dataType: 11, rawData: new Uint8Array(48) }, young, 'onnx-weight-type', 'as float64'],
    ['whole numbers', { dataType: 3, rawData: new Uint8Array(6) }, young, 'onnx-weight-type', 'as int8'],
    ['more than a half holds', { dataType: 10, rawData: new Uint8Array(12) }, Float32Array.of(0, 65520, 0, 0, 0, 0), 'onnx-weight-overflow', '65504'],
  ])('%s', async (_, stored, values, code, words) => {
    const file = await put('refused.onnx', stored);
    await expect(replaceWeights([{ file, weights: new Map([['w', values]]) }])).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    await expect(replaceWeights([{ file, weights: new Map([['w', values]]) }])).rejects.toMatchObject({ message: expect.stringContaining(file) });
  });

  it('a weight that is not there', async () => {
    const file = await put('refused.onnx', { rawData: raw(old) });
    await expect(replaceWeights([{ file, weights: new Map([['z', young]]) }])).rejects.toMatchObject({ code: 'onnx-weight-missing' });
  });
});
