import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { describeCheckpoint } from '../../../src/engine/checkpoint/describe';
import { encoderFamily, isNormalised } from '../../../src/engine/checkpoint/family';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { tinyDim, tinyWords, writeTinyClip } from '../../fixtures/tinyClip';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-describe-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('describeCheckpoint', () => {
  it('lists the files with their sizes and hashes', async () => {
    await writeTinyClip(join(root, 'external'), { externalData: true });
    const { files } = await describeCheckpoint(await openCheckpoint('external', root));
    expect(files.map(({ role, path }) => `${role}: ${path}`)).toEqual([
      'image encoder: onnx/vision_model.onnx',
      'text encoder: onnx/text_model.onnx',
      'external data: onnx/vision_model.onnx_data',
      'external data: onnx/text_model.onnx_data',
      'tokenizer: tokenizer.json',
      'tokenizer config: tokenizer_config.json',
      'preprocessor: preprocessor_config.json',
      'config: config.json',
    ]);
    for (const { path, bytes, sha256 } of files) {
      const content = await readFile(join(root, 'external', path));
      expect([bytes, sha256]).toEqual([content.byteLength, createHash('sha256').update(content).digest('hex')]);
    }
  });
  it('says what the encoders are', async () => {
    await writeTinyClip(join(root, 'merged'), { layout: 'merged' });
    const { image, text, notes, files } = await describeCheckpoint(await openCheckpoint('merged', root));
    expect(image).toMatchObject({ family: 'cnn', opset: 17, dtype: 'float32', quantized: false, externalData: false, normalised: true, height: 64 });
    expect(text).toMatchObject({ normalised: true, inputs: [{ name: 'input_ids' }, { name: 'attention_mask' }], output: { name: 'text_embeds' } });
    // Token and position tables, projection; the two int64 constants are no weights.
    expect(text.parameters).toBe((tinyWords.length + 4) * 16 + 16 * 16 + 16 * tinyDim);
    expect(notes).toEqual([]);
    expect(files[0]).toMatchObject({ role: 'model', path: 'onnx/model.onnx' });
  });
  it.each([
    ['resnet', 'cnn'],
    ['clip-resnet', 'cnn with attention pooling'],
    ['vit', 'vit'],
    ['vit-mean', 'vit'],
  ] as const)('takes %s for a %s', async (image, family) => {
    await writeTinyClip(join(root, image), { image });
    expect((await describeCheckpoint(await openCheckpoint(image, root))).image.family).toBe(family);
  });
});

describe('isNormalised', () => {
  const graph = (...nodes: ReturnType<typeof node>[]) =>
    model({ nodes, inputs: [valueInfo('x', 'float32', ['n', 4])], outputs: [valueInfo('y', 'float32', ['n', 4])], initializers: [tensorProto('two', [], Float32Array.of(2)), tensorProto('axis', [1], BigInt64Array.of(1n))] });
  it.each([
    ['x / ReduceL2(x)', true, [node('ReduceL2', ['x'], ['n'], { axes: [1] }), node('Div', ['x', 'n'], ['y'])]],
    ['functional.normalize: clipped and expanded', true, [node('ReduceL2', ['x'], ['n'], { axes: [1] }), node('Clip', ['n', 'two'], ['c']), node('Expand', ['c', 'axis'], ['e']), node('Div', ['x', 'e'], ['y'])]],
    ['sqrt of a sum of squares', true, [node('Mul', ['x', 'x'], ['s']), node('ReduceSum', ['s', 'axis'], ['t']), node('Sqrt', ['t'], ['n']), node('Div', ['x', 'n'], ['y'])]],
    ['LpNormalization', true, [node('LpNormalization', ['x'], ['y'])]],
    ['a plain quotient', false, [node('Div', ['x', 'two'], ['y'])]],
    ['a sum', false, [node('Add', ['x', 'x'], ['y'])]],
    ['a LayerNorm: a root, but of a mean', false, [node('Mul', ['x', 'x'], ['s']), node('ReduceMean', ['s'], ['t'], { axes: [1] }), node('Sqrt', ['t'], ['n']), node('Div', ['x', 'n'], ['y'])]],
  ])('%s: %s', (_, expected, nodes) => {
    expect(isNormalised(graph(...nodes), 'y')).toBe(expected);
    expect(encoderFamily(graph(...nodes))).toBe('unknown');
  });
});

const data = resolve(import.meta.dirname, '../../../../shared/data/fashion/checkpoints');
if (!existsSync(data)) console.warn(`SKIPPED: the description of the fashion checkpoint, ${data} is not there`);
describe.skipIf(!existsSync(data))('the fashion checkpoint', () => {
  it('is a float32 ViT with a byte-level tokenizer of 32 tokens', async () => {
    const described = await describeCheckpoint(await openCheckpoint('fashion-clip', data));
    expect(described).toMatchObject({
      dim: 128,
      image: { family: 'vit', dtype: 'float32', height: 80, width: 80, normalised: true, quantized: false },
      text: { normalised: true },
      tokenizer: { kind: 'BPE', vocabulary: 256, fixedLength: 32, padId: 0 },
    });
    // The two graphs are little but weights, so values × 4 bytes nearly fill the files.
    const [vision, text] = described.files;
    for (const [file, encoder] of [[vision, described.image], [text, described.text]] as const) {
      expect(encoder.parameters * 4).toBeLessThan(file!.bytes);
      expect(encoder.parameters * 4).toBeGreaterThan(0.8 * file!.bytes);
    }
  });
});
