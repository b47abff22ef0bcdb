/**
 * The stages of a setting, each kept in a folder whose name is a hash of all that decides it: the common start, the data, the
 * checkpoint that standard fine-tuning misleads, what discovery methods say of it, and what mitigation methods make of it. A stage
 * that is there is not made again, so a benchmark that was killed goes on where it was.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Config } from '../../shared/config';
import { checkConfig } from '../../shared/configFile';
import type { Report } from '../../shared/progress';
import { loadTable, type Table } from '../dataset/table';
import { nearestMedoids, planRegions } from '../mitigation/spuriousRegions';
import { writeFileAtomically } from '../run/atomic';
import { fingerprint } from '../run/fingerprint';
import { captionWords, classCaptions, descriptiveCaptions } from './captions';
import { coloursOf, evaluationScenes, plantedScenes, pretrainingScenes, type Scenes } from './compose';
import { clusteringOf } from './detection/clusterMethods';
import { detectionMethods } from './detection/methods';
import { precisionAt, type DetectionProblem } from './detection/problem';
import { classNames, slice, type GreyImages } from './idx';
import { rectangleColours, shows } from './marks';
import { mitigationMethods } from './mitigation/methods';
import type { MitigationMethod, MitigationProblem } from './mitigation/problem';
import { fit, type TrainingSet } from './mitigation/train';
import { embedSet, groupAccuracy, scoreRows, shortcutLearned, type Embedded, type GroupAccuracy } from './score';
import { writeSmallClip } from './smallClip';
import { inWords, type Dataset, type Scale, type Setting } from './suites';
import { writeScenes } from './writeScenes';

export interface Sources {
  /** Training and test part of each data set that is used. */
  readonly [dataset: string]: { readonly train: GreyImages; readonly test: GreyImages };
}

export interface Stage {
  readonly sources: Sources;
  readonly scale: Scale;
  /** Folder of all stages. */
  readonly cache: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** What a setting's discovery stage found. */
export interface Detected {
  readonly setting: Setting;
  /** In points. */
  readonly eps1: number;
  readonly eps2: number;
  readonly accuracy: GroupAccuracy;
  /** Precision@10 by method id; 0 where a method finds nothing. */
  readonly precision: Readonly<Record<string, number>>;
  /** RaVL's top cluster; null where every cluster is pruned. */
  readonly top: number | null;
  /** Seconds a step. */
  readonly seconds: Readonly<Record<string, number>>;
}

export interface MitigationResult {
  readonly setting: Setting;
  readonly method: string;
  readonly image: GroupAccuracy;
  /** Of the regions that hold the object. */
  readonly region: GroupAccuracy;
  readonly seconds: number;
}

/** Counts up when a stage changes what it makes. */
const version = 1;

/** The checkpoint that every setting of a data set starts from. */
export async function startStage({ sources, scale, cache, report, signal }: Stage, dataset: Dataset): Promise<string> {
  const folder = join(cache, `start-${hash({ dataset, ...scale.pretraining })}`);
  const made = join(folder, 'pretrained');
  if (existsSync(made)) return made;
  const names = classNames[dataset];
  const colours = Object.keys(rectangleColours);
  report({ type: 'note', level: 'info', text: `Pretraining a small CLIP on ${scale.pretraining.images.toLocaleString('en')} images of ${dataset}.` });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeSmallClip(join(folder, 'untrained'), captionWords(names, colours), startSeed);
  const source = slice(sources[dataset]!.train, 0, pretrainingImages);
  const scenes = pretrainingScenes(source, scale.pretraining.images, startSeed);
  const captions = descriptiveCaptions(scenes.labels, names, coloursOf(scenes), startSeed);
  await writeScenes(folder, source, scenes, { name: 'train', column: 'caption', cells: captions });
  const table = await loadTable(join(folder, 'train.csv'), { image: 'image' });
  const config = configOf({ trainText: true, batch: 64, epochs: scale.pretraining.epochs, learningRate: 0.003, schedule: 'cosine', warmup: 50 }, startSeed);
  await fit({ start: join(folder, 'untrained'), out: made, config, data: { files: table.files, captions, labels: scenes.labels, classes: names } }, report, signal);
  await rm(join(folder, 'images'), { recursive: true, force: true });
  return made;
}

const startSeed = 1;
/** Of the training part: the others are for fine-tuning, so that no image is in both. */
const pretrainingImages = 40_000;

/** Everything about a setting that its later stages start from. */
interface Opened {
  readonly folder: string;
  readonly start: string;
  readonly misled: string;
  readonly config: Config;
  readonly training: TrainingSet;
  readonly trainingTable: Table;
  readonly evaluation: { readonly scenes: Scenes; readonly table: Table };
}

/** Data, and the checkpoint misled by it. */
async function open(stage: Stage, setting: Setting): Promise<Opened> {
  const { sources, scale, report, signal } = stage;
  const { dataset, feature, tied, cramersV, seed } = setting;
  const names = classNames[dataset];
  const start = await startStage(stage, dataset);
  const folder = settingFolder(stage, setting);
  await mkdir(folder, { recursive: true });
  const forTraining = slice(sources[dataset]!.train, pretrainingImages);
  const scenes = plantedScenes(forTraining, { images: scale.images, feature, tied, cramersV, seed });
  const evaluation = evaluationScenes(sources[dataset]!.test, scale.evaluation, seed, feature);
  const captions = classCaptions(scenes.labels, names, seed);
  const [train, validation] = [join(folder, 'train.csv'), join(folder, 'validation.csv')];
  if (!existsSync(train)) await writeScenes(folder, forTraining, scenes, { name: 'train', column: 'caption', cells: captions });
  if (!existsSync(validation)) {
    await writeScenes(folder, sources[dataset]!.test, evaluation, { name: 'validation', column: 'label', cells: Array.from(evaluation.labels, (label) => names[label]!) });
  }
  const trainingTable = await loadTable(train, { image: 'image' });
  const training = { files: trainingTable.files, captions, labels: scenes.labels, classes: names };
  const config = configOf({ batch: 128, epochs: scale.epochs, learningRate: 0.0005, schedule: 'constant' }, seed);
  const misled = join(folder, 'misled');
  if (!existsSync(misled)) await fit({ start, out: misled, data: training, config }, report, signal);
  return { folder, start, misled, config, training, trainingTable, evaluation: { scenes: evaluation, table: await loadTable(validation, { image: 'image' }) } };
}

/** Misleads a checkpoint and asks every discovery method about it. */
export async function detectionStage(stage: Stage, setting: Setting): Promise<Detected> {
  return kept(join(settingFolder(stage, setting), 'detection.json'), async () => {
    const { report, signal } = stage;
    report({ type: 'note', level: 'info', text: `Discovery: ${inWords(setting)}.` });
    const seconds: Record<string, number> = {};
    const opened = await timed(seconds, 'fine-tune', () => open(stage, setting));
    const { folder, misled, config, evaluation: { scenes, table } } = opened;
    const names = classNames[setting.dataset];
    const embedded = await timed(seconds, 'embed', () => embedSet(misled, table, names, config, folder, report, signal));
    const images = await scoreRows(embedded.images, embedded.dim, embedded.classRows, config.discovery.temperature);
    const regions = await scoreRows(embedded.regions, embedded.dim, embedded.classRows, config.discovery.temperature);
    const problem: DetectionProblem = {
      classes: names.length, dim: embedded.dim, labels: scenes.labels, predictions: images.predictions, imageScores: images.scores,
      regionImage: embedded.regionImage, regions: embedded.regions, regionScores: regions.scores, seed: setting.seed,
    };
    const carries = (region: number) => shows(boxOf(embedded, region), scenes.marks[embedded.regionImage[region]!]!);
    const precision: Record<string, number> = {};
    let top: number | null = null;
    const clustering = await timed(seconds, 'cluster', () => clusteringOf(problem));
    for (const method of detectionMethods) {
      const [suspect] = await timed(seconds, method.id, () => method.detect(problem));
      precision[method.id] = suspect ? precisionAt(10, suspect.regions, carries) : 0;
      if (method.id === 'ravl') top = suspect ? clustering.assignment[suspect.regions[0]!]! : null;
    }
    const present = presentIn(scenes);
    await writeFileAtomically(join(folder, 'medoids.json'), JSON.stringify(Array.from(clustering.medoids, (region) => Array.from(rowOf(embedded, region)))));
    return {
      setting,
      ...shortcutLearned(scenes.labels, images.predictions, present, setting.tied, names.length),
      accuracy: groupAccuracy(scenes.labels, images.predictions, present),
      precision, top, seconds,
    };
  });
}

/** What every mitigation method makes of a setting whose discovery stage is done. */
export async function mitigationStage(stage: Stage, detected: Detected): Promise<MitigationResult[]> {
  const { setting } = detected;
  const folder = settingFolder(stage, setting);
  const results: MitigationResult[] = [];
  let problem: { readonly given: MitigationProblem; readonly opened: Opened } | undefined;
  for (const method of mitigationMethods) {
    results.push(
      await kept(join(folder, `mitigation-${method.id}.json`), async () => {
        problem ??= await mitigationProblem(stage, detected);
        return mitigate(stage, setting, method, problem.given, problem.opened);
      }),
    );
  }
  // The tables stay, and the images can be made again from them.
  for (const part of ['images', 'train.csv', 'validation.csv']) await rm(join(folder, part), { recursive: true, force: true });
  return results;
}

async function mitigationProblem(stage: Stage, { setting, top }: Detected): Promise<{ given: MitigationProblem; opened: Opened }> {
  const { report, signal } = stage;
  const opened = await open(stage, setting);
  const { folder, start, misled, config, training, trainingTable } = opened;
  const embedded = await embedSet(misled, trainingTable, training.classes, config, folder, report, signal);
  const rows = JSON.parse(await readFile(join(folder, 'medoids.json'), 'utf8')) as number[][];
  const medoids = Float32Array.from(rows.flat());
  const suspected = new Set(top === null ? [] : [top]);
  const plan = await planRegions(embedded, medoids, suspected, null, embedded.dim);
  const nearest = await nearestMedoids(embedded.regions, embedded.regionImage.length, medoids, embedded.dim);
  const present = new Uint8Array(training.labels.length);
  nearest.forEach((cluster, region) => {
    if (suspected.has(cluster)) present[embedded.regionImage[region]!] = 1;
  });
  const { embedding, images: embeddings, classRows, dim } = embedded;
  return { given: { start, misled, training, config, present, regions: { ...plan, embedding }, embeddings, classRows, dim }, opened };
}

async function mitigate(stage: Stage, setting: Setting, method: MitigationMethod, problem: MitigationProblem, { folder, config, evaluation: { scenes, table } }: Opened): Promise<MitigationResult> {
  const { report, signal } = stage;
  report({ type: 'note', level: 'info', text: `Mitigation by ${method.name}: ${inWords(setting)}.` });
  const out = join(folder, method.id);
  await rm(out, { recursive: true, force: true });
  const seconds: Record<string, number> = {};
  const { checkpoint, classRows } = await timed(seconds, 'mitigate', () => method.mitigate(problem, out, report, signal));
  const embedded = await embedSet(checkpoint, table, problem.training.classes, config, folder, report, signal);
  const rows = classRows ?? embedded.classRows;
  const images = await scoreRows(embedded.images, embedded.dim, rows, config.discovery.temperature);
  const regions = await scoreRows(embedded.regions, embedded.dim, rows, config.discovery.temperature);
  const present = presentIn(scenes);
  const objects = Int32Array.from(scenes.labels, (_, image) => objectRegion(scenes, image));
  if (checkpoint === out) await rm(out, { recursive: true, force: true });
  return {
    setting, method: method.id,
    image: groupAccuracy(scenes.labels, images.predictions, present),
    region: groupAccuracy(scenes.labels, objects.map((region) => regions.predictions[region]!), present),
    seconds: seconds['mitigate']!,
  };
}

function configOf(training: Record<string, unknown>, seed: number): Config {
  const { config, issues } = checkConfig({
    checkpoint: '.', data: { validation: 'validation.csv' }, prompts: ['the image shows a {}', 'a photo of a {}'], regions: { kind: 'grid', rows: 2, cols: 2 },
    training: { ...training, earlyStopping: null }, device: 'cpu', seed,
  });
  if (!config) throw new Error(issues.map(({ message }) => message).join(' '));
  return config;
}

const settingFolder = ({ cache, scale }: Stage, setting: Setting) => join(cache, `setting-${hash({ setting, scale })}`);
const hash = (value: unknown) => fingerprint({ version, value }).slice(0, 16);

/** [images] 1 with the feature. */
const presentIn = ({ marks }: Scenes) => Uint8Array.from(marks, (all) => (all.length > 0 ? 1 : 0));
const boxOf = ({ boxes }: Embedded, region: number) => Array.from(boxes.subarray(4 * region, 4 * region + 4)) as unknown as Box;
const rowOf = ({ regions, dim }: Embedded, region: number) => regions.subarray(region * dim, (region + 1) * dim);

/** The region of an image that its object's quadrant is: grids give four regions an image, in reading order. */
const objectRegion = ({ objectQuadrant }: Scenes, image: number) => 4 * image + objectQuadrant[image]!;

/** The value in a file, made and written where there is none. */
async function kept<T>(file: string, make: () => Promise<T>): Promise<T> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text !== null) return JSON.parse(text) as T;
  const value = await make();
  await writeFileAtomically(file, `${JSON.stringify(value)}\n`);
  return value;
}

async function timed<T>(seconds: Record<string, number>, step: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const value = await work();
  seconds[step] = Math.round(performance.now() - from) / 1000;
  return value;
}
