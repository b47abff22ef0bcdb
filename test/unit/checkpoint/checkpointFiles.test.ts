import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainableInputs } from '../../../src/engine/autodiff/trainableInputs';
import { openCheckpoint, type Checkpoint } from '../../../src/engine/checkpoint/checkpoint';
import { checkpointFiles, writtenConfig, type TrainedWeights } from '../../../src/engine/checkpoint/checkpointFiles';
import { decodeModel, encodeModel } from '../../../src/engine/onnx/model';
import type { Model } from '../../../src/engine/onnx/readModel';
import { writeFolderAtomically } from '../../../src/engine/run/atomic';
import { openSession } from '../../../src/engine/runtime/session';
import { tinySize, writeTinyClip, type TinyClipOptions } from '../../fixtures/tinyClip';
import { shifted, weightsOf } from '../../fixtures/trainedWeights';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ravl-write-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

let count = 0;
const newFolder = () => join(base, String(count++));

async function tiny(options: TinyClipOptions = {}): Promise<{ folder: string; checkpoint: Checkpoint }> {
  const folder = newFolder();
  await writeTinyClip(folder, options);
  return { folder, checkpoint: await openCheckpoint(folder, '/') };
}

async function write(checkpoint: Checkpoint, weights: TrainedWeights): Promise<string> {
  const folder = newFolder();
  await writeFolderAtomically(folder, await checkpointFiles(checkpoint, weights));
  return folder;
}

async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.endsWith('ravl-manifest.json')).sort();
  return new Map(await Promise.all(paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path)] as const)));
}

const distinctValues = async (model: Model, name: string) => [...new Set((await weightsOf(model)).get(name))];

const layouts: TinyClipOptions[] = [
  { image: 'vit' },
  { image: 'vit', layout: 'merged' },
  { image: 'resnet', externalData: true },
  { image: 'clip-resnet', layout: 'merged', externalData: true },
  { image: 'resnet', dtype: 'float16' },
  { image: 'vit', layout: 'merged', dtype: 'float16', externalData: true },
];

describe('a written checkpoint', () => {
  it.each(layouts)('with the weights it had is the original to the byte: %o', async (options) => {
    const { folder, checkpoint } = await tiny(options);
    const weights = { image: await weightsOf(checkpoint.image.model), text: await weightsOf(checkpoint.text.model) };
    for (const each of [{}, weights]) await expectOnlyChanged(folder, await write(checkpoint, each), []);
  });

  it.each(layouts)('has the new weights, rounded to its element type, and nothing else is new: %o', async (options) => {
    const { folder, checkpoint } = await tiny(options);
    const image = shifted(await weightsOf(checkpoint.image.model), 1);
    const [kept] = image.keys();
    image.delete(kept!);
    const written = await write(checkpoint, { image });
    const model = (await openCheckpoint(written, '/')).image.model;
    const found = await weightsOf(model);
    for (const [name, values] of image) {
      const stored = found.get(name)!;
      // A half has 11 bits.
      const off = options.dtype === 'float16' ? stored.filter((value, at) => Math.abs(value - values[at]!) > Math.max(2 ** -25, Math.abs(values[at]!) * 2 ** -11)) : [];
      expect([...off], name).toEqual([]);
      if (options.dtype !== 'float16') expect(stored).toEqual(values);
    }
    await expectOnlyChanged(folder, written, [...image.keys()]);
  });

  it.each(layouts.slice(0, 2))('embeds as a session that is fed the same weights: %o', async (options) => {
    const { checkpoint } = await tiny(options);
    const { model, input, output } = checkpoint.image;
    const image = shifted(await weightsOf(model), 2);
    const pixels = new Tensor('float32', Float32Array.from({ length: 2 * 3 * tinySize ** 2 }, (_, i) => Math.sin(i * i)), [2, 3, tinySize, tinySize]);
    const fed = await openSession(encodeModel(trainableInputs(model.proto, [...image.keys()])), { externalFolder: model.folder });
    const dims = new Map(model.proto.graph.initializer.map((tensor) => [tensor.name, tensor.dims.map(Number)]));
    const expected = (await fed.run({ [input]: pixels, ...Object.fromEntries([...image].map(([name, values]) => [name, new Tensor('float32', values, dims.get(name)!)])) }))[output]!;
    await fed.release();

    const written = await openCheckpoint(await write(checkpoint, { image }), '/');
    const before = await embed(checkpoint, pixels);
    const after = await embed(written, pixels);
    expect(largestDifference(after, expected.data as Float32Array)).toBeLessThan(1e-5);
    expect(largestDifference(after, before)).toBeGreaterThan(1e-3);
  });

  it('brings along what belongs to it and leaves out what would be stale', async () => {
    const { folder, checkpoint } = await tiny();
    const companions = ['special_tokens_map.json', 'vocab.json', 'merges.txt', 'LICENSE'];
    const others = ['README.md', 'pytorch_model.bin', 'model.safetensors', 'clip.pt', 'onnx/vision_model_quantized.onnx', 'onnx/text_model_fp16.onnx', 'holiday.json'];
    for (const name of [...companions, ...others]) await writeFile(join(folder, name), `content of ${name}`);
    await symlink('nowhere', join(folder, 'NOTICE'));
    const written = await filesIn(await write(checkpoint, {}));
    const layout = ['config.json', 'onnx/text_model.onnx', 'onnx/vision_model.onnx', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'];
    expect([...written.keys()].sort()).toEqual([...companions, ...layout].sort());
    expect(written.get('merges.txt')!.toString()).toBe('content of merges.txt');
  });

  it('may use one name for a weight of each encoder', async () => {
    const folder = newFolder();
    await writeTinyClip(folder);
    // As torch.onnx names them, by a count of its own in each export.
    const sizes = await Promise.all(['vision_model', 'text_model'].map((name) => renameFirstMatrix(join(folder, 'onnx', `${name}.onnx`), 'onnx::MatMul_7')));
    const checkpoint = await openCheckpoint(folder, '/');
    const [image, text] = sizes.map((size, index) => new Map([['onnx::MatMul_7', new Float32Array(size).fill(index + 1)]]));
    const written = await openCheckpoint(await write(checkpoint, { image: image!, text: text! }), '/');
    expect(await distinctValues(written.image.model, 'onnx::MatMul_7')).toEqual([1]);
    expect(await distinctValues(written.text.model, 'onnx::MatMul_7')).toEqual([2]);
  });

  it('follows links as they are in the cache of Hugging Face', async () => {
    const { folder } = await tiny({ externalData: true });
    const cache = newFolder();
    await mkdir(join(cache, 'blobs'), { recursive: true });
    await mkdir(join(cache, 'snapshot/onnx'), { recursive: true });
    for (const [index, path] of [...(await filesIn(folder)).keys()].entries()) {
      await rename(join(folder, path), join(cache, 'blobs', `b${index}`));
      await symlink(join('../'.repeat(path.split('/').length), 'blobs', `b${index}`), join(cache, 'snapshot', path));
    }
    const checkpoint = await openCheckpoint(join(cache, 'snapshot'), '/');
    const image = shifted(await weightsOf(checkpoint.image.model), 3);
    const written = await write(checkpoint, { image });
    expect([...(await filesIn(written)).keys()]).toContain('onnx/vision_model.onnx_data');
    const model = (await openCheckpoint(written, '/')).image.model;
    expect(await weightsOf(model)).toEqual(image);
    for (const [name] of await filesIn(written)) expect((await stat(join(written, name))).isFile()).toBe(true);
  });

  it('keeps the paths of a checkpoint given file by file, and tells the mapping for them', async () => {
    const { folder } = await tiny();
    const root = newFolder();
    for (const [from, to] of [['onnx/vision_model.onnx', 'clip/a/image.onnx'], ['onnx/text_model.onnx', 'clip/b/words.onnx'], ['tokenizer.json', 'words/tokenizer.json'], ['preprocessor_config.json', 'words/p.json']] as const) {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await cp(join(folder, from), join(root, to));
    }
    const config = { vision: 'clip/a/image.onnx', text: 'clip/b/words.onnx', tokenizer: 'words', preprocessor: 'words/p.json', imageOutput: 'image_embeds' };
    const checkpoint = await openCheckpoint(config, root);
    const image = shifted(await weightsOf(checkpoint.image.model), 4);
    const written = await write(checkpoint, { image });
    expect([...(await filesIn(written)).keys()]).toEqual(['clip/a/image.onnx', 'clip/b/words.onnx', 'words/p.json', 'words/tokenizer.json']);
    const mapping = writtenConfig(config, checkpoint.layout, written);
    const p = (path: string) => join(written, path);
    expect(mapping).toEqual({ vision: p('clip/a/image.onnx'), text: p('clip/b/words.onnx'), tokenizer: p('words/tokenizer.json'), preprocessor: p('words/p.json'), imageOutput: 'image_embeds' });
    expect(await weightsOf((await openCheckpoint(mapping, '/')).image.model)).toEqual(image);
    expect(writtenConfig('clips/mine', checkpoint.layout, written)).toBe(written);
  });
});

describe('a checkpoint that cannot be written', () => {
  it('is one whose file was changed, or has another weight of that name', async () => {
    const { folder, checkpoint } = await tiny();
    const [name, values] = [...(await weightsOf(checkpoint.image.model))][0]!;
    const file = join(folder, 'onnx/vision_model.onnx');
    await expect(checkpointFiles(checkpoint, { image: new Map([['nobody', values]]) })).rejects.toMatchObject({ code: 'onnx-weight-missing', message: expect.stringContaining('"nobody"') });
    await expect(checkpointFiles(checkpoint, { image: new Map([[name, values.subarray(1)]]) })).rejects.toMatchObject({ code: 'onnx-weight-missing', message: expect.stringContaining(file) });
    const files = await checkpointFiles(checkpoint, {});
    const changed = { code: 'onnx-file-unreadable', message: expect.stringContaining('was changed') as string };
    await utimes(file, new Date(), new Date(2020, 1));
    await expect(writeFolderAtomically(newFolder(), files)).rejects.toMatchObject(changed);
    await writeFile(file, (await readFile(file)).subarray(0, 5000));
    await expect(writeFolderAtomically(newFolder(), files)).rejects.toMatchObject(changed);
    await unlink(file);
    await expect(writeFolderAtomically(newFolder(), files)).rejects.toMatchObject({ code: 'onnx-file-unreadable', message: expect.stringContaining(file) });
    await expect(checkpointFiles(checkpoint, {})).rejects.toMatchObject({ code: 'onnx-file-missing' });
  });
});

async function embed({ image, layout }: Checkpoint, pixels: Tensor): Promise<Float32Array> {
  // Plain onnxruntime, on the file as it lies there.
  const session = await InferenceSession.create(layout.vision);
  const ids = new Tensor('int64', BigInt64Array.from([35n, 2n, 36n]), [1, 3]);
  const mask = new Tensor('int64', BigInt64Array.from([1n, 1n, 1n]), [1, 3]);
  const feeds: Record<string, Tensor> = { [image.input]: pixels, ...(layout.merged ? { input_ids: ids, attention_mask: mask } : {}) };
  const { data } = (await session.run(feeds))[image.output]!;
  await session.release();
  return data as Float32Array;
}

const largestDifference = (a: Float32Array, b: Float32Array) => a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

/** Files that differ do so in the bytes of the named weights alone. */
async function expectOnlyChanged(before: string, after: string, names: readonly string[]): Promise<void> {
  const [old, young] = [await filesIn(before), await filesIn(after)];
  expect([...young.keys()]).toEqual([...old.keys()]);
  for (const [path, bytes] of old) {
    const other = young.get(path)!;
    if (bytes.equals(other)) continue;
    const allowed = new Uint8Array(bytes.length);
    for (const file of [...old.keys()].filter((name) => name.endsWith('.onnx'))) {
      const model = old.get(file)!;
      for (const { name, rawData, externalData, dataLocation } of decodeModel(model).graph.initializer) {
        const entry = (key: string) => externalData!.find((each) => each.key === key)!.value;
        const within = dataLocation === 1 ? join(dirname(file), entry('location')) : file;
        if (!names.includes(name) || within !== path) continue;
        const offset = dataLocation === 1 ? Number(entry('offset')) : rawData!.byteOffset - model.byteOffset;
        allowed.fill(1, offset, offset + (dataLocation === 1 ? Number(entry('length')) : rawData!.byteLength));
      }
    }
    expect(other.length, path).toBe(bytes.length);
    let strays = 0;
    for (let at = 0; at < bytes.length; at++) if (bytes[at] !== other[at] && allowed[at] === 0) strays++;
    expect(strays, path).toBe(0);
  }
}

/** Renames the first matrix of weights in a model, wherever it is read; returns its number of values. */
async function renameFirstMatrix(file: string, name: string): Promise<number> {
  const proto = decodeModel(await readFile(file));
  const tensor = proto.graph.initializer.find(({ dataType, dims }) => dataType === 1 && dims.length >= 2)!;
  for (const node of proto.graph.node) node.input = node.input.map((each) => (each === tensor.name ? name : each));
  tensor.name = name;
  await writeFile(file, encodeModel(proto));
  return tensor.dims.reduce<number>((product, dim) => product * Number(dim), 1);
}
