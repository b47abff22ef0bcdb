import { readdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { CheckpointConfig } from '../../shared/config';
import { changedBytes, changedFile, replaceWeights, type Weights } from '../onnx/replaceWeights';
import type { Checkpoint } from './checkpoint';
import { commonFolder, isFile, type CheckpointLayout } from './layout';

/** Trained weights of each encoder, apart, as two files may use one name for different weights; a merged model takes both. */
export interface TrainedWeights {
  readonly image?: Weights;
  readonly text?: Weights;
}

/**
 * The files of a checkpoint with new weights in it, for `writeFolderAtomically`: by their path in the checkpoint's folder, each
 * streamed from the original when it is written. Graphs, names, metadata and element types stay as they are; with the weights
 * that the checkpoint has, every file is the original's to the byte.
 *
 * It holds the models with their external data, tokenizer, preprocessor and config, and what else a Hugging Face folder keeps
 * beside those (vocabulary, special tokens, licence). Left out, as they would be the old model's: weights in other formats
 * (.pt, .bin, .safetensors), models in other precisions (model_quantized.onnx beside model.onnx), README.md.
 *
 * The arrays have to stay as they are until all is written. Throws what `replaceWeights` throws, `onnx-file-unreadable`
 * also while the files are written.
 */
export async function checkpointFiles({ layout }: Pick<Checkpoint, 'layout'>, weights: TrainedWeights): Promise<Record<string, () => AsyncGenerator<Uint8Array>>> {
  const none: Weights = new Map();
  const { image = none, text = none } = weights;
  const models = await replaceWeights(
    layout.merged
      ? [{ file: layout.vision, weights: new Map([...image, ...text]) }]
      : [
          { file: layout.vision, weights: image },
          { file: layout.text, weights: text },
        ],
  );
  const others = await Promise.all([...otherFiles(layout), ...(await companions(layout))].map((file) => changedFile(file)));
  return Object.fromEntries([...others, ...models].map((changed) => [pathInFolder(layout, changed.file), () => changedBytes(changed)]));
}

/** How ravl.yaml names the checkpoint once its files are written to `folder`: the folder, or the mapping with its paths there. */
export function writtenConfig(config: CheckpointConfig, layout: CheckpointLayout, folder: string): CheckpointConfig {
  if (typeof config === 'string') return folder;
  const files = { model: layout.vision, vision: layout.vision, text: layout.text, tokenizer: layout.tokenizer, preprocessor: layout.preprocessor };
  const moved = Object.entries(files).flatMap(([key, file]) => (key in config && file !== null ? [[key, join(folder, pathInFolder(layout, file))] as const] : []));
  return { ...config, ...Object.fromEntries(moved) };
}

/** Path of a file in the folder of the checkpoint, with slashes. */
function pathInFolder(layout: CheckpointLayout, file: string): string {
  return relative(commonFolder([layout.vision, layout.text, ...otherFiles(layout)]), file).split(sep).join('/');
}

function otherFiles({ tokenizer, tokenizerConfig, preprocessor, config }: CheckpointLayout): string[] {
  return [...new Set([tokenizer, tokenizerConfig, preprocessor, config])].filter((file) => file !== null);
}

/** What other tools look for beside the files that RaVL reads. */
const companionNames = new Set([
  ...['config.json', 'generation_config.json', 'preprocessor_config.json', 'processor_config.json', 'open_clip_config.json'],
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'vocab.txt', 'merges.txt'],
  ...['spiece.model', 'sentencepiece.bpe.model', 'tokenizer.model'],
  ...['LICENSE', 'LICENSE.txt', 'LICENSE.md', 'NOTICE'],
]);

async function companions(layout: CheckpointLayout): Promise<string[]> {
  const own = new Set(otherFiles(layout));
  const folders = new Set([layout.vision, layout.text, ...own].map((file) => dirname(file)));
  const found: string[] = [];
  for (const folder of folders) {
    // Companions are a courtesy: a folder that cannot be listed, or a link to nowhere, must not cost the trained weights.
    const names = (await readdir(folder).catch(() => [])).filter((name) => companionNames.has(name)).sort();
    for (const file of names.map((name) => join(folder, name))) if (!own.has(file) && (await isFile(file))) found.push(file);
  }
  return found;
}
