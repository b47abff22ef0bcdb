import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import type { CheckpointConfig } from '../../shared/config';
import type { Preprocessing } from '../../shared/preprocessing';
import { readModel } from '../onnx/readModel';
import { findImageEncoder, findTextEncoder, type ImageEncoder, type TextEncoder } from './encoders';
import { dimensionsDiffer, fileUnreadable, imageSizesDiffer, imageSizeUnknown, jsonMalformed, preprocessorMissing, tokenizerMissing, tokenizerWrong } from './errors';
import { findLayout, type CheckpointLayout } from './layout';
import { readOpenClipConfig } from './openClipConfig';
import { outputSize, readPreprocessorConfig, type PreprocessorReading } from './preprocessorConfig';
import { embeddingTableRows } from './tokenTable';
import { makeTokenizer, type Tokenizer } from './tokenizer';

/** A fine-tuned CLIP-like model as found on disk: everything needed to embed images and texts, and nothing loaded twice. */
export interface Checkpoint {
  /** As the person named it. */
  readonly name: string;
  readonly layout: CheckpointLayout;
  readonly image: ImageEncoder & { readonly height: number; readonly width: number };
  readonly text: TextEncoder;
  /** Length of the embeddings. */
  readonly dim: number;
  readonly preprocessing: Preprocessing;
  readonly tokenizer: Tokenizer;
  /** Factor on the cosine similarities, exp(logit_scale_init_value) of config.json; null where it is not given. */
  readonly logitScale: number | null;
  /** Sentences on what was assumed, left out or looks odd. */
  readonly notes: readonly string[];
}

/**
 * Opens a checkpoint: a folder in the Hugging Face layout, one .onnx file with both encoders, or the mapping form of
 * ravl.yaml; paths are relative to `baseDir`. Graphs are read and checked, no session is opened yet.
 *
 * Throws RavlError `checkpoint-*` (parts that are missing or do not belong together) and `onnx-*` (unreadable models).
 */
export async function openCheckpoint(config: CheckpointConfig, baseDir: string): Promise<Checkpoint> {
  const mapping = typeof config === 'string' ? {} : config;
  const layout = await findLayout(config, baseDir);
  const vision = await readModel(layout.vision);
  const image = findImageEncoder(vision, mapping);
  const text = findTextEncoder(layout.merged ? vision : await readModel(layout.text), mapping);
  if (image.dim !== text.dim) throw dimensionsDiffer(image.dim, text.dim);

  const settings = settingsSchema.parse(layout.config === null ? {} : await readJson(layout.config));
  const { preprocessing, notes } = mapping.preprocessing ? { preprocessing: mapping.preprocessing, notes: [] } : await readPreprocessor(layout);
  const tokenizer = await readTokenizer(layout, text, settings);
  const rows = embeddingTableRows(text.model.proto, text.input);
  if (rows !== null && tokenizer.vocabulary > rows) throw tokenizerWrong(basename(layout.tokenizer!), tokenizer.vocabulary - 1, rows);
  return {
    name: layout.name,
    layout,
    image: { ...image, ...imageSize(image, preprocessing) },
    text,
    dim: image.dim,
    preprocessing,
    tokenizer,
    logitScale: settings.logit_scale_init_value === undefined ? null : Math.exp(settings.logit_scale_init_value),
    notes: [...notes, ...vocabularyNote(tokenizer, rows)],
  };
}

/** The fields of config.json that matter here; anything unexpected in them is as good as absent. */
const settingsSchema = z.looseObject({
  model_type: z.string().optional().catch(undefined),
  logit_scale_init_value: z.number().optional().catch(undefined),
  max_position_embeddings: z.int().positive().optional().catch(undefined),
  text_config: z.looseObject({ max_position_embeddings: z.int().positive().optional().catch(undefined) }).optional().catch(undefined),
});

async function readPreprocessor({ name, preprocessor }: CheckpointLayout): Promise<PreprocessorReading> {
  if (preprocessor === null) throw preprocessorMissing(name);
  const file = basename(preprocessor);
  const json = await readJson(preprocessor);
  const fields = z.looseObject({}).safeParse(json).data ?? {};
  if ('preprocess_cfg' in fields || 'model_cfg' in fields || 'resize_mode' in fields) return readOpenClipConfig(json, file);
  return readPreprocessorConfig(fields.image_processor ?? json, file);
}

async function readTokenizer(layout: CheckpointLayout, text: TextEncoder, settings: z.infer<typeof settingsSchema>): Promise<Tokenizer> {
  if (layout.tokenizer === null) throw tokenizerMissing(layout.name, layout.slowTokenizer);
  const json = await readJson(layout.tokenizer);
  const config = layout.tokenizerConfig === null ? {} : await readJson(layout.tokenizerConfig);
  const limits = {
    graphLength: text.length,
    modelType: settings.model_type ?? null,
    positions: settings.text_config?.max_position_embeddings ?? settings.max_position_embeddings ?? null,
  };
  return makeTokenizer(json, config, limits, basename(layout.tokenizer));
}

function imageSize(image: ImageEncoder, preprocessing: Preprocessing): { height: number; width: number } {
  const file = basename(image.model.file);
  const given = outputSize(preprocessing);
  const { height, width } = { height: image.height ?? given?.height, width: image.width ?? given?.width };
  if (height === undefined || width === undefined) throw imageSizeUnknown(file);
  if (given === null || given.height !== height || given.width !== width) {
    const yields = given === null ? 'images of varying size' : `${given.width}×${given.height}`;
    throw imageSizesDiffer(`${width}×${height}`, yields, file);
  }
  return { height, width };
}

/** Tables are often padded to a round size; a tokenizer that uses less than nine tenths of one is probably another model's. */
function vocabularyNote(tokenizer: Tokenizer, rows: number | null): string[] {
  if (rows === null || tokenizer.vocabulary >= 0.9 * rows) return [];
  return [`The tokenizer makes only ${tokenizer.vocabulary} different tokens and the text encoder knows ${rows}: check that they belong together.`];
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileUnreadable(basename(file), error);
  });
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw jsonMalformed(basename(file), error);
  }
}
