import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differentiate, gradientName } from '../../../src/engine/autodiff/differentiate';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { captionWords } from '../../../src/engine/benchmark/captions';
import { rectangleColours } from '../../../src/engine/benchmark/marks';
import { classNames } from '../../../src/engine/benchmark/idx';
import { smallClip, writeSmallClip } from '../../../src/engine/benchmark/smallClip';
import { openCheckpoint, type Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { embedTexts } from '../../../src/engine/checkpoint/textEmbeddings';
import { preprocess } from '../../../src/engine/dataset/preprocess';
import { splitEncoder } from '../../../src/engine/discovery/encoderGraphs';
import { node, tensorProto } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { readTensor } from '../../../src/engine/onnx/tensor';
import { openSession, Tensor, type Feeds } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';

const words = captionWords(classNames['fashion-mnist'], Object.keys(rectangleColours));
const quiet = () => undefined;
let folder: string;
let checkpoint: Checkpoint;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-small-clip-'));
  await writeSmallClip(folder, words, 1);
  checkpoint = await openCheckpoint(folder, '.');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const floats = (proto: ModelProto) => proto.graph.initializer.filter(({ dataType }) => dataType === 1);
const norms = (rows: Float32Array, dim: number) => Array.from({ length: rows.length / dim }, (_, i) => Math.hypot(...rows.subarray(i * dim, (i + 1) * dim)));

describe('the small CLIP', () => {
  it('is found to be a checkpoint of 56×56 pixels and 64 dims, with the logit scale of CLIP', () => {
    expect(checkpoint.dim).toBe(64);
    expect([checkpoint.image.height, checkpoint.image.width]).toEqual([56, 56]);
    expect(checkpoint.logitScale).toBeCloseTo(1 / 0.07, 2);
    expect(checkpoint.notes).toEqual([]);
    expect(checkpoint.tokenizer.maxLength).toBe(16);
  });

  it('has fewer than 100,000 weights in half a megabyte', async () => {
    const count = [checkpoint.image.model.proto, checkpoint.text.model.proto].flatMap(floats).reduce((sum, { dims }) => sum + dims.reduce<number>((a, b) => a * Number(b), 1), 0);
    expect(count).toBeLessThan(100_000);
    const sizes = await Promise.all(['vision', 'text'].map((part) => stat(join(folder, 'onnx', `${part}_model.onnx`))));
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(500_000);
  });

  it('shows its pictures pixel by pixel, near mean 0', () => {
    const data = Uint8Array.from({ length: 56 * 56 * 3 }, (_, at) => at % 256);
    const input = new Float32Array(3 * 56 * 56);
    preprocess({ data, width: 56, height: 56 }, checkpoint.preprocessing, input, 0);
    for (const [x, y, c] of [[0, 0, 0], [55, 55, 2], [17, 30, 1]] as const) {
      expect(input[c * 56 * 56 + y * 56 + x]).toBeCloseTo((data[(y * 56 + x) * 3 + c]! / 255 - 0.1) / 0.25, 5);
    }
  });

  it('knows every word of its captions, and tells texts apart', async () => {
    const unknown = 1n;
    for (const word of words) expect([...checkpoint.tokenizer.encode([word]).inputIds], word).not.toContain(unknown);
    expect([...checkpoint.tokenizer.encode(['giraffe']).inputIds]).toEqual([unknown]);
    expect(checkpoint.tokenizer.encode(['A Photo of a COAT'])).toEqual(checkpoint.tokenizer.encode(['a photo of a coat']));
    const rows = await embedTexts(checkpoint, 'cpu', ['a photo of a coat', 'a photo of a boot', 'coat', 'giraffe'], quiet);
    for (const norm of norms(rows, 64)) expect(norm).toBeCloseTo(1, 5);
    const cosine = (a: number, b: number) => rows.subarray(a * 64, a * 64 + 64).reduce((sum, value, d) => sum + value * rows[b * 64 + d]!, 0);
    expect(cosine(0, 1)).toBeLessThan(0.999);
    expect(cosine(0, 3)).toBeLessThan(0.999);
  });

  it('gives a text the same embedding whatever it is batched with', async () => {
    const [alone, padded] = await Promise.all([embedTexts(checkpoint, 'cpu', ['coat'], quiet), embedTexts(checkpoint, 'cpu', ['coat', 'one can see a boot in the image'], quiet)]);
    alone.forEach((value, d) => expect(padded[d]).toBeCloseTo(value, 6));
  });

  it('reads a text as the mean of its words', async () => {
    const { text } = smallClip(words, 1);
    // Untrained, the bias is 0, and the length of the sum would not show in a normalised embedding.
    const initializer = text.graph.initializer.map((tensor) => (tensor.name === 'projection.bias' ? tensorProto(tensor.name, [64], new Float32Array(64).fill(0.3)) : tensor));
    const session = await openSession(encodeModel({ ...text, graph: { ...text.graph, initializer } }));
    const { inputIds, attentionMask, dims } = checkpoint.tokenizer.encode(['coat', 'coat coat coat', 'coat boot']);
    const { text_embeds } = await session.run({ input_ids: new Tensor('int64', inputIds, dims), attention_mask: new Tensor('int64', attentionMask, dims) });
    await session.release();
    const [coat, coats, both] = [0, 64, 128].map((start) => (text_embeds!.data as Float32Array).subarray(start, start + 64));
    coats!.forEach((value, d) => expect(value).toBeCloseTo(coat![d]!, 5));
    expect(both!.some((value, d) => Math.abs(value - coat![d]!) > 0.01)).toBe(true);
  });

  it('has the same weights for the same seed, and its image weights whatever the words', () => {
    const bytes = (proto: ModelProto) => Buffer.from(encodeModel(proto));
    const [first, again, other, fewer] = [smallClip(words, 1), smallClip(words, 1), smallClip(words, 2), smallClip(['coat'], 1)];
    expect(bytes(again.vision).equals(bytes(first.vision)) && bytes(again.text).equals(bytes(first.text))).toBe(true);
    expect(bytes(other.vision).equals(bytes(first.vision))).toBe(false);
    expect(bytes(fewer.vision).equals(bytes(first.vision))).toBe(true);
  });

  // He initialisation: uniform with variance 2 / fan-in, a quarter of it for the second convolution of a block.
  it.each([
    ['stage3.conv1.weight', 2 / (32 * 9)],
    ['stage3.conv2.weight', 0.5 / (64 * 9)],
  ])('starts from weights of the variance that ReLU asks for: %s', (weight, expected) => {
    const values = readTensor(floats(smallClip(words, 1).vision).find(({ name }) => name === weight)!).data as Float32Array;
    const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
    expect(variance / expected).toBeGreaterThan(0.97);
    expect(variance / expected).toBeLessThan(1.03);
  });
});

describe('its regions', () => {
  it('are read at 14×14, where what lies in a quadrant reaches 11 pixels into the next one at most', async () => {
    const split = (await splitEncoder(checkpoint, { mode: 'auto' }, 2))!;
    expect(split).toMatchObject({ mode: 'roi-align', map: { dims: [2, 32, 14, 14], layout: 'channels-first' } });
    // A black image, and the same with white noise in the quadrant at the bottom right.
    const pixels = new Float32Array(2 * 3 * 56 * 56).fill(-0.4);
    for (let c = 0; c < 3; c++) for (let y = 28; y < 56; y++) for (let x = 28; x < 56; x++) pixels[((3 + c) * 56 + y) * 56 + x] = 4 * Math.abs(Math.sin(c + 7 * y + x));
    const trunk = await openSession(split.trunk, { externalFolder: checkpoint.image.model.folder });
    const map = (await trunk.run({ [checkpoint.image.input]: new Tensor('float32', pixels, [2, 3, 56, 56]) }))[split.map.name]!.data as Float32Array;
    await trunk.release();
    const differs = Array.from({ length: 14 * 14 }, (_, place) => Array.from({ length: 32 }, (_, c) => map[c * 196 + place] !== map[(32 + c) * 196 + place]).includes(true));
    differs.forEach((is, place) => {
      const [y, x] = [Math.floor(place / 14), place % 14];
      // Places are 4 pixels apart; two of them lie within 11 pixels of the border, and a third in part.
      if (Math.min(y, x) < 4) expect(is, `${x},${y}`).toBe(false);
      if (Math.min(y, x) >= 7) expect(is, `${x},${y}`).toBe(true);
    });
  });
});

describe('its gradient', () => {
  const batch = 3;

  /** Σ embeddings · target, differentiated in every weight, against central differences in the largest slope of each weight. */
  async function check(proto: ModelProto, output: string, dims: Readonly<Record<string, readonly number[]>>, feeds: Feeds): Promise<number> {
    const weights = floats(proto).map((tensor) => ({ name: tensor.name, dims: tensor.dims.map(Number), data: Float32Array.from(readTensor(tensor).data as Float32Array) }));
    const target = Float32Array.from({ length: batch * 64 }, (_, at) => Math.sin(at));
    const opened = trainableInputs(proto, weights.map(({ name }) => name));
    const graph = opened.graph;
    const loss: ModelProto = {
      ...opened,
      graph: {
        ...graph,
        node: [...graph.node, node('Mul', [output, 'target'], ['products']), node('ReduceSum', ['products'], ['loss'], { keepdims: 0 })],
        initializer: [...graph.initializer, tensorProto('target', [batch, 64], target)],
        output: [{ name: 'loss' }],
      },
    };
    const { proto: folded, shapes } = await staticGraph({ proto: loss }, dims);
    const session = await openSession(encodeModel(differentiate(folded, shapes, { loss: 'loss', wrt: weights.map(({ name }) => name) })));
    const run = () => session.run({ ...feeds, ...Object.fromEntries(weights.map(({ name, dims: shape, data }) => [name, new Tensor('float32', data, shape)])) });
    const gradients = await run();
    for (const { name, data } of weights) {
      const gradient = Float32Array.from(gradients[gradientName(name)]!.data as Float32Array);
      const steepest = gradient.reduce((best, value, at) => (Math.abs(value) > Math.abs(gradient[best]!) ? at : best), 0);
      const value = data[steepest]!;
      const step = 5e-4;
      const sums: number[] = [];
      for (const sign of [1, -1]) {
        data[steepest] = value + sign * step;
        sums.push(Number((await run()).loss!.data[0]));
      }
      data[steepest] = value;
      const slope = (sums[0]! - sums[1]!) / (2 * step);
      expect(Math.abs(gradient[steepest]!), name).toBeGreaterThan(1e-3);
      // float32 sums and the kinks of ReLU within the step leave some per cent.
      expect(Math.abs(slope - gradient[steepest]!) / Math.abs(gradient[steepest]!), name).toBeLessThan(0.1);
    }
    await session.release();
    return weights.length;
  }

  it('exists for every weight of the image encoder', async () => {
    const dims = [batch, 3, 56, 56];
    const pixels = Float32Array.from({ length: batch * 3 * 56 * 56 }, (_, at) => 2 * Math.sin(at * at));
    expect(await check(smallClip(words, 1).vision, 'image_embeds', { pixel_values: dims }, { pixel_values: new Tensor('float32', pixels, dims) })).toBe(20);
  });

  it('exists for every weight of the text encoder', async () => {
    const { inputIds, attentionMask, dims } = checkpoint.tokenizer.encode(['a photo of a coat', 'the image shows a boot with a red rectangle', 'bag']);
    const feeds = { input_ids: new Tensor('int64', inputIds, dims), attention_mask: new Tensor('int64', attentionMask, dims) };
    expect(await check(smallClip(words, 1).text, 'text_embeds', { input_ids: dims, attention_mask: dims }, feeds)).toBe(3);
  });
});
