import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingConfig } from '../../../src/shared/config';
import { findImageEncoder, findTextEncoder } from '../../../src/engine/checkpoint/encoders';
import { selectTrainable } from '../../../src/engine/training/trainable';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { readModel } from '../../../src/engine/onnx/readModel';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { graphWriter, type GraphWriter } from '../../fixtures/graphWriter';
import { imageTower, type ImageTower } from '../../fixtures/imageTowers';
import { tinySize, writeOnnx, writeTinyClip } from '../../fixtures/tinyClip';
import { convNext, mobileNet, textTower } from '../autodiff/nets';

type Choice = TrainingConfig['trainable'];
type Tower = (w: GraphWriter, input: string) => string;

const dim = 6;
const ofKind = (kind: ImageTower): Tower => (w, x) => imageTower(kind, w, x, 32, dim);
const conv = (w: GraphWriter, name: string, x: string, from: number, to = from) => w.op('Conv', [x, w.random(name, [to, from, 3, 3])], { pads: [1, 1, 1, 1] });

function net(tower: Tower, opset = 17): ModelProto {
  const w = graphWriter(5, 'float32', 'vision');
  const output = tower(w, 'pixels');
  return model({ nodes: w.nodes, initializers: w.initializers, inputs: [valueInfo('pixels', 'float32', ['n', 3, 32, 32])], outputs: [{ ...valueInfo(output, 'float32', []), type: { tensorType: { elemType: 1 } } }], opset });
}

const select = (proto: ModelProto, choice: Choice = 'all', input = { name: 'pixels', dims: [1, 3, 32, 32] }) =>
  selectTrainable({ proto, folder: '', file: 'models/vision.onnx' }, { input: input.name, output: proto.graph.output[0]!.name, dims: input.dims }, choice);

/** Without the prefix that the writer gives every name. */
const short = (names: Iterable<string>) => [...names].map((name) => name.replace(/^(vision|text)\./, ''));
const trained = async (tower: Tower, choice?: Choice) => short((await select(net(tower), choice)).names);
const failure = (proto: ModelProto, choice?: Choice) => select(proto, choice).then(() => expect.unreachable(), (error: unknown) => error as Error & { code: string; hint: string });

describe('the weights of whole nets', () => {
  it.each([
    ['ResNet', ofKind('resnet'), /running/],
    ['CLIP ResNet', ofKind('clip-resnet'), /scale_/],
    ['ViT in the form of torch.onnx', ofKind('vit'), /gelu_|scale_|\.two$|\.eps$/],
    ['ViT with LayerNormalization', ofKind('vit-mean'), /gelu_|scale_/],
    ['MobileNet', (w, x) => mobileNet(w, x, dim), /low_|high_|bn\.(mean|var)/],
    ['ConvNeXt', (w, x) => convNext(w, x, dim), /root|one|half/],
  ] satisfies [string, Tower, RegExp][])('%s: all but scalars, statistics and bounds', async (_, tower, others) => {
    const proto = net(tower);
    const floats = proto.graph.initializer.filter(({ dataType }) => dataType === 1).map(({ name }) => name);
    const { names } = await select(proto);
    expect([...names].sort()).toEqual(floats.filter((name) => !others.test(name)).sort());
    expect(names.length).toBeLessThan(floats.length);
    // In the order they are first read.
    const read = proto.graph.node.flatMap(({ input }) => input);
    expect(names).toEqual([...names].sort((a, b) => read.indexOf(a) - read.indexOf(b)));
  });

  it('a text encoder: the table of tokens, and not the causal mask', async () => {
    const w = graphWriter(5, 'float32', 'text');
    const output = textTower(w, 'input_ids', dim);
    const proto = model({ nodes: w.nodes, initializers: w.initializers, inputs: [valueInfo('input_ids', 'int64', ['n', 6])], outputs: [valueInfo(output, 'float32', ['n', dim])] });
    const { names, decay } = await select(proto, 'all', { name: 'input_ids', dims: [1, 6] });
    expect(short(names)).toEqual(['token_embedding', 'position_embedding', 'q.weight', 'q.bias', 'k.weight', 'k.bias', 'v.weight', 'v.bias', 'projection']);
    expect(short(decay)).toEqual(['token_embedding', 'position_embedding', 'q.weight', 'k.weight', 'v.weight', 'projection']);
  });

  it('decay: matrices and kernels; no biases, norms, class tokens or scales', async () => {
    const vit = await select(net(ofKind('vit')));
    const spared = short(vit.names.filter((name) => !vit.decay.has(name)));
    expect(spared.filter((name) => !/norm|layrnorm|bias/.test(name))).toEqual(['class_embedding']);
    expect(short(vit.decay)).toEqual(expect.arrayContaining(['patch_embedding.weight', 'position_embedding', 'layers.0.q_proj.weight', 'visual_projection']));
    expect(short(vit.decay).filter((name) => /bias|norm|class/.test(name))).toEqual([]);
    const next = await select(net((w, x) => convNext(w, x, dim)));
    expect(short(next.decay)).toEqual(['stem.weight', 'block1.depthwise.weight', 'block1.fc1.weight', 'block1.fc2.weight', 'block2.depthwise.weight', 'block2.fc1.weight', 'block2.fc2.weight', 'head.weight']);
  });
});

describe('what is no weight', () => {
  it('the mean and deviation of pixels, wherever they are taken in', async () => {
    const tower: Tower = (w, x) => {
      const scaled = w.op('Mul', [w.op('Transpose', [x], { perm: [0, 2, 3, 1] }), w.weight('scale', [3], [1, 2, 3])]);
      const shifted = w.op('Div', [w.op('Sub', [scaled, w.weight('mean', [3], [1, 2, 3])]), w.weight('std', [1, 1, 1, 3], [1, 2, 3])]);
      const y = conv(w, 'kernel', w.op('Transpose', [shifted], { perm: [0, 3, 1, 2] }), 3, 4);
      return w.op('Mul', [y, w.weight('gamma', [4, 1, 1], [1, 2, 3, 4])]);
    };
    expect(await trained(tower)).toEqual(['kernel', 'gamma']);
  });

  it('shapes and bounds, whatever else reads them', async () => {
    const tower: Tower = (w, x) => {
      const y = conv(w, 'kernel', x, 3, 4);
      const large = w.op('Resize', [y, '', w.weight('scales', [4], [1, 1, 2, 2])], { mode: 'linear' });
      const bounds = w.weight('bound', [4], [1, 1, 1, 1]);
      const rated = w.op('Cast', [w.op('Mul', [w.op('Cast', [w.op('Shape', [y])], { to: 1 }), w.weight('rates', [4], [1, 1, 1, 1])])], { to: 7 });
      const same = w.op('Reshape', [large, rated]);
      const normed = w.op('BatchNormalization', [same, w.weight('both', [4], [1, 1, 1, 1]), w.weight('bias', [4], [0, 0, 0, 0]), 'vision.both', 'vision.both']);
      return w.op('Pow', [w.op('Add', [normed, bounds]), bounds]);
    };
    expect(await trained(tower)).toEqual(['kernel', 'bias']);
  });

  it('masks of attention', async () => {
    const tower: Tower = (w, x) => {
      const added = (y: string, name: string, values: number[]) => w.op('Add', [y, w.weight(name, [1, 2], values)]);
      const y = w.op('MatMul', [x, w.random('weight', [32, 2])]);
      return [['huge', [1, -1e4]], ['infinite', [1, Infinity]], ['broken', [NaN, 0]], ['windows', [0, -100]], ['bias', [0, -99]], ['low', [3, -120]]].reduce((value, [name, values]) => added(value, name as string, values as number[]), y);
    };
    expect(await trained(tower)).toEqual(['weight', 'bias', 'low']);
  });

  it('values that no operator reads as a weight, single ones and those of other types', async () => {
    const tower: Tower = (w, x) => {
      w.initializers.push(tensorProto('double', [2], Float64Array.of(1, 2)));
      const y = w.op('PRelu', [conv(w, 'kernel', x, 3, 2), w.weight('slope', [2, 1, 1], [1, 2])]);
      const z = w.op('Mul', [y, w.op('Softmax', [w.weight('mix', [2, 1, 1], [1, 2])])]);
      return w.op('Clip', [w.op('Mul', [w.op('Add', [z, w.weight('one', [1], [1])]), w.weight('scalar', [], [1])]), w.op('Cast', ['double'], { to: 1 })]);
    };
    expect(await trained(tower)).toEqual(['kernel', 'slope']);
  });
});

it('a weight is followed through transposes, reshapes, slices and sums of weights, and not into other types', async () => {
  const tower: Tower = (w, x) => {
    const kernel = w.op('Transpose', [w.op('Reshape', [w.random('flat', [3 * 4, 9]), w.ints([3, 4, 3, 3])])], { perm: [1, 0, 2, 3] });
    const y = w.op('Conv', [x, kernel, w.op('Squeeze', [w.weight('bias', [4, 1], [1, 2, 3, 4]), w.ints([1])])]);
    const low = w.op('MatMul', [w.random('down', [30, 2]), w.op('Unsqueeze', [w.op('Slice', [w.weight('up', [5], [1, 2, 3, 4, 5]), w.ints([1]), w.ints([3])]), w.ints([1])])]);
    const z = w.op('MatMul', [y, w.op('Add', [w.random('base', [30, 1]), low])]);
    const half = w.op('Cast', [w.op('Cast', [w.weight('half', [4, 1, 1], [1, 2, 3, 4])], { to: 10 })], { to: 1 });
    const whole = w.op('Cast', [w.op('Cast', [w.weight('whole', [4, 1, 1], [1, 2, 3, 4])], { to: 7 })], { to: 1 });
    return w.op('Add', [w.op('Add', [z, half]), whole]);
  };
  expect(await trained(tower)).toEqual(['flat', 'bias', 'up', 'down', 'base']);
});

describe('the last blocks', () => {
  const blocks = async (tower: Tower, count: number) => [...new Set((await trained(tower, { lastBlocks: count })).map((name) => name.replace(/\.(weight|bias|[qkv]_proj.*|out_proj.*|fc.*|layer_norm.*|norm.*|depthwise.*|gamma|conv.*|downsample.*)$/, '')))];

  it('of a ViT begin with an attention', async () => {
    expect(await blocks(ofKind('vit'), 1)).toEqual(['layers.2', 'post_layernorm', 'visual_projection']);
    expect(await blocks(ofKind('vit'), 2)).toEqual(['layers.1', 'layers.2', 'post_layernorm', 'visual_projection']);
    expect(await blocks(ofKind('vit-mean'), 3)).toEqual(['layers.0', 'layers.1', 'layers.2', 'norm', 'visual_projection']);
    // The whole block, from its first norm to its last bias.
    const names = await trained(ofKind('vit'), { lastBlocks: 1 });
    expect(names.filter((name) => name.startsWith('layers.2')).length).toBe(16);
    expect(names).toContain('layers.2.layer_norm1.weight');
  });

  it('of a ResNet begin at a shortcut', async () => {
    expect(await blocks(ofKind('resnet'), 1)).toEqual(['layer3.block2', 'proj']);
    expect(await blocks(ofKind('resnet'), 2)).toEqual(['layer3', 'layer3.block2', 'proj']);
    expect(await blocks(ofKind('resnet'), 6)).toEqual(['layer1', 'layer1.block2', 'layer2', 'layer2.block2', 'layer3', 'layer3.block2', 'proj']);
  });

  it("of CLIP's ResNet: the attention pooling, then residual blocks", async () => {
    expect(await blocks(ofKind('clip-resnet'), 1)).toEqual(['attnpool.q', 'attnpool.k', 'attnpool.v', 'attnpool.c_proj']);
    expect(await blocks(ofKind('clip-resnet'), 2)).toEqual(['layer3.block2', 'attnpool.positional', 'attnpool.q', 'attnpool.k', 'attnpool.v', 'attnpool.c_proj']);
    expect((await failure(net(ofKind('clip-resnet')), { lastBlocks: 8 })).message).toContain('7 blocks');
  });

  it('of ConvNeXt and MobileNet begin at a shortcut', async () => {
    expect(await blocks((w, x) => convNext(w, x, dim), 1)).toEqual(['block2', 'norm', 'head']);
    expect((await failure(net((w, x) => convNext(w, x, dim)), { lastBlocks: 3 })).message).toContain('2 blocks');
    const names = await trained((w, x) => mobileNet(w, x, dim), { lastBlocks: 1 });
    expect(names[0]).toBe('block1.expand.weight');
  });

  it('of a plain net are its convolutions', async () => {
    const plain: Tower = (w, x) => {
      const y = ['a', 'b', 'c'].reduce((value, name, index) => w.op('Relu', [conv(w, name, value, index === 0 ? 3 : 4, 4)]), x);
      return w.op('Gemm', [w.op('Flatten', [w.op('GlobalAveragePool', [y])]), w.random('head', [4, dim])]);
    };
    expect(await trained(plain, { lastBlocks: 1 })).toEqual(['c', 'head']);
    expect(await trained(plain, { lastBlocks: 3 })).toEqual(['a', 'b', 'c', 'head']);
    const branched: Tower = (w, x) => {
      const stem = conv(w, 'stem', x, 3);
      return conv(w, 'last', w.op('Concat', [w.op('Add', [conv(w, 'left', stem, 3), w.weight('bias', [3, 1, 1], [1, 2, 3])]), conv(w, 'right', stem, 3)], { axis: 1 }), 6);
    };
    expect(await trained(branched, { lastBlocks: 2 })).toEqual(['left', 'bias', 'right', 'last']);
    expect(await trained(branched, { lastBlocks: 3 })).toEqual(['stem', 'left', 'bias', 'right', 'last']);
    expect(await failure(net(plain), { lastBlocks: 4 })).toMatchObject({ code: 'config-last-blocks', message: expect.stringContaining('vision.onnx has 3 blocks') as string });
  });

  it('leave a weight alone that earlier blocks read as well', async () => {
    const tower: Tower = (w, x) => conv(w, 'c', w.op('Conv', [conv(w, 'a', x, 3), 'vision.a'], { pads: [1, 1, 1, 1] }), 3);
    expect(await trained(tower, { lastBlocks: 2 })).toEqual(['c']);
    expect(await trained(tower, { lastBlocks: 3 })).toEqual(['a', 'c']);
    const tied: Tower = (w, x) => w.op('Conv', [conv(w, 'a', x, 3), 'vision.a'], { pads: [1, 1, 1, 1] });
    expect(await failure(net(tied), { lastBlocks: 1 })).toMatchObject({ code: 'config-nothing-trainable', message: expect.stringContaining('shared with earlier ones') as string });
  });

  it('of a net without convolutions cannot be told', async () => {
    const tower: Tower = (w, x) => w.op('MatMul', [x, w.random('weight', [32, 4])]);
    expect((await failure(net(tower), { lastBlocks: 1 })).message).toContain('no blocks');
  });
});

describe('names', () => {
  it('choose by regular expression, and within the last blocks', async () => {
    expect(await trained(ofKind('vit'), { names: ['^vision\\.class', 'layers\\.[01]\\.fc1\\.weight$'] })).toEqual(['class_embedding', 'layers.0.fc1.weight', 'layers.1.fc1.weight']);
    expect(await trained(ofKind('vit'), { names: ['fc1\\.weight$'], lastBlocks: 2 })).toEqual(['layers.1.fc1.weight', 'layers.2.fc1.weight']);
    expect((await select(net(ofKind('vit')), { names: ['layers.2.fc1'] })).decay).toEqual(new Set(['vision.layers.2.fc1.weight']));
  });

  it('that are wrong are named, with some that exist', async () => {
    const proto = net(ofKind('resnet'));
    expect(await failure(proto, { names: ['conv', '('] })).toMatchObject({ code: 'config-trainable-names', message: expect.stringContaining("'('") as string });
    const unknown = await failure(proto, { names: ['conv', 'running_mean'] });
    expect(unknown).toMatchObject({ code: 'config-trainable-names', message: expect.stringContaining("'running_mean'") as string });
    expect(unknown.hint).toContain('vision.stem.weight');
    expect(await failure(proto, { names: ['stem'], lastBlocks: 2 })).toMatchObject({ code: 'config-nothing-trainable', message: expect.stringContaining("the last 2 blocks have no weight that 'stem' fits") as string });
  });
});

describe('a model that cannot be trained', () => {
  it('with its weights in Constant nodes', async () => {
    const constant = node('Constant', [], ['kernel'], { value: tensorProto('', [4, 3, 3, 3], new Float32Array(108)) });
    const proto = net((w, x) => w.op('Conv', [x, 'kernel']));
    proto.graph.node.unshift(constant);
    expect(await failure(proto)).toMatchObject({ code: 'checkpoint-nothing-trainable', message: expect.stringContaining('vision.onnx') as string });
  });

  it('that is quantized', async () => {
    const proto = net((w, x) => {
      const integers = tensorProto('integers', [4, 3, 3, 3], new Int8Array(108));
      w.initializers.push(integers);
      return w.op('Conv', [x, w.op('DequantizeLinear', ['integers', w.weight('step', [], [0.1])])]);
    });
    expect(await failure(proto)).toMatchObject({ code: 'checkpoint-quantized', hint: expect.stringContaining('float32') as string });
  });
});

describe('models on disk', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ravl-trainable-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('each encoder of a merged one has its own weights', async () => {
    await writeTinyClip(folder, { image: 'vit', layout: 'merged' });
    const merged = await readModel(join(folder, 'onnx', 'model.onnx'));
    const [image, text] = [findImageEncoder(merged, {}), findTextEncoder(merged, {})];
    const images = await selectTrainable(image.model, { ...image, dims: [1, 3, tinySize, tinySize] }, { lastBlocks: 3 });
    expect(images.names.every((name) => name.startsWith('vision_model.'))).toBe(true);
    const texts = await selectTrainable(text.model, { ...text, dims: [1, 5] }, 'all');
    expect(texts.names).toEqual(['text_model.token_embedding', 'text_model.position_embedding', 'text_model.text_projection']);
    // The whole file, as it is read, gives the same.
    expect(await selectTrainable(merged, { ...text, dims: [1, 5] }, 'all')).toEqual(texts);
  });

  it('a mask is known for one in an external file too', async () => {
    const proto = net((w, x) => w.op('Add', [w.op('MatMul', [x, w.random('weight', [32, 32])]), w.weight('mask', [32, 32], Array.from({ length: 1024 }, (_, at) => (at % 32 > at / 32 ? -65504 : 0)))]));
    await writeOnnx(join(folder, 'masked.onnx'), proto, true);
    const read = await readModel(join(folder, 'masked.onnx'));
    expect((await selectTrainable(read, { input: 'pixels', output: proto.graph.output[0]!.name, dims: [1, 3, 32, 32] }, 'all')).names).toEqual(['vision.weight']);
  });

  const fashion = resolve('../shared/data/fashion/checkpoints/fashion-clip/onnx');
  if (!existsSync(fashion)) console.warn('Skipped: the exported fashion CLIP is not here.');
  it.skipIf(!existsSync(fashion))('an export whose matrices have lost their names', async () => {
    const vision = await readModel(join(fashion, 'vision_model.onnx'));
    const ends = { input: 'pixel_values', output: 'image_embeds', dims: [1, 3, 80, 80] };
    const all = await selectTrainable(vision, ends, 'all');
    expect([...all.names].sort()).toEqual(vision.proto.graph.initializer.map(({ name }) => name).sort());
    // 8 blocks with 4 matrices each, the patch kernel, positions and projection.
    expect(all.decay.size).toBe(8 * 4 + 3);
    const last = await selectTrainable(vision, ends, { lastBlocks: 2 });
    const block = (index: number, first: number) => [
      ...['norm1.weight', 'norm1.bias', 'qkv.bias', 'out.bias', 'norm2.weight', 'norm2.bias', 'fc1.bias', 'fc2.bias'].map((name) => `blocks.${index}.${name}`),
      ...[0, 5, 6, 7].map((offset) => `onnx::MatMul_${first + offset}`),
    ];
    expect([...last.names].sort()).toEqual([...block(6, 895), ...block(7, 903), 'proj'].sort());
    await expect(selectTrainable(vision, ends, { lastBlocks: 9 })).rejects.toThrow('8 blocks');
    const text = await readModel(join(fashion, 'text_model.onnx'));
    const texts = await selectTrainable(text, { input: 'input_ids', output: 'text_embeds', dims: [1, 16] }, 'all');
    expect(texts.names).toContain('embed.weight');
  });
});
