import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { valueInfo } from '../../src/engine/onnx/build';
import { graphWriter, type GraphWriter } from '../fixtures/graphWriter';
import { l2Normalise } from '../fixtures/imageTowers';
import { partModel, wordTokenizer, writeJson, writeOnnx } from '../fixtures/tinyClip';

/**
 * CLIP checkpoints with image encoders of the usual size and seeded weights: they compute nothing sensible, in the time
 * that sensible ones take. The text encoder is as small as can be.
 */
export type LargeClip = 'ViT-B/32' | 'ViT-Ti/16' | 'ResNet-50';

const size = 224;
const dim = 512;

export async function writeLargeClip(folder: string, kind: LargeClip): Promise<void> {
  const vision = graphWriter(1, 'float32', 'vision_model');
  const output = kind === 'ResNet-50' ? resnet(vision) : vit(vision, kind === 'ViT-B/32' ? [768, 12, 32] : [192, 3, 16]);
  const text = graphWriter(2, 'float32', 'text_model');
  const words = text.op('Gather', [random(text, 'token_embedding', [8, dim]), 'input_ids'], { axis: 0 });
  const textOutput = l2Normalise(text, text.op('ReduceMean', [words], { axes: [1], keepdims: 0 }), 'text_embeds');

  await mkdir(join(folder, 'onnx'), { recursive: true });
  const pixels = valueInfo('pixel_values', 'float32', ['batch_size', 3, size, size]);
  const ids = valueInfo('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const embedding = (name: string) => valueInfo(name, 'float32', ['batch_size', dim]);
  await writeOnnx(join(folder, 'onnx', 'vision_model.onnx'), partModel([{ writer: vision, inputs: [pixels], output, outputInfo: embedding(output) }]));
  await writeOnnx(join(folder, 'onnx', 'text_model.onnx'), partModel([{ writer: text, inputs: [ids], output: textOutput, outputInfo: embedding(textOutput) }]));
  await writeJson(folder, {
    'config.json': { model_type: 'clip', projection_dim: dim },
    'preprocessor_config.json': {
      image_processor_type: 'CLIPImageProcessor',
      size: { shortest_edge: size },
      resample: 3,
      crop_size: { height: size, width: size },
      image_mean: [0.48145466, 0.4578275, 0.40821073],
      image_std: [0.26862954, 0.26130258, 0.27577711],
    },
    ...wordTokenizer(['a', 'photo', 'of', 'it'], 8),
  });
}

/** 12 blocks and a class token. ViT-B/32: 87.9 M parameters, 49 patches; ViT-Ti/16: 5.6 M, 196 patches. */
function vit(w: GraphWriter, [width, heads, side]: readonly [width: number, heads: number, patch: number]): string {
  const tokens = (size / side) ** 2 + 1;
  const patch = w.op('Conv', ['pixel_values', random(w, 'patch', [width, 3, side, side])], { kernel_shape: [side, side], strides: [side, side] });
  const patches = w.op('Transpose', [w.op('Reshape', [patch, w.ints([0, width, -1])])], { perm: [0, 2, 1] });
  const batch = w.op('Slice', [w.op('Shape', ['pixel_values']), w.ints([0]), w.ints([1])]);
  const cls = w.op('Expand', [random(w, 'class', [1, 1, width]), w.op('Concat', [batch, w.ints([1, width])], { axis: 0 })]);
  const positioned = w.op('Add', [w.op('Concat', [cls, patches], { axis: 1 }), random(w, 'position', [1, tokens, width])]);
  let x = layerNorm(w, 'pre', positioned, width);
  for (let block = 0; block < 12; block++) {
    const normed = layerNorm(w, `${block}.norm1`, x, width);
    const split = (part: string, perm: number[]) =>
      w.op('Transpose', [w.op('Reshape', [linear(w, `${block}.${part}`, normed, width, width), w.ints([0, tokens, heads, width / heads])])], { perm });
    const [q, k, v] = [split('q', [0, 2, 1, 3]), split('k', [0, 2, 3, 1]), split('v', [0, 2, 1, 3])];
    const scores = w.op('Mul', [w.op('MatMul', [q, k]), w.weight(`${block}.scale`, [], [(width / heads) ** -0.5])]);
    const attended = w.op('Transpose', [w.op('MatMul', [w.op('Softmax', [scores], { axis: -1 }), v])], { perm: [0, 2, 1, 3] });
    const y = w.op('Add', [x, linear(w, `${block}.out`, w.op('Reshape', [attended, w.ints([0, tokens, width])]), width, width)]);
    const hidden = linear(w, `${block}.fc1`, layerNorm(w, `${block}.norm2`, y, width), width, 4 * width);
    const gelu = w.op('Mul', [hidden, w.op('Sigmoid', [w.op('Mul', [hidden, w.weight(`${block}.gelu`, [], [1.702])])])]);
    x = w.op('Add', [y, linear(w, `${block}.fc2`, gelu, 4 * width, width)]);
  }
  const pooled = layerNorm(w, 'post', w.op('Gather', [x, w.ints([0], [])], { axis: 1 }), width);
  return l2Normalise(w, w.op('MatMul', [pooled, random(w, 'projection', [width, dim])]), 'image_embeds');
}

/** torchvision's ResNet-50 with batch norms folded, as exporters fold them, and a projection: 24.6 M parameters. */
function resnet(w: GraphWriter): string {
  let x = w.op('Relu', [conv(w, 'stem', 'pixel_values', 3, 64, 7, 2)]);
  x = w.op('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let from = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const name = `${stage}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const narrow = w.op('Relu', [conv(w, `${name}.1`, x, from, width, 1, 1)]);
      const wide = conv(w, `${name}.3`, w.op('Relu', [conv(w, `${name}.2`, narrow, width, width, 3, stride)]), width, 4 * width, 1, 1);
      const shortcut = block === 0 ? conv(w, `${name}.shortcut`, x, from, 4 * width, 1, stride) : x;
      // Halved, so that random weights do not blow up over 16 blocks.
      x = w.op('Relu', [w.op('Mul', [w.op('Add', [wide, shortcut]), w.weight(`${name}.half`, [], [0.5])])]);
      from = 4 * width;
    }
  }
  const pooled = w.op('Flatten', [w.op('GlobalAveragePool', [x])], { axis: 1 });
  return l2Normalise(w, w.op('MatMul', [pooled, random(w, 'projection', [from, dim])]), 'image_embeds');
}

function conv(w: GraphWriter, name: string, x: string, from: number, to: number, kernel: number, stride: number): string {
  const pad = (kernel - 1) / 2;
  const inputs = [x, random(w, `${name}.weight`, [to, from, kernel, kernel]), random(w, `${name}.bias`, [to])];
  return w.op('Conv', inputs, { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] });
}

function linear(w: GraphWriter, name: string, x: string, from: number, to: number): string {
  return w.op('Add', [w.op('MatMul', [x, random(w, `${name}.weight`, [from, to])]), random(w, `${name}.bias`, [to])]);
}

function layerNorm(w: GraphWriter, name: string, x: string, width: number): string {
  const ones = w.weight(`${name}.weight`, [width], new Float32Array(width).fill(1));
  return w.op('LayerNormalization', [x, ones, w.weight(`${name}.bias`, [width], new Float32Array(width))], { axis: -1, epsilon: 1e-5 });
}

const noise = (() => {
  const random = xoroshiro128plus(1);
  return Float32Array.from({ length: 1 << 20 }, () => 2 * uniformFloat64(random) - 1);
})();

/** As the writer's own `random`, from a pool of noise that repeats: 88 million draws take half a minute. */
function random(w: GraphWriter, name: string, dims: readonly number[]): string {
  const fanIn = dims.length === 2 ? dims[0]! : dims.slice(1).reduce((a, b) => a * b, 1);
  const bound = Math.sqrt(3 / Math.max(1, fanIn));
  const values = new Float32Array(dims.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) values[i] = noise[i & (noise.length - 1)]! * bound;
  return w.weight(name, dims, values);
}
