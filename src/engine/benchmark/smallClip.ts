/**
 * A CLIP that a laptop trains from scratch in minutes, written as a checkpoint in the Hugging Face layout with seeded, untrained
 * weights: a small ResNet over 56×56 pixels (imageTower.ts) and a bag of words (textTower.ts), both into 64 dims.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { model, valueInfo } from '../onnx/build';
import { encodeModel } from '../onnx/model';
import type { ModelProto } from '../onnx/schema';
import { writeFileAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { graphWriter } from './graphWriter';
import { imageTower } from './imageTower';
import { textTower } from './textTower';
import { tokenRows, wordTokenizer } from './tokenizer';

/** Side of the images, in pixels: that of the scenes, so that nothing is resized. */
export const imageSize = 56;
export const embeddingSize = 64;

export interface SmallClip {
  readonly vision: ModelProto;
  readonly text: ModelProto;
}

/** The two encoders, untrained; `words` are those the tokenizer knows. */
export function smallClip(words: readonly string[], seed: number): SmallClip {
  // Both encoders draw their weights from streams of their own, so that a longer list of words changes no image weight.
  const [image, text] = [graphWriter(seed, 'imageWeights'), graphWriter(seed, 'textWeights')];
  const [imageOutput, textOutput] = [imageTower(image, embeddingSize), textTower(text, tokenRows(words.length), embeddingSize)];
  const embedding = (name: string) => valueInfo(name, 'float32', ['batch', embeddingSize]);
  return {
    vision: model({
      nodes: image.nodes,
      initializers: image.initializers,
      inputs: [valueInfo('pixel_values', 'float32', ['batch', 3, imageSize, imageSize])],
      outputs: [embedding(imageOutput)],
    }),
    text: model({
      nodes: text.nodes,
      initializers: text.initializers,
      inputs: ['input_ids', 'attention_mask'].map((name) => valueInfo(name, 'int64', ['batch', 'tokens'])),
      outputs: [embedding(textOutput)],
    }),
  };
}

/** Writes the untrained model as a checkpoint folder. Throws RavlError `run-*` where the disk refuses. */
export async function writeSmallClip(folder: string, words: readonly string[], seed: number): Promise<void> {
  const { vision, text } = smallClip(words, seed);
  const files: Record<string, string | Uint8Array> = {
    'onnx/vision_model.onnx': encodeModel(vision),
    'onnx/text_model.onnx': encodeModel(text),
  };
  for (const [name, content] of Object.entries({ ...descriptions, ...wordTokenizer(words) })) files[name] = `${JSON.stringify(content, null, 2)}\n`;
  await withStorageErrors(folder, () => mkdir(join(folder, 'onnx'), { recursive: true }));
  for (const [name, content] of Object.entries(files)) await writeFileAtomically(join(folder, name), content);
}

const descriptions = {
  // ln(1 / 0.07), CLIP's own start (Radford et al. 2021).
  'config.json': { model_type: 'clip', projection_dim: embeddingSize, logit_scale_init_value: 2.6592 },
  'preprocessor_config.json': {
    image_processor_type: 'CLIPImageProcessor',
    do_resize: true,
    size: { height: imageSize, width: imageSize },
    resample: 3,
    do_center_crop: false,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    // Near the mean and deviation of the scenes, most of which are black.
    image_mean: [0.1, 0.1, 0.1],
    image_std: [0.25, 0.25, 0.25],
    do_convert_rgb: true,
  },
};
