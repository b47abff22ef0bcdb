import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import { readModel } from '../../../src/engine/onnx/readModel';
import type { NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { similarityMatrix } from '../../../src/engine/runtime/matmul';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { RavlError } from '../../../src/shared/errors';
import { values } from './nets';

const graph = (nodes: NodeProto[], initializers: TensorProto[] = [], opset = 17) =>
  model({ nodes, initializers, opset, inputs: [valueInfo('x', 'float32', ['n', 3])], outputs: [valueInfo('y', 'float32', ['n', 'm'])] });
const bytes = (...parts: Parameters<typeof graph>) => encodeModel(graph(...parts));
const rows = (...data: number[]) => new Tensor('float32', Float32Array.from(data), [data.length / 3, 3]);

async function problem(work: Promise<unknown>): Promise<RavlError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(RavlError);
  // No C++ source lines, namespaces or absolute paths where a person reads.
  expect((error as RavlError).message).not.toMatch(/\.cc|\.h:\d|onnxruntime::|\/onnxruntime_src|\/tmp\/|\n/);
  return error as RavlError;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-session-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('openSession', () => {
  const weight = tensorProto('w', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
  const linear = [node('MatMul', ['x', 'w'], ['y'])];

  it('runs a graph and tells its inputs and outputs', async () => {
    const session = await openSession(bytes(linear, [weight]), { threads: 1 });
    expect(session.inputs).toEqual([{ name: 'x', dtype: 'float32', dims: ['n', 3] }]);
    expect(session.outputs).toEqual([{ name: 'y', dtype: 'float32', dims: ['n', 2] }]);
    const { y } = await session.run({ x: rows(1, 1, 1, 1, 0, 0) });
    expect(y!.dims).toEqual([2, 2]);
    expect([...(y!.data as Float32Array)]).toEqual([9, 12, 1, 2]);
    await session.release();
    await session.release();
  });

  it('runs an edited model whose weights stay in the files of the checkpoint', async () => {
    const big = values(3 * 500, 1);
    await writeFile(join(folder, 'big.onnx'), bytes(linear, [tensorProto('w', [3, 500], big)]));
    const read = await readModel(join(folder, 'big.onnx'));
    read.proto.graph.node.push(node('Neg', ['y'], ['z']));
    read.proto.graph.output.push(valueInfo('z', 'float32', ['n', 500]));
    const session = await openSession(encodeModel(read.proto), { externalFolder: read.folder });
    const { z } = await session.run({ x: rows(0, 1, 0) });
    expect(z!.data).toEqual(big.slice(500, 1000).map((value) => -value));
    await session.release();
  });

  it('names the node and the operator that onnxruntime does not know', async () => {
    const error = await problem(openSession(bytes([node('Swirl', ['x'], ['y'])]), { name: 'm.onnx' }));
    expect(error).toMatchObject({ code: 'runtime-operator-unknown', message: 'The node "y" of m.onnx uses the operator Swirl, which onnxruntime does not know at opset 17.' });
    const custom = await problem(openSession(bytes([{ ...node('Swirl', ['x'], ['y']), domain: 'com.acme' }])));
    expect(custom.message).toContain('com.acme:Swirl');
    const declared = graph([{ ...node('Swirl', ['x'], ['y']), domain: 'com.acme' }]);
    declared.opsetImport.push({ domain: 'com.acme', version: 1 });
    expect((await problem(openSession(encodeModel(declared)))).message).toBe('A node of the model uses the operator com.acme:Swirl, which onnxruntime does not know.');
  });

  it.each([
    ['a future opset', bytes([node('Relu', ['x'], ['y'])], [], 99), 'runtime-opset-unsupported', 'opset (99'],
    ['a future format', encodeModel({ ...graph([node('Relu', ['x'], ['y'])]), irVersion: 99 }), 'runtime-opset-unsupported', 'IR version 99'],
    ['an operator without a kernel', bytes([node('Relu', ['x'], ['y'])], [], 1), 'runtime-kernel-missing', 'Relu'],
    ['a value from nowhere', bytes([node('Relu', ['nowhere'], ['y'])]), 'runtime-model-invalid', "'nowhere'"],
    ['a wrong type', bytes([node('And', ['x', 'x'], ['y'])]), 'runtime-model-invalid', 'And'],
    ['shapes that do not fit', bytes(linear, [tensorProto('w', [4, 1], new Float32Array(4))]), 'runtime-node-failed', '"y" (MatMul)'],
    ['garbage', new Uint8Array(50).fill(7), 'runtime-model-invalid', 'no ONNX file'],
  ])('refuses %s', async (_, source, code, words) => {
    const error = await problem(openSession(source));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it('refuses external data that is missing', async () => {
    const external = { name: 'w', dims: [3, 2], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'none.bin' }] };
    await mkdir(join(folder, 'deep'));
    const file = join(folder, 'deep', 'm.onnx');
    await writeFile(file, bytes(linear, [external]));
    expect(await problem(openSession(file))).toMatchObject({ code: 'runtime-external-data', message: expect.stringContaining('"w" is missing') });
  });

  it('says which input does not fit', async () => {
    const session = await openSession(bytes(linear, [weight]));
    const given = async (feeds: Record<string, Tensor>) => (await problem(session.run(feeds))).message;
    expect(await given({ x: new Tensor('float32', new Float32Array(8), [2, 4]) })).toContain('axis 1 of "x" has length 4 where the model takes 3');
    expect(await given({ x: new Tensor('float32', new Float32Array(3), [3]) })).toContain('"x" has 1 axes where the model takes 2');
    expect(await given({ x: new Tensor('int32', new Int32Array(3), [1, 3]) })).toContain('tensor(int32) where the model takes tensor(float)');
    expect(await given({})).toContain('nothing is fed to "x"');
    await session.release();
  });

  it('says when memory runs out', async () => {
    const expand = model({
      nodes: [node('Expand', ['x', 'size'], ['y'])],
      inputs: [valueInfo('x', 'float32', [1]), valueInfo('size', 'int64', [2])],
      outputs: [valueInfo('y', 'float32', ['a', 'b'])],
    });
    const session = await openSession(encodeModel(expand));
    const feeds = { x: new Tensor('float32', Float32Array.of(1), [1]), size: new Tensor('int64', BigInt64Array.of(10n ** 6n, 10n ** 8n), [2]) };
    expect((await problem(session.run(feeds))).code).toBe('runtime-out-of-memory');
    await session.release();
  });
});

describe('similarityMatrix', () => {
  const direct = (a: Float32Array, n: number, b: Float32Array, m: number, dim: number) =>
    Float64Array.from({ length: n * m }, (_, at) => {
      const [row, column] = [Math.floor(at / m) * dim, (at % m) * dim];
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += a[row + d]! * b[column + d]!;
      return sum;
    });
  const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => Math.max(...Array.from({ length: Math.max(a.length, b.length) }, (_, i) => Math.abs(a[i]! - b[i]!)));

  it.each([
    [5, 7, 3],
    [1, 1, 1],
    [3, 1100, 4],
    [1030, 2, 4],
  ])('equals the sum of products: [%i, dim] with [%i, dim], dim %i', async (n, m, dim) => {
    const [a, b] = [values(n * dim, 1), values(m * dim, 2)];
    expect(largestDifference(await similarityMatrix(a, n, b, m, dim), direct(a, n, b, m, dim))).toBeLessThan(1e-5);
  });

  it('mirrors the blocks below the diagonal of a matrix with itself, into shared memory', async () => {
    const [n, dim] = [1030, 3];
    const a = values(n * dim, 3);
    const out = new Float32Array(new SharedArrayBuffer(4 * n * n));
    expect(await similarityMatrix(a, n, a, n, dim, out)).toBe(out);
    const expected = direct(a, n, a, n, dim);
    let worst = 0;
    for (let i = 0; i < n * n; i++) worst = Math.max(worst, Math.abs(out[i]! - expected[i]!));
    expect(worst).toBeLessThan(1e-5);
  });

  it('knows no rows and no dimensions', async () => {
    const none = new Float32Array(0);
    expect(await similarityMatrix(none, 0, Float32Array.of(1), 1, 1)).toHaveLength(0);
    expect(await similarityMatrix(none, 2, none, 2, 0)).toEqual(new Float32Array(4));
  });
});
