import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { classEmbeddings, embedTexts } from '../../../src/engine/checkpoint/textEmbeddings';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { decodeModel, encodeModel } from '../../../src/engine/onnx/model';
import { writePlantedClip } from '../../fixtures/plantedClip';
import { tinyContext, tinyDim, tinyWords, writeTinyClip } from '../../fixtures/tinyClip';

const silent = () => undefined;

/** One text at a time through plain onnxruntime, with ids by the fixture's definition and no padding. */
async function reference(file: string, texts: readonly string[]): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 4 });
  const rows: Float32Array[] = [];
  for (const text of texts) {
    const words = text.toLowerCase().match(/\w+|[^\w\s]+/g) ?? [];
    const ids = [tinyWords.length + 2, ...words.map((word) => (tinyWords.includes(word) ? tinyWords.indexOf(word) + 2 : 1)).slice(0, tinyContext - 2), tinyWords.length + 3];
    const feed = (values: number[]) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    const feeds = { input_ids: feed(ids), attention_mask: feed(ids.map(() => 1)), pixel_values: new ort.Tensor('float32', new Float32Array(3 * 64 * 64), [1, 3, 64, 64]) };
    const results = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name as keyof typeof feeds]])));
    rows.push(results.text_embeds!.data as Float32Array);
  }
  await session.release();
  return rows;
}

const texts = ['a photo of a red cat.', 'Dog', '', 'nine', 'red '.repeat(40), 'Dog', 'something entirely unknown, is it?'];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-texts-'));
  await writeTinyClip(join(root, 'split'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

function expectRows(actual: Float32Array, expected: readonly Float32Array[], digits: number): void {
  const dim = actual.length / expected.length;
  for (const [i, row] of expected.entries()) {
    for (let d = 0; d < dim; d++) expect(actual[i * dim + d], `text ${i}, dimension ${d}`).toBeCloseTo(row[d]!, digits);
  }
}

describe('embedTexts', () => {
  it('equals plain onnxruntime text by text, whatever the padding', async () => {
    const checkpoint = await openCheckpoint('split', root);
    const expected = await reference(join(root, 'split/onnx/text_model.onnx'), texts);
    expectRows(await embedTexts(checkpoint, 'cpu', texts, silent), expected, 5);
  });
  it('from a merged model with external data', async () => {
    await writeTinyClip(join(root, 'merged'), { layout: 'merged', externalData: true });
    const checkpoint = await openCheckpoint('merged', root);
    expectRows(await embedTexts(checkpoint, 'cpu', texts, silent), await reference(join(root, 'merged/onnx/model.onnx'), texts), 5);
  });
  it('in half precision, close to the same weights in float32', async () => {
    await writeTinyClip(join(root, 'half'), { dtype: 'float16' });
    const checkpoint = await openCheckpoint('half', root);
    expectRows(await embedTexts(checkpoint, 'cpu', texts, silent), await reference(join(root, 'split/onnx/text_model.onnx'), texts), 2);
  });
  it('through a graph with fixed axes and int32 ids', async () => {
    await writeTinyClip(join(root, 'fixed'));
    const file = join(root, 'fixed/onnx/text_model.onnx');
    const proto = decodeModel(await readFile(file));
    // ArgMax and Range need int64: cast on entry, as exporters with int32 ids do.
    for (const each of proto.graph.node) each.input = each.input.map((name) => (name === 'input_ids' || name === 'attention_mask' ? `${name}_64` : name));
    const cast = (name: string) => ({ opType: 'Cast', name, domain: '', input: [name], output: [`${name}_64`], attribute: [{ name: 'to', type: 2, i: 7 }] });
    proto.graph.node.unshift(cast('input_ids'), cast('attention_mask'));
    proto.graph.input = ['input_ids', 'attention_mask'].map((name) => valueInfo(name, 'int32', [3, tinyContext]));
    await writeFile(file, encodeModel(proto));
    const checkpoint = await openCheckpoint('fixed', root);
    expect(checkpoint.text).toMatchObject({ batch: 3, length: tinyContext, dtype: 'int32' });
    expectRows(await embedTexts(checkpoint, 'cpu', texts, silent), await reference(join(root, 'split/onnx/text_model.onnx'), texts), 5);
  });
  it('of no texts is empty', async () => {
    expect(await embedTexts(await openCheckpoint('split', root), 'cpu', [], silent)).toHaveLength(0);
  });
  it.each([
    ['zero', 0],
    ['NaN', NaN],
    ['infinite', Infinity],
  ])('names the text whose embedding is %s', async (name, value) => {
    const folder = join(root, name);
    await writeTinyClip(folder);
    // "dog" gets the broken row of the token table, and the graph ends at the sum over a text's tokens.
    const table = new Float32Array((tinyWords.length + 4) * tinyDim).fill(value === 0 ? 0 : 1);
    for (const [id, word] of tinyWords.entries()) table.fill(word === 'dog' ? value : 1, (id + 2) * tinyDim, (id + 3) * tinyDim);
    const proto = model({
      nodes: [node('Gather', ['table', 'input_ids'], ['tokens']), node('ReduceSum', ['tokens', 'axis'], ['text_embeds'], { keepdims: 0 })],
      inputs: [valueInfo('input_ids', 'int64', ['n', 't'])],
      outputs: [valueInfo('text_embeds', 'float32', ['n', tinyDim])],
      initializers: [tensorProto('table', [tinyWords.length + 4, tinyDim], table), tensorProto('axis', [1], BigInt64Array.of(1n))],
    });
    await writeFile(join(folder, 'onnx/text_model.onnx'), encodeModel(proto));
    const checkpoint = await openCheckpoint(folder, root);
    await expect(embedTexts(checkpoint, 'cpu', ['cat', 'dog'], silent)).rejects.toMatchObject({ code: 'checkpoint-text-embedding', message: expect.stringContaining('"dog"') });
    await expect(embedTexts(checkpoint, 'cpu', ['cat'], silent)).resolves.toHaveLength(tinyDim);
  });
});

describe('classEmbeddings', () => {
  it('is the normalised mean of the normalised prompt embeddings', async () => {
    const checkpoint = await openCheckpoint('split', root);
    const prompts = ['a photo of a {}.', '{}', 'there is {} in the {} picture'];
    const classes = ['cat', 'dog', 'nine'];
    const file = join(root, 'split/onnx/text_model.onnx');
    const expected: Float32Array[] = [];
    for (const name of classes) {
      const rows = await reference(file, prompts.map((prompt) => prompt.split('{}').join(name)));
      const mean = rows[0]!.map((_, d) => rows.reduce((sum, row) => sum + row[d]!, 0) / prompts.length);
      const norm = Math.hypot(...mean);
      expected.push(mean.map((value) => value / norm));
    }
    expectRows(await classEmbeddings(checkpoint, 'cpu', classes, prompts, silent), expected, 5);
  });
  it('takes class names with $ signs as they are', async () => {
    const checkpoint = await openCheckpoint('split', root);
    const named = await classEmbeddings(checkpoint, 'cpu', ['$` cat'], ['a {}'], silent);
    expectRows(named, [await embedTexts(checkpoint, 'cpu', ['a $` cat'], silent)], 5);
  });
  it('gives the planted checkpoint the axes it was made with', async () => {
    await writePlantedClip(join(root, 'planted'), 'merged');
    const checkpoint = await openCheckpoint('planted', root);
    const embeddings = await classEmbeddings(checkpoint, 'cpu', ['one', 'two', 'three', 'nine'], ['a photo of a {}.'], silent);
    for (let c = 0; c < 4; c++) for (let d = 0; d < 7; d++) expect(embeddings[c * 8 + d]).toBeCloseTo(c === d ? 1 : 0, 2);
  });
});

const data = resolve(import.meta.dirname, '../../../../shared/data/fashion/checkpoints');
if (!existsSync(data)) console.warn(`SKIPPED: the text encoder of the fashion checkpoint, ${data} is not there`);
describe.skipIf(!existsSync(data))('the fashion checkpoint', () => {
  it('embeds class names as plain onnxruntime does from their bytes', async () => {
    const checkpoint = await openCheckpoint('fashion-clip', data);
    expect(checkpoint).toMatchObject({ dim: 128, image: { height: 80, width: 80 }, text: { length: 32 } });
    expect(checkpoint.logitScale).toBeCloseTo(Math.exp(2.908731460571289), 10);
    expect(checkpoint.preprocessing).toEqual({
      resize: { rule: 'longest-edge', size: 80 },
      filter: 'bicubic',
      crop: null,
      pad: { height: 80, width: 80, value: 0, position: 'centre' },
      rescale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
    const classes = ['topwear', 'Bottomwear', 'loungewear and nightwear of great length'];
    const session = await ort.InferenceSession.create(join(data, 'fashion-clip/onnx/text_model.onnx'), { logSeverityLevel: 4 });
    const ids = classes.flatMap((name) => {
      const bytes = [...new TextEncoder().encode(name.toLowerCase())].slice(0, 30);
      return [2, ...bytes, 3, ...new Array<number>(30 - bytes.length).fill(0)];
    });
    const output = await session.run({ input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [3, 32]) });
    const expected = Array.from({ length: 3 }, (_, i) => (output.text_embeds!.data as Float32Array).subarray(i * 128, (i + 1) * 128));
    expectRows(await embedTexts(checkpoint, 'cpu', classes, silent), expected, 5);
  });
});
