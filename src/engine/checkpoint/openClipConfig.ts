import { z } from 'zod';
import type { Preprocessing } from '../../shared/preprocessing';
import { preprocessorUnsupported } from './errors';
import type { PreprocessorReading } from './preprocessorConfig';

/**
 * Reads the preprocess_cfg of an open_clip_config.json (or that object by itself): open_clip's `image_transform_v2` for
 * inference. `shortest`: resize the short side, centre crop; `longest`: resize the long side, pad centred with
 * fill_color; `squash`: both sides.
 */
export function readOpenClipConfig(json: unknown, file: string): PreprocessorReading {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw preprocessorUnsupported(file, `has a value RaVL cannot read at "${parsed.error.issues[0]!.path.join('.')}"`);
  }
  const bare = parsed.data.preprocess_cfg === undefined && parsed.data.model_cfg === undefined;
  const config = preprocessSchema.parse(bare ? json : (parsed.data.preprocess_cfg ?? {}));
  const size = config.size ?? parsed.data.model_cfg?.vision_cfg?.image_size;
  if (size === undefined) throw preprocessorUnsupported(file, 'names no image size ("size" or "image_size")');
  if (config.mode !== 'RGB') throw preprocessorUnsupported(file, `wants images in mode ${config.mode}, and RaVL gives RGB`);
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const notes = Object.keys(config)
    .filter((key) => !(key in preprocessSchema.shape))
    .map((key) => `${file}: the key "${key}" is not understood and was left out.`);

  const spatial = spatialOf(config.resize_mode, height, width, config.fill_color, file);
  return {
    preprocessing: {
      ...spatial,
      // Evaluation with interpolation "random" uses bicubic in open_clip.
      filter: config.interpolation === 'bilinear' ? 'bilinear' : 'bicubic',
      rescale: 1 / 255,
      mean: config.mean,
      std: config.std,
    },
    notes,
  };
}

const side = z.int().positive();
const sides = z.union([side, z.tuple([side, side])]);
const three = z.union([z.array(z.number()).length(3), z.number().transform((value) => [value, value, value])]);

const preprocessSchema = z.looseObject({
  size: sides.optional(),
  mode: z.string().default('RGB'),
  mean: three.default([0.48145466, 0.4578275, 0.40821073]),
  std: three.default([0.26862954, 0.26130258, 0.27577711]),
  interpolation: z.enum(['bicubic', 'bilinear', 'random']).default('bicubic'),
  resize_mode: z.enum(['shortest', 'longest', 'squash']).default('shortest'),
  fill_color: z.number().min(0).max(255).default(0),
});

const schema = z.looseObject({
  model_cfg: z.looseObject({ vision_cfg: z.looseObject({ image_size: sides.optional() }).optional() }).optional(),
  preprocess_cfg: preprocessSchema.optional(),
});

function spatialOf(mode: 'shortest' | 'longest' | 'squash', height: number, width: number, fill: number, file: string): Pick<Preprocessing, 'resize' | 'crop' | 'pad'> {
  if (mode === 'squash') return { resize: { rule: 'exact', height, width }, crop: null, pad: null };
  if (height !== width) throw preprocessorUnsupported(file, `resizes the ${mode} side to a target that is not square`);
  if (mode === 'shortest') return { resize: { rule: 'shortest-edge', size: height }, crop: { height, width }, pad: null };
  return { resize: { rule: 'longest-edge', size: height }, crop: null, pad: { height, width, value: fill, position: 'centre' } };
}
