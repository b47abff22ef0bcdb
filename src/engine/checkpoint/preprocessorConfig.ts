import { z } from 'zod';
import type { Preprocessing } from '../../shared/preprocessing';
import { preprocessorUnsupported } from './errors';

/** What a preprocessor file says, and sentences on what in it was assumed or left out. */
export interface PreprocessorReading {
  readonly preprocessing: Preprocessing;
  readonly notes: readonly string[];
}

/**
 * Reads a Hugging Face preprocessor_config.json (image processors CLIP, SigLIP, ViT, Bit, ConvNext, BLIP and those that
 * use the same keys). Keys that are missing take the default of that processor class in `transformers`.
 * Throws `checkpoint-preprocessor-unsupported` where the file asks for something that cannot be done exactly.
 */
export function readPreprocessorConfig(json: unknown, file: string): PreprocessorReading {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw preprocessorUnsupported(file, `has a value RaVL cannot read at "${issue.path.join('.')}"`);
  }
  const config = parsed.data;
  const type = (config.image_processor_type ?? config.feature_extractor_type ?? '').replace(/Fast$/, '');
  if (/^Siglip2/.test(type) && config.patch_size !== undefined && config.max_num_patches !== undefined) {
    throw preprocessorUnsupported(file, 'belongs to a SigLIP 2 NaFlex model, which cuts images into patches of varying number');
  }
  const family = familyOf(type);
  const defaults = processorDefaults[family];
  const notes = unknownKeys(json as object).map((key) => `${file}: the key "${key}" is not understood and was left out.`);
  if (family === 'other') notes.push(`${file}: the image processor "${type}" is not known; its keys are read with their usual meaning.`);
  if (type === '') notes.push(`${file} names no image processor; what it leaves out is filled in as for CLIP.`);

  const spatial = config.do_resize === false ? { resize: { rule: 'none' } as const, crop: null } : resizeOf(config, family, file);
  const normalise = config.do_normalize ?? true;
  return {
    preprocessing: {
      resize: spatial.resize,
      filter: filterOf(config.resample ?? defaults.resample, file),
      crop: spatial.crop ?? ((config.do_center_crop ?? cropsByDefault(config, family)) ? cropOf(config, defaults.crop, file) : null),
      pad: padOf(config, family, file),
      rescale: (config.do_rescale ?? true) ? (config.rescale_factor ?? 1 / 255) : 1,
      mean: normalise ? (config.image_mean ?? [...defaults.mean]) : [0, 0, 0],
      std: normalise ? (config.image_std ?? [...defaults.std]) : [1, 1, 1],
    },
    notes,
  };
}

/** Height and width of what the preprocessing yields, or null where they follow the photo's own shape. */
export function outputSize({ resize, crop, pad }: Preprocessing): { height: number; width: number } | null {
  const target = pad ?? crop ?? (resize.rule === 'exact' ? resize : null);
  return target && { height: target.height, width: target.width };
}

const side = z.int().positive();
const sizeSchema = z.union([
  side,
  z.tuple([side, side]).transform(([height, width]) => ({ height, width })),
  z.object({ height: side, width: side }),
  z.object({ shortest_edge: side.optional(), longest_edge: side.optional() }),
]);
const three = z.union([z.array(z.number()).length(3), z.number().transform((value) => [value, value, value])]);

const schema = z.looseObject({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().nullish(),
  size: sizeSchema.nullish(),
  resample: z.union([z.int(), z.string()]).nullish(),
  crop_pct: z.number().positive().max(1).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sizeSchema.nullish(),
  do_pad: z.boolean().nullish(),
  pad_size: sizeSchema.nullish(),
  pad_value: z.number().min(0).max(255).nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: three.nullish(),
  image_std: three.nullish(),
});
type ProcessorConfig = z.infer<typeof schema>;

/** Keys that do not touch the pixels RaVL computes: it always decodes to RGB and writes channels first. */
const harmless = new Set(['do_convert_rgb', 'data_format', 'input_data_format', 'processor_class', 'return_tensors', 'device', 'default_to_square', '_valid_processor_keys', 'auto_map', 'image_seq_length', 'disable_grouping']);

function unknownKeys(json: object): string[] {
  return Object.entries(json)
    .filter(([key, value]) => !(key in schema.shape) && !harmless.has(key) && value !== null && value !== false)
    .map(([key]) => key)
    .sort();
}

type Family = keyof typeof processorDefaults;

const clipMean = [0.48145466, 0.4578275, 0.40821073];
const clipStd = [0.26862954, 0.26130258, 0.27577711];
const half = [0.5, 0.5, 0.5];

/** Constructor defaults of the image processor classes in `transformers`; `square`: a bare number means both sides. */
const processorDefaults = {
  clip: { square: false, size: 224, crop: 224 as number | null, resample: 3, mean: clipMean, std: clipStd },
  blip: { square: true, size: 384, crop: null, resample: 3, mean: clipMean, std: clipStd },
  siglip: { square: true, size: 224, crop: null, resample: 3, mean: half, std: half },
  vit: { square: true, size: 224, crop: null, resample: 2, mean: half, std: half },
  other: { square: false, size: 224, crop: null, resample: 3, mean: clipMean, std: clipStd },
  convnext: { square: false, size: 384, crop: null, resample: 2, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
} as const;

function familyOf(type: string): Family {
  if (/^Siglip/.test(type)) return 'siglip';
  if (/^(ViT|DeiT|Beit)/.test(type)) return 'vit';
  if (/^ConvNext/.test(type)) return 'convnext';
  if (/^Blip/.test(type)) return 'blip';
  return type === '' || /^(CLIP|ChineseCLIP|AltCLIP|Bit)/.test(type) ? 'clip' : 'other';
}

/** A class that is not known crops where its file gives a crop size, since CLIP's default need not be its own. */
function cropsByDefault(config: ProcessorConfig, family: Family): boolean {
  return family === 'other' ? config.crop_size != null : processorDefaults[family].crop !== null;
}

function resizeOf(config: ProcessorConfig, family: Family, file: string): Pick<Preprocessing, 'resize' | 'crop'> {
  const { square, size: fallback } = processorDefaults[family];
  const size = config.size ?? fallback;
  if (typeof size === 'object' && 'height' in size) return { resize: { rule: 'exact', height: size.height, width: size.width }, crop: null };
  const shortest = typeof size === 'number' ? size : size.shortest_edge;
  const longest = typeof size === 'number' ? undefined : size.longest_edge;
  if (shortest !== undefined && longest !== undefined) {
    throw preprocessorUnsupported(file, 'bounds both edges of the image ("shortest_edge" and "longest_edge"), which yields images of varying size');
  }
  if (longest !== undefined) return { resize: { rule: 'longest-edge', size: longest }, crop: null };
  if (shortest === undefined) throw preprocessorUnsupported(file, 'has a "size" without any edge in it');
  // ConvNextImageProcessor: below 384 the image is resized to size / crop_pct and cropped, from 384 on it is squashed.
  if (family === 'convnext') {
    if (shortest >= 384) return { resize: { rule: 'exact', height: shortest, width: shortest }, crop: null };
    const edge = Math.trunc(shortest / (config.crop_pct ?? 224 / 256));
    return { resize: { rule: 'shortest-edge', size: edge }, crop: { height: shortest, width: shortest } };
  }
  if (square && typeof size === 'number') return { resize: { rule: 'exact', height: size, width: size }, crop: null };
  return { resize: { rule: 'shortest-edge', size: shortest }, crop: null };
}

function cropOf(config: ProcessorConfig, fallback: number | null, file: string): { height: number; width: number } {
  // Old feature extractors crop to `size` where crop_size is missing.
  const crop = config.crop_size ?? fallback ?? config.size;
  if (typeof crop === 'number') return { height: crop, width: crop };
  if (crop && 'height' in crop) return { height: crop.height, width: crop.width };
  if (crop?.shortest_edge !== undefined) return { height: crop.shortest_edge, width: crop.shortest_edge };
  throw preprocessorUnsupported(file, 'asks for a centre crop without a usable "crop_size"');
}

function padOf(config: ProcessorConfig, family: Family, file: string): Preprocessing['pad'] {
  if (!config.do_pad) return null;
  const size = config.pad_size;
  if (size == null) throw preprocessorUnsupported(file, 'asks for padding without a "pad_size"');
  if (typeof size === 'object' && !('height' in size)) throw preprocessorUnsupported(file, 'has a "pad_size" without height and width');
  const { height, width } = typeof size === 'number' ? { height: size, width: size } : size;
  // transformers' own classes put the image top left (padding at the bottom right); custom ones that keep the aspect ratio centre it.
  return { height, width, value: config.pad_value ?? 0, position: family === 'other' ? 'centre' : 'top-left' };
}

/** Pillow's Image.Resampling numbers, or their names. */
function filterOf(resample: number | string, file: string): Preprocessing['filter'] {
  const names: Record<string, Preprocessing['filter']> = { 0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic', nearest: 'nearest', lanczos: 'lanczos', bilinear: 'bilinear', bicubic: 'bicubic' };
  const filter = Object.hasOwn(names, String(resample).toLowerCase()) ? names[String(resample).toLowerCase()] : undefined;
  if (!filter) throw preprocessorUnsupported(file, `asks for the resampling filter ${resample}, which is not nearest, lanczos, bilinear or bicubic`);
  return filter;
}
