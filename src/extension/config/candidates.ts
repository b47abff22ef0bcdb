import { basename, dirname, extname, join, relative, sep } from 'node:path';

/** How `optimum`, transformers.js and open_clip's exporters name the two encoders of a checkpoint. */
const encoder = /^(vision_model|visual|image_encoder|visual_model|vision|text_model|textual|text_encoder|text)(_(fp16|float16|quantized|int8|uint8|q8|q4|q4f16|bnb4))?\.onnx$/i;

/** The checkpoints that these .onnx files belong to, sorted: the folder of one encoder of two or with an `onnx` folder, else the file itself. */
export function checkpointsOf(onnxFiles: readonly string[]): string[] {
  const checkpoint = (file: string): string => {
    const folder = dirname(file);
    if (basename(folder) === 'onnx') return dirname(folder);
    return encoder.test(basename(file)) ? folder : file;
  };
  return [...new Set(onnxFiles.map(checkpoint))].sort();
}

/** Folders that hold images in a folder per class: at least two classes. */
export function classFoldersOf(imageFiles: readonly string[]): string[] {
  const classes = new Map<string, Set<string>>();
  for (const file of imageFiles) {
    const root = dirname(dirname(file));
    if (!classes.has(root)) classes.set(root, new Set());
    classes.get(root)!.add(dirname(file));
  }
  return [...classes].filter(([, folders]) => folders.size > 1).map(([root]) => root);
}

/** Tables and class folders, the likeliest first: by their name, then by how near they are to the checkpoint, then by their path. */
export function rankTables(tables: readonly string[], checkpoint: string, wanted: 'validation' | 'train'): string[] {
  const named = (path: string): number => {
    // The nearest two names tell; a folder far up may be called anything.
    const words = relative(dirname(dirname(path)), path).toLowerCase().split(/[^a-z]+/);
    const has = (names: readonly string[]) => words.some((word) => names.includes(word));
    const [validation, train] = [has(validationWords), has(trainWords)];
    if (validation === train) return 1;
    return (wanted === 'validation') === validation ? 0 : 2;
  };
  const key = (path: string) => ({ path, named: named(path), steps: steps(dirname(checkpoint), dirname(path)), folder: extname(path) === '' ? 1 : 0 });
  return tables
    .map(key)
    .sort((a, b) => a.named - b.named || a.steps - b.steps || a.folder - b.folder || (a.path < b.path ? -1 : 1))
    .map(({ path }) => path);
}

const validationWords = ['validation', 'valid', 'val', 'test', 'eval', 'dev', 'holdout', 'labels', 'labelled', 'labeled'];
const trainWords = ['train', 'training', 'captions', 'pairs', 'fit'];

/** Folders to walk up and down from one to the other. */
function steps(from: string, to: string): number {
  return relative(from, to).split(sep).filter(Boolean).length;
}

/** The deepest folder that a checkpoint and a table both lie in, not above `top`. */
export function commonFolder(paths: readonly string[], top: string | undefined): string {
  let folder = dirname(paths[0]!);
  const inside = (path: string) => path.startsWith(join(folder, sep));
  while (!paths.every(inside) && folder !== dirname(folder)) folder = dirname(folder);
  return top !== undefined && !`${folder}${sep}`.startsWith(join(top, sep)) ? top : folder;
}
