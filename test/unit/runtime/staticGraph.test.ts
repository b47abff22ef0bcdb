import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { node } from '../../../src/engine/onnx/build';
import { cutPoints } from '../../../src/engine/onnx/cutPoints';
import { graphInfo } from '../../../src/engine/onnx/graphInfo';
import { encodeModel } from '../../../src/engine/onnx/model';
import { readModel } from '../../../src/engine/onnx/readModel';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';
import { convNet, transformer, values } from './nets';

let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'ravl-static-'));
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true, force: true });
});

async function run(source: Uint8Array, x: Tensor, input: string, externalFolder?: string): Promise<Float32Array> {
  const session = await openSession(source, { externalFolder });
  const outputs = await session.run({ [input]: x });
  await session.release();
  return Object.values(outputs)[0]!.data as Float32Array;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

describe('staticGraph', () => {
  it.each<[string, () => ModelProto, number[]]>([
    ['a convolution net', convNet, [2, 3, 16, 16]],
    ['a transformer with Shape chains', transformer, [2, 6, 16]],
  ])('gives %s the same outputs, and no shape arithmetic', async (_, build, dims) => {
    const { proto } = await staticGraph({ proto: build() }, { x: dims });
    expect(Object.keys(graphInfo({ proto }).operators).filter((name) => /^(Shape|Gather|Concat)$/.test(name))).toEqual([]);
    const x = new Tensor('float32', values(dims.reduce((a, b) => a * b), 9), dims);
    expect(largestDifference(await run(encodeModel(proto), x, 'x'), await run(encodeModel(build()), x, 'x'))).toBeLessThan(1e-5);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('knows the shape of every value', async () => {
    const { proto, shapes } = await staticGraph({ proto: convNet() }, { x: [5, 3, 16, 16] });
    expect(shapes.get('x')).toEqual([5, 3, 16, 16]);
    expect(shapes.get('block')).toEqual([5, 8, 8, 8]);
    expect(shapes.get('y')).toEqual([5, 8]);
    expect(proto.graph.node.flatMap(({ output }) => output).filter((name) => !shapes.has(name))).toEqual([]);
    expect(cutPoints(proto, shapes, 'x', 'y')).toContainEqual({ name: 'block', dims: [5, 8, 8, 8] });
  });

  it('leaves the model as it was, and names an unknown input', async () => {
    const proto = convNet();
    const before = encodeModel(proto);
    await staticGraph({ proto }, { x: [1, 3, 16, 16] });
    expect(encodeModel(proto)).toEqual(before);
    await expect(staticGraph({ proto }, { pixels: [1] })).rejects.toThrow('"pixels"');
  });

  it('leaves nothing behind when onnxruntime refuses the model', async () => {
    const proto = convNet();
    proto.graph.node.push(node('Swirl', ['y'], ['z']));
    await expect(staticGraph({ proto }, { x: [1, 3, 16, 16] })).rejects.toThrow(expect.objectContaining({ code: 'runtime-operator-unknown' }));
    expect(await readdir(temporary)).toEqual([]);
  });

  it('leaves weights on disk', async () => {
    const file = join(temporary, 'm.onnx');
    await writeFile(file, encodeModel(convNet()));
    const read = await readModel(file);
    const { proto } = await staticGraph(read, { x: [2, 3, 16, 16] });
    expect(proto.graph.initializer.find(({ name }) => name === 'inner')).toMatchObject({ dataLocation: 1 });
    const x = new Tensor('float32', values(2 * 3 * 16 * 16, 9), [2, 3, 16, 16]);
    expect(largestDifference(await run(encodeModel(proto), x, 'x', read.folder), await run(encodeModel(convNet()), x, 'x'))).toBeLessThan(1e-5);
  });

  const exported = resolve('../shared/data/fashion/checkpoints/fashion-clip/onnx/vision_model.onnx');
  if (!existsSync(exported)) console.warn('Skipped: the exported checkpoint is not here.');
  it.skipIf(!existsSync(exported))('folds an exported ViT so that its residual stream is found', async () => {
    const read = await readModel(exported);
    const { proto, shapes } = await staticGraph(read, { pixel_values: [3, 3, 80, 80] });
    expect(graphInfo({ proto }).operators).not.toHaveProperty('Shape');
    // 8 blocks over 16 x 16 patches and a class token, 32 wide; each adds to the residual stream once.
    const stream = cutPoints(proto, shapes, 'pixel_values', 'image_embeds').filter(({ dims }) => dims?.join() === '3,257,32');
    const blocks = stream.flatMap(({ name }) => /blocks\.(\d)/.exec(name)?.[1] ?? []);
    expect(blocks).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    const x = new Tensor('float32', values(3 * 3 * 80 * 80, 9), [3, 3, 80, 80]);
    const session = await openSession(exported);
    const expected = (await session.run({ pixel_values: x })).image_embeds!.data as Float32Array;
    await session.release();
    expect(largestDifference(await run(encodeModel(proto), x, 'pixel_values', read.folder), expected)).toBeLessThan(1e-5);
  });
});
