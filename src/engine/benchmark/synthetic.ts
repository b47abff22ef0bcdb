/** Scenes of MNIST or Fashion-MNIST with a planted feature, and the small CLIP that learns them. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Config } from '../../shared/config';
import { checkConfig } from '../../shared/configFile';
import { loadTable } from '../dataset/table';
import { captionWords, classCaptions, descriptiveCaptions } from './captions';
import { coloursOf, evaluationScenes, plantedScenes, pretrainingScenes, type Scenes } from './compose';
import { slice, type GreyImages } from './idx';
import { rectangleColours } from './marks';
import { fit } from './mitigation/train';
import { writeSmallClip } from './smallClip';
import { cacheName, type Place, type PlantedImages, type Source } from './source';
import { plantedFeature, type Dataset, type Scale } from './suites';
import { writeScenes } from './writeScenes';

/** Training and test part of a data set. Settings and start share no image: the first 40,000 are to pretrain on, the others to fine-tune on. */
export function syntheticSource(dataset: Dataset, { train, test }: { readonly train: GreyImages; readonly test: GreyImages }, scale: Scale): Source {
  const names = train.classes;
  const forTraining = slice(train, pretrainingImages);
  return {
    classes: names,
    identity: (setting) => ({ setting, scale }),
    config: ({ seed }) => configOf({ batch: 128, epochs: scale.epochs, learningRate: 0.0005, schedule: 'constant' }, seed),
    start: (place) => pretrained(place, dataset, slice(train, 0, pretrainingImages), scale),
    plant(setting) {
      const { tied, cramersV, seed } = setting;
      const feature = plantedFeature(setting);
      const scenes = plantedScenes(forTraining, { images: scale.images, feature, tied, cramersV, seed });
      const captions = classCaptions(scenes.labels, names, seed);
      const evaluation = evaluationScenes(test, scale.evaluation, seed, feature);
      return {
        training: { ...plantedImages(forTraining, scenes, { name: 'train', column: 'caption', cells: captions }), captions },
        evaluation: plantedImages(test, evaluation, { name: 'validation', column: 'label', cells: Array.from(evaluation.labels, (label) => names[label]!) }),
      };
    },
  };
}

function plantedImages(source: GreyImages, scenes: Scenes, table: Parameters<typeof writeScenes>[3]): PlantedImages {
  const { height, width } = source;
  return {
    labels: scenes.labels,
    marks: scenes.marks,
    // The quadrant of the object.
    counts: (image, [x, y, w, h]: Box) => scenes.objectQuadrant[image] === (x + w / 2 < width ? 0 : 1) + (y + h / 2 < height ? 0 : 2),
    async write(folder) {
      const file = join(folder, `${table.name}.csv`);
      if (!existsSync(file)) await writeScenes(folder, source, scenes, table);
      return loadTable(file, { image: 'image' });
    },
  };
}

/** The small CLIP, trained on scenes whose features tell nothing of the class. */
async function pretrained({ cache, report, signal }: Place, dataset: Dataset, source: GreyImages, { pretraining }: Scale): Promise<string> {
  const folder = join(cache, cacheName('start', { dataset, ...pretraining }));
  const made = join(folder, 'pretrained');
  if (existsSync(made)) return made;
  const names = source.classes;
  report({ type: 'note', level: 'info', text: `Pretraining a small CLIP on ${pretraining.images.toLocaleString('en')} images of ${dataset}.` });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeSmallClip(join(folder, 'untrained'), captionWords(names, Object.keys(rectangleColours)), startSeed);
  const scenes = pretrainingScenes(source, pretraining.images, startSeed);
  const captions = descriptiveCaptions(scenes.labels, names, coloursOf(scenes), startSeed);
  await writeScenes(folder, source, scenes, { name: 'train', column: 'caption', cells: captions });
  const table = await loadTable(join(folder, 'train.csv'), { image: 'image' });
  const config = configOf({ trainText: true, batch: 64, epochs: pretraining.epochs, learningRate: 0.003, schedule: 'cosine', warmup: 50 }, startSeed);
  await fit({ start: join(folder, 'untrained'), out: made, config, data: { files: table.files, captions, labels: scenes.labels, classes: names } }, report, signal);
  await rm(join(folder, 'images'), { recursive: true, force: true });
  return made;
}

const startSeed = 1;
const pretrainingImages = 40_000;

function configOf(training: Record<string, unknown>, seed: number): Config {
  const { config, issues } = checkConfig({
    checkpoint: '.', data: { validation: 'validation.csv' }, prompts: ['the image shows a {}', 'a photo of a {}'], regions: { kind: 'grid', rows: 2, cols: 2 },
    training: { ...training, earlyStopping: null }, device: 'cpu', seed,
  });
  if (!config) throw new Error(issues.map(({ message }) => message).join(' '));
  return config;
}
