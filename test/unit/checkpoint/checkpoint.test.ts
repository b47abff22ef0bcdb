import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';
import { node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { decodeModel, encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import type { CheckpointConfig } from '../../../src/shared/config';
import { tinyContext, tinyDim, tinySize, tinyWords, writeTinyClip } from '../../fixtures/tinyClip';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-checkpoint-'));
  await writeTinyClip(join(root, 'split'), { image: 'resnet' });
  await writeTinyClip(join(root, 'merged'), { image: 'vit', layout: 'merged' });
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A copy of a checkpoint to be damaged. */
let copies = 0;
async function copyOf(name: 'split' | 'merged'): Promise<string> {
  const target = join(root, `copy${copies++}`);
  await cp(join(root, name), target, { recursive: true });
  return target;
}

async function editModel(file: string, edit: (proto: ModelProto) => void): Promise<void> {
  const proto = decodeModel(await readFile(file));
  edit(proto);
  await writeFile(file, encodeModel(proto));
}

async function editJson(file: string, changes: object): Promise<void> {
  const json = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...json, ...changes }));
}

describe('what is found in a checkpoint', () => {
  it('a folder with two encoders', async () => {
    const checkpoint = await openCheckpoint('split', root);
    expect(checkpoint.image).toMatchObject({ input: 'pixel_values', output: 'image_embeds', dtype: 'float32', batch: null, height: tinySize, width: tinySize, dim: tinyDim });
    expect(checkpoint.text).toMatchObject({ input: 'input_ids', output: 'text_embeds', dtype: 'int64', attentionMask: 'attention_mask', batch: null, length: null });
    expect(checkpoint.dim).toBe(tinyDim);
    expect(checkpoint.logitScale).toBeCloseTo(Math.exp(2.6592), 10);
    expect(checkpoint.tokenizer).toMatchObject({ kind: 'WordPiece', vocabulary: tinyWords.length + 4, maxLength: tinyContext, fixedLength: null });
    expect(checkpoint.preprocessing).toMatchObject({ resize: { rule: 'shortest-edge', size: tinySize }, filter: 'bicubic' });
    expect(checkpoint.notes).toEqual([]);
  });
  it('a merged model, each encoder cut out to run alone', async () => {
    const { image, text } = await openCheckpoint('merged', root);
    const inputs = (proto: ModelProto) => proto.graph.input.map(({ name }) => name).sort();
    expect(inputs(image.model.proto)).toEqual(['pixel_values']);
    expect(inputs(text.model.proto)).toEqual(['attention_mask', 'input_ids']);
    for (const { model, output } of [image, text]) expect(model.proto.graph.output.map(({ name }) => name)).toEqual([output]);
    expect(image.model.proto.graph.node.some(({ output }) => output.some((name) => name.startsWith('/text_model/')))).toBe(false);
  });
  it.each<[string, CheckpointConfig]>([
    ['the merged .onnx itself, with its companions one folder up', 'merged/onnx/model.onnx'],
    ['a mapping with two encoders', { vision: 'split/onnx/vision_model.onnx', text: 'split/onnx/text_model.onnx' }],
    ['a mapping with folders for tokenizer and preprocessor', { model: 'merged/onnx/model.onnx', tokenizer: 'split', preprocessor: 'split/preprocessor_config.json' }],
  ])('%s', async (_, config) => {
    const checkpoint = await openCheckpoint(config, root);
    expect(checkpoint.dim).toBe(tinyDim);
    expect(checkpoint.tokenizer.vocabulary).toBe(tinyWords.length + 4);
  });
  it.each([
    ['encoders at the top level', ['vision_model.onnx', 'text_model.onnx'], '.'],
    ["open_clip's names", ['visual.onnx', 'textual.onnx'], '.'],
    ['half precision only', ['vision_model_fp16.onnx', 'text_model_fp16.onnx'], 'onnx'],
  ])('%s', async (_, [vision, text], place) => {
    const folder = await copyOf('split');
    await rename(join(folder, 'onnx/vision_model.onnx'), join(folder, place, vision!));
    await rename(join(folder, 'onnx/text_model.onnx'), join(folder, place, text!));
    const { layout } = await openCheckpoint(folder, '/');
    expect([layout.vision, layout.text].map((file) => basename(file))).toEqual([vision, text]);
  });
  it('full precision wins over half, and two encoders over a merged model', async () => {
    const folder = await copyOf('split');
    await cp(join(folder, 'onnx/vision_model.onnx'), join(folder, 'onnx/vision_model_fp16.onnx'));
    await cp(join(root, 'merged/onnx/model.onnx'), join(folder, 'onnx/model.onnx'));
    expect((await openCheckpoint(folder, '/')).layout).toMatchObject({ merged: false, vision: join(folder, 'onnx/vision_model.onnx') });
  });
  it('half-precision graphs and weights in a file of their own', async () => {
    await writeTinyClip(join(root, 'half'), { image: 'vit-mean', dtype: 'float16', externalData: true });
    const { image } = await openCheckpoint('half', root);
    expect(image).toMatchObject({ dtype: 'float16', dim: tinyDim });
    expect(image.model.externalFiles.map((file) => basename(file))).toEqual(['vision_model.onnx_data']);
  });
  it('inputs and outputs by shape where their names say nothing', async () => {
    const folder = await copyOf('split');
    await editModel(join(folder, 'onnx/vision_model.onnx'), ({ graph }) => {
      graph.node.push(node('Shape', ['image_embeds'], ['a_shape']), node('Identity', ['image_embeds'], ['v77']), node('Identity', ['image_embeds'], ['image_logits']));
      graph.output = [valueInfo('a_shape', 'int64', [2]), valueInfo('image_logits', 'float32', ['n', tinyDim]), valueInfo('v77', 'float32', ['n', tinyDim])];
    });
    expect((await openCheckpoint(folder, '/')).image.output).toBe('v77');
  });
  it('the embedding length from the projection, where the exporter left the shape open', async () => {
    const folder = await copyOf('merged');
    await editModel(join(folder, 'onnx/model.onnx'), ({ graph }) => {
      graph.output = graph.output.map(({ name }) => valueInfo(name, 'float32', ['n', `Div${name}_dim_1`]));
    });
    const { image, text } = await openCheckpoint(folder, '/');
    expect([image.dim, text.dim]).toEqual([tinyDim, tinyDim]);
  });
  it("the preprocessing's size where the graph leaves height and width open", async () => {
    const folder = await copyOf('split');
    await editModel(join(folder, 'onnx/vision_model.onnx'), ({ graph }) => {
      graph.input = [valueInfo('pixel_values', 'float32', ['n', 3, 'h', 'w'])];
    });
    expect((await openCheckpoint(folder, '/')).image).toMatchObject({ height: tinySize, width: tinySize });
  });
  it("image_processor inside a processor_config.json, and open_clip's config", async () => {
    const folder = await copyOf('split');
    const processor = JSON.parse(await readFile(join(folder, 'preprocessor_config.json'), 'utf8')) as object;
    await rm(join(folder, 'preprocessor_config.json'));
    await writeFile(join(folder, 'processor_config.json'), JSON.stringify({ image_processor: processor, processor_class: 'CLIPProcessor' }));
    expect((await openCheckpoint(folder, '/')).preprocessing.crop).toEqual({ height: tinySize, width: tinySize });
    await rm(join(folder, 'processor_config.json'));
    await writeFile(join(folder, 'open_clip_config.json'), JSON.stringify({ model_cfg: {}, preprocess_cfg: { size: tinySize, resize_mode: 'squash' } }));
    expect((await openCheckpoint(folder, '/')).preprocessing.resize).toEqual({ rule: 'exact', height: tinySize, width: tinySize });
  });
  it('a preprocessing written out in the config', async () => {
    const preprocessing = { resize: { rule: 'exact' as const, height: tinySize, width: tinySize }, filter: 'nearest' as const, crop: null, pad: null, rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
    const config = { vision: 'split/onnx/vision_model.onnx', text: 'split/onnx/text_model.onnx', preprocessing };
    expect((await openCheckpoint(config, root)).preprocessing).toEqual(preprocessing);
  });
});

describe('what is wrong with a checkpoint, in one sentence', () => {
  const refused = async (config: CheckpointConfig, code: string, ...named: string[]) => {
    const error: unknown = await openCheckpoint(config, root).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ name: 'RavlError', code });
    const { message, hint } = error as { message: string; hint: string };
    for (const part of named) expect(`${message} ${hint}`).toContain(part);
    expect(message).toMatch(/\.$/);
    expect(message).not.toContain('\n');
  };
  /** A copy with one thing wrong. */
  const damaged = async (name: 'split' | 'merged', edit: (folder: string) => Promise<unknown>) => {
    const folder = await copyOf(name);
    await edit(folder);
    return folder;
  };

  it('no such path', () => refused('nowhere', 'checkpoint-missing', 'nowhere'));
  it('an empty folder', async () => {
    await mkdir(join(root, 'empty'));
    await refused('empty', 'checkpoint-without-onnx', 'nothing');
  });
  it.each(['pytorch_model.bin', 'model.safetensors', 'best.pt'])('a folder with %s only: how to export it', async (name) => {
    const folder = join(root, `torch-${name}`);
    await mkdir(folder);
    await writeFile(join(folder, name), 'weights');
    await refused(folder, 'checkpoint-without-onnx', name, 'optimum-cli export onnx');
  });
  it('a .pt file given directly', async () => {
    await writeFile(join(root, 'weights.pt'), 'PK\x03\x04weights of a model');
    await refused('weights.pt', 'onnx-other-format', 'weights.pt', 'optimum-cli');
  });
  it('ONNX files with unknown names', async () => {
    const folder = join(root, 'strange');
    await mkdir(folder);
    for (const name of ['a.onnx', 'b.onnx']) await cp(join(root, 'split/onnx/text_model.onnx'), join(folder, name));
    await refused(folder, 'checkpoint-ambiguous', 'a.onnx, b.onnx', 'checkpoint.vision');
  });
  it('an image encoder alone', async () => {
    await refused(await damaged('split', (folder) => rm(join(folder, 'onnx/text_model.onnx'))), 'checkpoint-text-missing', 'checkpoint.text');
    await refused({ vision: 'split/onnx/vision_model.onnx' }, 'checkpoint-text-missing', 'split/onnx/vision_model.onnx');
    await refused('split/onnx/vision_model.onnx', 'checkpoint-text-missing', 'vision_model.onnx');
  });
  it('a text encoder alone', async () => {
    await refused(await damaged('split', (folder) => rm(join(folder, 'onnx/vision_model.onnx'))), 'checkpoint-image-missing', 'checkpoint.vision');
    await refused('split/onnx/text_model.onnx', 'checkpoint-image-missing', 'text_model.onnx');
  });
  it('a model that takes no images', async () => {
    const folder = await damaged('split', (folder) =>
      editModel(join(folder, 'onnx/vision_model.onnx'), ({ graph }) => {
        graph.input = [valueInfo('pixel_values', 'float32', ['n', 12288])];
      }),
    );
    await refused(folder, 'checkpoint-image-input', 'vision_model.onnx', 'pixel_values: float32 [n, 12288]');
  });
  it('an image model without an embedding', async () => {
    const folder = await damaged('split', (folder) =>
      editModel(join(folder, 'onnx/vision_model.onnx'), ({ graph }) => {
        graph.node.push(node('Shape', ['image_embeds'], ['logits']));
        graph.output = [valueInfo('logits', 'int64', [2])];
      }),
    );
    await refused(folder, 'checkpoint-image-output', 'logits: int64 [2]', 'checkpoint.imageOutput');
  });
  it('names that the graph does not have', async () => {
    const files = { vision: 'split/onnx/vision_model.onnx', text: 'split/onnx/text_model.onnx' };
    await refused({ ...files, imageOutput: 'embeds' }, 'checkpoint-name-unknown', '"embeds"', 'image_embeds', 'checkpoint.imageOutput');
    await refused({ ...files, textInput: 'words' }, 'checkpoint-name-unknown', '"words"', 'input_ids');
  });
  it('a named file that is not there', async () => {
    await refused({ model: 'gone.onnx' }, 'checkpoint-file-missing', 'gone.onnx', 'checkpoint.model');
    await refused({ model: 'merged/onnx/model.onnx', tokenizer: 'gone' }, 'checkpoint-file-missing', 'gone', 'checkpoint.tokenizer');
    await refused({ model: 'merged/onnx/model.onnx', preprocessor: 'gone' }, 'checkpoint-file-missing', 'gone', 'checkpoint.preprocessor');
  });
  it('a missing tokenizer or preprocessor', async () => {
    await refused(await damaged('split', (folder) => rm(join(folder, 'tokenizer.json'))), 'checkpoint-tokenizer-missing', 'checkpoint.tokenizer');
    await refused(await damaged('split', (folder) => rm(join(folder, 'preprocessor_config.json'))), 'checkpoint-preprocessor-missing', 'checkpoint.preprocessor');
    const slow = await damaged('split', (folder) => rename(join(folder, 'tokenizer.json'), join(folder, 'vocab.json')));
    await refused(slow, 'checkpoint-tokenizer-missing', 'save_pretrained');
  });
  it('a tokenizer that knows more tokens than the text encoder', async () => {
    const folder = await damaged('split', (folder) =>
      editModel(join(folder, 'onnx/text_model.onnx'), ({ graph }) => {
        graph.initializer = graph.initializer.map((tensor) => (tensor.name.endsWith('token_embedding') ? tensorProto(tensor.name, [20, 16], new Float32Array(320)) : tensor));
      }),
    );
    await refused(folder, 'checkpoint-tokenizer-wrong', `${tinyWords.length + 3}`, '0 to 19', 'checkpoint.tokenizer');
  });
  it('a preprocessor of another image size', async () => {
    const folder = await damaged('split', (folder) => editJson(join(folder, 'preprocessor_config.json'), { crop_size: 224, size: 224 }));
    await refused(folder, 'checkpoint-image-size', '64×64', '224×224');
    await editJson(join(folder, 'preprocessor_config.json'), { crop_size: { height: 32, width: 64 } });
    await refused(folder, 'checkpoint-image-size', '64×64', '64×32');
  });
  it('encoders that do not belong together', async () => {
    const folder = await damaged('split', (folder) =>
      editModel(join(folder, 'onnx/text_model.onnx'), ({ graph }) => {
        graph.node.push(node('Concat', ['text_embeds', 'text_embeds'], ['twice'], { axis: 1 }));
        graph.output = [valueInfo('twice', 'float32', ['n', 2 * tinyDim])];
      }),
    );
    await refused(folder, 'checkpoint-dims-differ', `${tinyDim}`, `${2 * tinyDim}`);
  });
  it('damaged JSON', async () => {
    for (const name of ['config.json', 'tokenizer.json', 'preprocessor_config.json']) {
      const folder = await damaged('split', (folder) => writeFile(join(folder, name), '{"a": '));
      await refused(folder, 'checkpoint-json-malformed', name);
    }
  });
});
