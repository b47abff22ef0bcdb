import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { CheckpointConfig } from '../../shared/config';
import { checkpointAmbiguous, checkpointFileMissing, checkpointMissing, checkpointWithoutOnnx, imageEncoderMissing, textEncoderMissing } from './errors';

/** Where the parts of a checkpoint lie on disk, as absolute paths; null where a part was not found. */
export interface CheckpointLayout {
  /** The checkpoint as the person named it, for messages. */
  readonly name: string;
  /** The same file twice where one graph holds both encoders. */
  readonly vision: string;
  readonly text: string;
  readonly merged: boolean;
  readonly tokenizer: string | null;
  readonly tokenizerConfig: string | null;
  readonly preprocessor: string | null;
  readonly config: string | null;
  /** There is a vocab.json, a slow tokenizer's file, where tokenizer.json is missing. */
  readonly slowTokenizer: boolean;
}

/**
 * Finds a checkpoint's files. A folder is searched for (in `onnx/`, then at its top) an image and a text encoder by their
 * usual names, else for a merged model; of several precisions the full one wins. A single .onnx is taken as a merged model.
 * The tokenizer and the configs are looked for in the folder, and beside a model and one folder up.
 *
 * Throws RavlError `checkpoint-*` where there is no checkpoint, no ONNX, only one encoder, or a named file is missing.
 */
export async function findLayout(config: CheckpointConfig, baseDir: string): Promise<CheckpointLayout> {
  if (typeof config !== 'string') return mappedLayout(config, baseDir);
  const path = resolve(baseDir, config);
  const info = await stat(path).catch((error: unknown) => {
    throw checkpointMissing(config, error);
  });
  if (!info.isDirectory()) return withCompanions({ name: config, vision: path, text: path, merged: true }, modelFolders(path));
  return withCompanions({ name: config, ...(await findModels(path, config)) }, [path, join(path, 'onnx')]);
}

type Models = Pick<CheckpointLayout, 'vision' | 'text' | 'merged'>;

const visionNames = ['vision_model', 'visual', 'image_encoder', 'visual_model', 'vision'];
const textNames = ['text_model', 'textual', 'text_encoder', 'text'];
const mergedNames = ['model', 'clip'];
/** As `optimum` and transformers.js name precisions, the most exact first. */
const precisions = ['', '_fp16', '_float16', '_quantized', '_int8', '_uint8', '_q8', '_q4', '_q4f16', '_bnb4'];

async function findModels(folder: string, name: string): Promise<Models> {
  const folders = [join(folder, 'onnx'), folder];
  const files = (await Promise.all(folders.map(listFiles))).map((entries) => new Set(entries));
  const find = (names: readonly string[]): string | undefined => {
    for (const precision of precisions) {
      for (const [i, folder] of folders.entries()) {
        const stem = names.find((stem) => files[i]!.has(`${stem}${precision}.onnx`));
        if (stem !== undefined) return join(folder, `${stem}${precision}.onnx`);
      }
    }
    return undefined;
  };
  const [vision, text, merged] = [find(visionNames), find(textNames), find(mergedNames)];
  if (vision !== undefined && text !== undefined) return { vision, text, merged: false };
  if (merged !== undefined) return { vision: merged, text: merged, merged: true };
  if (vision !== undefined) throw textEncoderMissing(name);
  if (text !== undefined) throw imageEncoderMissing(name);

  const all = files.flatMap((entries, i) => [...entries].map((file) => join(folders[i]!, file)));
  const onnx = all.filter((file) => file.endsWith('.onnx'));
  if (onnx.length === 1) return { vision: onnx[0]!, text: onnx[0]!, merged: true };
  const names = (paths: readonly string[]) => paths.map((path) => basename(path)).sort();
  if (onnx.length > 1) throw checkpointAmbiguous(name, names(onnx));
  throw checkpointWithoutOnnx(name, names(all), names(all.filter((file) => /\.(pt|pth|ckpt|bin|safetensors)$/i.test(file)))[0]);
}

async function mappedLayout(config: Exclude<CheckpointConfig, string>, baseDir: string): Promise<CheckpointLayout> {
  const at = async (key: 'model' | 'vision' | 'text'): Promise<string | undefined> => {
    const path = config[key];
    if (path === undefined) return undefined;
    const file = resolve(baseDir, path);
    if (!(await isFile(file))) throw checkpointFileMissing(path, key);
    return file;
  };
  const [model, vision, text] = await Promise.all([at('model'), at('vision'), at('text')]);
  const image = vision ?? model;
  const words = text ?? model;
  const name = config.model ?? config.vision ?? config.text;
  if (name === undefined) throw checkpointMissing('the mapping under "checkpoint", which names no model');
  if (image === undefined) throw imageEncoderMissing(name);
  if (words === undefined) throw textEncoderMissing(name);

  const found = await withCompanions({ name, vision: image, text: words, merged: image === words }, [...new Set([...modelFolders(image), ...modelFolders(words)])]);
  const tokenizer = config.tokenizer === undefined ? found.tokenizer : await named(config.tokenizer, baseDir, 'tokenizer', ['tokenizer.json']);
  return {
    ...found,
    tokenizer,
    tokenizerConfig: config.tokenizer === undefined ? found.tokenizerConfig : await firstFile([dirname(tokenizer!)], ['tokenizer_config.json']),
    preprocessor:
      config.preprocessor === undefined ? found.preprocessor : await named(config.preprocessor, baseDir, 'preprocessor', preprocessorNames),
  };
}

const preprocessorNames = ['preprocessor_config.json', 'processor_config.json', 'open_clip_config.json'];

async function withCompanions(models: Models & { name: string }, folders: readonly string[]): Promise<CheckpointLayout> {
  const tokenizer = await firstFile(folders, ['tokenizer.json']);
  return {
    ...models,
    tokenizer,
    tokenizerConfig: await firstFile(tokenizer === null ? folders : [dirname(tokenizer), ...folders], ['tokenizer_config.json']),
    preprocessor: await firstFile(folders, preprocessorNames),
    config: await firstFile(folders, ['config.json', 'open_clip_config.json']),
    slowTokenizer: tokenizer === null && (await firstFile(folders, ['vocab.json', 'merges.txt'])) !== null,
  };
}

/** The deepest folder that all the files lie in. */
export function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0]!);
  while (!files.every((file) => file.startsWith(join(folder, '/'))) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** A model's own folder and, where that is the layout's `onnx/`, the one above. */
function modelFolders(file: string): string[] {
  const folder = dirname(file);
  return basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
}

async function named(path: string, baseDir: string, key: string, inFolder: readonly string[]): Promise<string> {
  const full = resolve(baseDir, path);
  const file = (await isFile(full)) ? full : await firstFile([full], inFolder);
  if (file === null) throw checkpointFileMissing(path, key);
  return file;
}

async function firstFile(folders: readonly string[], names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    for (const folder of folders) {
      const file = join(folder, name);
      if (await isFile(file)) return file;
    }
  }
  return null;
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}
