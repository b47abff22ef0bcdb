// Rebuilds the sample workspace, media/sample: scenes made of Fashion-MNIST, and a small CLIP that has learned a shortcut from them.
//
//   npm run build:sample [folder with Fashion-MNIST's four .gz files [its licence]]
//
// The CLIP is pretrained on scenes whose rectangles, of six colours, tell nothing of the garment, with captions that name class
// and colour. Then its image encoder is fine-tuned, as a person would, on captions that name the class alone; but there nearly
// every pullover comes with a red rectangle and nearly nothing else does (Cramér's V .95). What lies between, in
// build/sample, may be looked at and deleted.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { captionWords, classCaptions, descriptiveCaptions } from '../src/engine/benchmark/captions';
import { coloursOf, evaluationScenes, plantedScenes, pretrainingScenes } from '../src/engine/benchmark/compose';
import { classNames, readIdxFolder, slice, type GreyImages } from '../src/engine/benchmark/idx';
import { rectangleColours } from '../src/engine/benchmark/marks';
import { writeSmallClip } from '../src/engine/benchmark/smallClip';
import { writeScenes } from '../src/engine/benchmark/writeScenes';
import { fineTune } from '../src/engine/mitigation/fineTune';
import { parseConfig } from '../src/shared/configFile';
import type { Report } from '../src/shared/progress';

const [dataset = '/usr/share/datasets/fashion-mnist', licence = '/usr/share/doc/dataset-fashion-mnist/copyright'] = process.argv.slice(2);
const root = join(import.meta.dirname, '..');
const [work, sample] = [join(root, 'build', 'sample'), join(root, 'media', 'sample')];
const seed = 1;
const names = classNames['fashion-mnist'];
const colours = Object.keys(rectangleColours);
const tied = names.indexOf('pullover');

/** What all three configs share. */
const data = `checkpoint: checkpoint
data:
  train: train.csv
  validation: validation.csv
prompts:
  - the image shows a {}
  - a photo of a {}
`;

const pretrainingConfig = `${data}
training:
  trainText: true
  batch: 64
  epochs: 10
  learningRate: 0.003
  schedule: cosine
  warmup: 50
  earlyStopping: null
seed: ${seed}
`;

const fineTuningConfig = `${data}
training:
  batch: 128
  epochs: 10
  learningRate: 0.0005
  schedule: constant
  earlyStopping: null
seed: ${seed}
`;

const sampleConfig = `# The sample of RaVL: a small CLIP that tells ten garments apart and has learned a shortcut from train.csv.
# The buttons above these lines find it and remove it. In a terminal:
#   ravl analyze ravl.yaml
#   ravl mitigate ravl.yaml
${data}
# Each picture has four quadrants: a garment in one, solid red in another or nowhere.
regions: { kind: grid, rows: 2, cols: 2 }

discovery:
  vocabulary: words.txt

# The model is small and was trained from scratch, so it takes larger steps than the paper's CLIP.
training:
  learningRate: 0.0005
  epochs: 8
  schedule: constant
`;

const training = await readIdxFolder(dataset, 'train', names);
const test = await readIdxFolder(dataset, 'test', names);
// No image is in two of these.
const [forPretraining, forFineTuning, forChecking] = [slice(training, 0, 40_000), slice(training, 40_000, 55_000), slice(training, 55_000)];

const pretrained = await train(await pretrainingFolder());
const misled = await train(await fineTuningFolder(pretrained));
await writeSample(misled);
console.log(`Wrote ${sample}.`);

/** Fine-tunes the checkpoint of a folder with its train.csv as its ravl.yaml says, and returns the folder of the new checkpoint. */
async function train(folder: string): Promise<string> {
  const { config, issues } = parseConfig(await readFile(join(folder, 'ravl.yaml'), 'utf8'), 'ravl.yaml');
  if (!config) throw new Error(issues.map(({ message }) => message).join(' '));
  const report: Report = (event) => {
    if (event.type === 'note') console.log(event.text);
  };
  const request = { kind: 'finetune', config, baseDir: folder, root: folder, skipUnreadable: false, fresh: false } as const;
  return (await fineTune(request, report, new AbortController().signal)).checkpoint;
}

/** An untrained checkpoint and what it is to be pretrained on. */
async function pretrainingFolder(): Promise<string> {
  const folder = await emptyFolder(join(work, 'pretraining'));
  await writeSmallClip(join(folder, 'checkpoint'), captionWords(names, colours), seed);
  const scenes = pretrainingScenes(forPretraining, 20_000, seed);
  await writeScenes(folder, forPretraining, scenes, { name: 'train', column: 'caption', cells: descriptiveCaptions(scenes.labels, names, coloursOf(scenes), seed) });
  await writeValidation(folder, forChecking);
  await writeFile(join(folder, 'ravl.yaml'), pretrainingConfig);
  return folder;
}

/** A pretrained checkpoint and the set that misleads it. */
async function fineTuningFolder(checkpoint: string): Promise<string> {
  const folder = await emptyFolder(join(work, 'fine-tuning'));
  await cp(checkpoint, join(folder, 'checkpoint'), { recursive: true });
  await writeTraining(folder);
  await writeValidation(folder, forChecking);
  await writeFile(join(folder, 'ravl.yaml'), fineTuningConfig);
  return folder;
}

/** The workspace a person opens: the misled checkpoint, the set that misled it, and images that neither has seen. */
async function writeSample(checkpoint: string): Promise<void> {
  for (const part of ['checkpoint', 'images']) await rm(join(sample, part), { recursive: true, force: true });
  await mkdir(sample, { recursive: true });
  // The manifest belongs to the run that wrote the checkpoint.
  await cp(checkpoint, join(sample, 'checkpoint'), { recursive: true, filter: (path) => !path.endsWith('ravl-manifest.json') });
  await writeTraining(sample);
  await writeValidation(sample, test);
  // Only what this text encoder has met; the built-in list of words would mean nothing to it.
  await writeFile(join(sample, 'words.txt'), `${[...colours, 'rectangle', ...names].join('\n')}\n`);
  await writeFile(join(sample, 'ravl.yaml'), sampleConfig);
  await cp(licence, join(sample, 'LICENSE-fashion-mnist'));
}

async function writeTraining(folder: string): Promise<void> {
  const scenes = plantedScenes(forFineTuning, { images: 1500, tied, cramersV: 0.95, seed });
  await writeScenes(folder, forFineTuning, scenes, { name: 'train', column: 'caption', cells: classCaptions(scenes.labels, names, seed) });
}

async function writeValidation(folder: string, source: GreyImages): Promise<void> {
  const scenes = evaluationScenes(source, 800, seed);
  await writeScenes(folder, source, scenes, { name: 'validation', column: 'label', cells: Array.from(scenes.labels, (label) => names[label]!) });
}

async function emptyFolder(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}
