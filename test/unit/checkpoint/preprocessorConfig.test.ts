import { describe, expect, it } from 'vitest';
import { readOpenClipConfig } from '../../../src/engine/checkpoint/openClipConfig';
import { outputSize, readPreprocessorConfig } from '../../../src/engine/checkpoint/preprocessorConfig';
import { preprocessingSchema } from '../../../src/shared/preprocessing';

const read = (json: object) => readPreprocessorConfig(json, 'preprocessor_config.json');
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const square = (side: number) => ({ height: side, width: side });

describe('preprocessor_config.json as published', () => {
  it('openai/clip-vit-base-patch32: the old feature extractor with bare numbers', () => {
    const { preprocessing, notes } = read({
      crop_size: 224,
      do_center_crop: true,
      do_normalize: true,
      do_resize: true,
      feature_extractor_type: 'CLIPFeatureExtractor',
      image_mean: clip.mean,
      image_std: clip.std,
      resample: 3,
      size: 224,
    });
    expect(preprocessing).toEqual({ resize: { rule: 'shortest-edge', size: 224 }, filter: 'bicubic', crop: square(224), pad: null, rescale: 1 / 255, ...clip });
    expect(notes).toEqual([]);
  });
  it('google/siglip-base-patch16-224: both sides, no crop', () => {
    const { preprocessing } = read({
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_processor_type: 'SiglipImageProcessor',
      image_std: [0.5, 0.5, 0.5],
      processor_class: 'SiglipProcessor',
      resample: 3,
      rescale_factor: 0.00392156862745098,
      size: { height: 224, width: 224 },
    });
    expect(preprocessing).toMatchObject({ resize: { rule: 'exact', height: 224, width: 224 }, filter: 'bicubic', crop: null, pad: null, mean: [0.5, 0.5, 0.5] });
  });
  it('google/vit-base-patch16-224: bilinear, both sides from one number', () => {
    const { preprocessing } = read({ do_normalize: true, do_resize: true, image_mean: [0.5, 0.5, 0.5], image_processor_type: 'ViTFeatureExtractor', image_std: [0.5, 0.5, 0.5], resample: 2, size: 224 });
    expect(preprocessing).toMatchObject({ resize: { rule: 'exact', height: 224, width: 224 }, filter: 'bilinear', crop: null });
  });
  it('facebook/convnext-tiny-224: size / crop_pct, then a crop', () => {
    const json = { crop_pct: 0.875, do_normalize: true, do_resize: true, feature_extractor_type: 'ConvNextFeatureExtractor', image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225], resample: 3, size: 224 };
    expect(read(json).preprocessing).toMatchObject({ resize: { rule: 'shortest-edge', size: 256 }, crop: square(224), filter: 'bicubic' });
    expect(read({ ...json, size: { shortest_edge: 384 } }).preprocessing).toMatchObject({ resize: { rule: 'exact', height: 384, width: 384 }, crop: null });
  });
  it('microsoft/resnet-style BitImageProcessor, fast variant', () => {
    const { preprocessing } = read({ image_processor_type: 'BitImageProcessorFast', size: { shortest_edge: 256 }, crop_size: { height: 224, width: 224 }, resample: 3 });
    expect(preprocessing).toMatchObject({ resize: { rule: 'shortest-edge', size: 256 }, crop: square(224), ...clip });
  });
  it('a long side with centred padding and no normalisation', () => {
    const { preprocessing } = read({
      do_resize: true,
      size: { longest_edge: 80 },
      resample: 3,
      do_pad: true,
      pad_size: { height: 80, width: 80 },
      pad_value: 0,
      do_normalize: false,
      image_processor_type: 'FashionImageProcessor',
    });
    expect(preprocessing).toEqual({
      resize: { rule: 'longest-edge', size: 80 },
      filter: 'bicubic',
      crop: null,
      pad: { ...square(80), value: 0, position: 'centre' },
      rescale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
    expect(outputSize(preprocessing)).toEqual(square(80));
  });
});

describe('what is not said or not known', () => {
  it("fills in the class's defaults", () => {
    expect(read({ image_processor_type: 'CLIPImageProcessor' }).preprocessing).toMatchObject({ resize: { rule: 'shortest-edge', size: 224 }, crop: square(224), filter: 'bicubic', rescale: 1 / 255, ...clip });
    expect(read({ image_processor_type: 'SiglipImageProcessor' }).preprocessing).toMatchObject({ resize: { rule: 'exact', height: 224, width: 224 }, crop: null });
  });
  it('switches steps off', () => {
    const { preprocessing } = read({ do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false });
    expect(preprocessing).toMatchObject({ resize: { rule: 'none' }, crop: null, rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] });
  });
  it('notes keys it does not understand, and only those', () => {
    const { notes } = read({ image_processor_type: 'CLIPImageProcessor', do_convert_rgb: true, do_flip_channel_order: true, do_thumbnail: false });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('do_flip_channel_order');
  });
  it.each([
    ['a filter Pillow has and RaVL has not', { resample: 5 }, 'filter 5'],
    ['a filter named after an object method', { resample: 'constructor' }, 'constructor'],
    ['both edges bounded', { size: { shortest_edge: 800, longest_edge: 1333 } }, 'longest_edge'],
    ['padding without a size', { do_pad: true }, 'pad_size'],
    ['a negative size', { size: -1 }, '"size"'],
    ['text for a mean', { image_mean: ['a', 'b', 'c'] }, 'image_mean'],
  ])('refuses %s, naming it', (_, json, named) => {
    expect(() => read(json)).toThrow(expect.objectContaining({ code: 'checkpoint-preprocessor-unsupported', message: expect.stringContaining(named) }));
  });
});

describe('open_clip_config.json', () => {
  const openClip = (preprocess_cfg: object, image_size = 256) => readOpenClipConfig({ model_cfg: { embed_dim: 512, vision_cfg: { image_size } }, preprocess_cfg }, 'open_clip_config.json').preprocessing;
  it.each([
    ['shortest', { resize: { rule: 'shortest-edge', size: 256 }, crop: square(256), pad: null }],
    ['longest', { resize: { rule: 'longest-edge', size: 256 }, crop: null, pad: { ...square(256), value: 0, position: 'centre' } }],
    ['squash', { resize: { rule: 'exact', height: 256, width: 256 }, crop: null, pad: null }],
  ])('resize_mode %s', (resize_mode, expected) => {
    expect(openClip({ resize_mode, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], interpolation: 'bilinear' })).toMatchObject({ ...expected, filter: 'bilinear', mean: [0.5, 0.5, 0.5] });
  });
  it('defaults to the CLIP transform, and its own size wins', () => {
    expect(openClip({ size: 224 })).toEqual({ resize: { rule: 'shortest-edge', size: 224 }, filter: 'bicubic', crop: square(224), pad: null, rescale: 1 / 255, ...clip });
  });
});

it('every reading satisfies the schema the config file is validated with', () => {
  for (const type of ['CLIPImageProcessor', 'SiglipImageProcessor', 'ViTImageProcessor', 'ConvNextImageProcessor', 'BlipImageProcessor', 'BitImageProcessor', '']) {
    expect(preprocessingSchema.safeParse(read({ image_processor_type: type }).preprocessing).success).toBe(true);
  }
});
