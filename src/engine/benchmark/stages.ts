/**
 * The stages of a setting, each kept in a folder whose name is a hash of all that decides it: the data, the checkpoint that standard
 * fine-tuning misleads, what discovery methods say of it, and what mitigation methods make of it. A stage that is there is not made
 * again, so a benchmark that was killed goes on where it was.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { CheckpointConfig, Config } from '../../shared/config';
import { RavlError } from '../../shared/errors';
import type { Table } from '../dataset/table';
import { nearestMedoids, planRegions } from '../mitigation/spuriousRegions';
import { writeFileAtomically } from '../run/atomic';
import { clusteringOf } from './detection/clusterMethods';
import { detectionMethods } from './detection/methods';
import { precisionAt, type DetectionProblem } from './detection/problem';
import { shows } from './marks';
import { mitigationMethods } from './mitigation/methods';
import type { MitigationMethod, MitigationProblem } from './mitigation/problem';
import { fit, trainedCheckpoint, type TrainingSet } from './mitigation/train';
import { embedSet, groupAccuracy, scoreRows, shortcutLearned, type Embedded, type GroupAccuracy } from './score';
import { cacheName, type Place, type PlantedImages, type Source } from './source';
import { inWords, type Setting } from './suites';

export interface Stage extends Place {
  /** What the settings of each data set are made of. */
  readonly sources: Readonly<Record<string, Source>>;
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
  /** Of the regions that count (see source.ts). */
  readonly region: GroupAccuracy;
  readonly seconds: number;
  /** Its training diverged: it made no model, and its accuracies are 0. */
  readonly diverged?: true;
}

/** Everything about a setting that its later stages start from. */
interface Opened {
  readonly folder: string;
  readonly start: CheckpointConfig;
  readonly misled: CheckpointConfig;
  readonly config: Config;
  readonly training: TrainingSet;
  readonly trainingTable: Table;
  readonly evaluation: PlantedImages & { readonly table: Table };
}

/** Data, and the checkpoint misled by it. */
async function open(stage: Stage, setting: Setting): Promise<Opened> {
  const { report, signal } = stage;
  const source = sourceOf(stage, setting);
  const start = await source.start(stage);
  const folder = settingFolder(stage, setting);
  await mkdir(folder, { recursive: true });
  const { training: planted, evaluation } = source.plant(setting);
  const [trainingTable, table] = [await planted.write(folder), await evaluation.write(folder)];
  const training = { files: trainingTable.files, captions: planted.captions, labels: planted.labels, classes: source.classes };
  const config = source.config(setting);
  const out = join(folder, 'misled');
  const misled = existsSync(out) ? await trainedCheckpoint(start, out) : await fit({ start, out, data: training, config }, report, signal);
  return { folder, start, misled, config, training, trainingTable, evaluation: { ...evaluation, table } };
}

/** Misleads a checkpoint and asks every discovery method about it. */
export async function detectionStage(stage: Stage, setting: Setting): Promise<Detected> {
  return kept(join(settingFolder(stage, setting), detectionFile), async () => {
    const { report, signal } = stage;
    const { classes } = sourceOf(stage, setting);
    report({ type: 'note', level: 'info', text: `Discovery: ${inWords(setting, classes)}.` });
    const seconds: Record<string, number> = {};
    const opened = await timed(seconds, 'fine-tune', () => open(stage, setting));
    const { folder, misled, config, evaluation: { labels, marks, table } } = opened;
    const embedded = await timed(seconds, 'embed', () => embedSet(misled, table, classes, config, folder, report, signal));
    const images = await scoreRows(embedded.images, embedded.dim, embedded.classRows, config.discovery.temperature);
    const regions = await scoreRows(embedded.regions, embedded.dim, embedded.classRows, config.discovery.temperature);
    const problem: DetectionProblem = {
      classes: classes.length, dim: embedded.dim, labels, predictions: images.predictions, imageScores: images.scores,
      regionImage: embedded.regionImage, regions: embedded.regions, regionScores: regions.scores, seed: setting.seed,
    };
    const carries = (region: number) => shows(boxOf(embedded, region), marks[embedded.regionImage[region]!]!);
    const precision: Record<string, number> = {};
    let top: number | null = null;
    const clustering = await timed(seconds, 'cluster', () => clusteringOf(problem));
    for (const method of detectionMethods) {
      const [suspect] = await timed(seconds, method.id, () => method.detect(problem));
      precision[method.id] = suspect ? precisionAt(10, suspect.regions, carries) : 0;
      if (method.id === 'ravl') top = suspect ? clustering.assignment[suspect.regions[0]!]! : null;
    }
    const present = presentIn(marks);
    await writeFileAtomically(join(folder, 'medoids.json'), JSON.stringify(Array.from(clustering.medoids, (region) => Array.from(rowOf(embedded, region)))));
    return {
      setting,
      ...shortcutLearned(labels, images.predictions, present, setting.tied, classes.length),
      accuracy: groupAccuracy(labels, images.predictions, present),
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
      await kept(join(folder, mitigationFile(method.id)), async () => {
        problem ??= await mitigationProblem(stage, detected);
        return mitigate(stage, setting, method, problem.given, problem.opened);
      }),
    );
  }
  return results;
}

/** Deletes the images of a setting; a stage that wants them makes them again. The tables go first: images belong to a table that is there. */
export async function deleteImages(stage: Stage, setting: Setting): Promise<void> {
  for (const part of ['train.csv', 'validation.csv', 'images']) await rm(join(settingFolder(stage, setting), part), { recursive: true, force: true });
}

/** What discovery found before; null where it is to be run. */
export const keptDetection = (stage: Stage, setting: Setting): Promise<Detected | null> => readKept<Detected>(join(settingFolder(stage, setting), detectionFile));

/** How much of the stages of a setting is there already. */
export function keptStages(stage: Stage, setting: Setting): Readonly<Record<'discovery' | 'mitigation', 'none' | 'part' | 'whole'>> {
  const folder = settingFolder(stage, setting);
  const there = (file: string) => existsSync(join(folder, file));
  const methods = mitigationMethods.filter(({ id }) => there(mitigationFile(id))).length;
  return {
    discovery: there(detectionFile) ? 'whole' : existsSync(folder) ? 'part' : 'none',
    mitigation: methods === mitigationMethods.length ? 'whole' : methods > 0 ? 'part' : 'none',
  };
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

async function mitigate(stage: Stage, setting: Setting, method: MitigationMethod, problem: MitigationProblem, opened: Opened): Promise<MitigationResult> {
  const { report, signal } = stage;
  const { folder, config, evaluation: { labels, marks, counts, table } } = opened;
  report({ type: 'note', level: 'info', text: `Mitigation by ${method.name}: ${inWords(setting, problem.training.classes)}.` });
  const out = join(folder, method.id);
  await rm(out, { recursive: true, force: true });
  const seconds: Record<string, number> = {};
  const made = await timed(seconds, 'mitigate', () => method.mitigate(problem, out, report, signal).catch(nothingWhereDiverged));
  if (!made) {
    const nothing = { overall: 0, worstGroup: 0 };
    return { setting, method: method.id, image: nothing, region: nothing, seconds: seconds['mitigate']!, diverged: true };
  }
  const { checkpoint, classRows } = made;
  const embedded = await embedSet(checkpoint, table, problem.training.classes, config, folder, report, signal);
  await rm(out, { recursive: true, force: true });
  const { dim, regionImage } = embedded;
  const rows = classRows ?? embedded.classRows;
  const images = await scoreRows(embedded.images, dim, rows, config.discovery.temperature);
  const regions = await scoreRows(embedded.regions, dim, rows, config.discovery.temperature);
  const present = presentIn(marks);
  const counted = Int32Array.from(regionImage.keys()).filter((region) => counts(regionImage[region]!, boxOf(embedded, region)));
  const ofImages = counted.map((region) => regionImage[region]!);
  return {
    setting, method: method.id,
    image: groupAccuracy(labels, images.predictions, present),
    region: groupAccuracy(ofImages.map((image) => labels[image]!), counted.map((region) => regions.predictions[region]!), ofImages.map((image) => present[image]!)),
    seconds: seconds['mitigate']!,
  };
}

/** One method that diverges is a result, and no reason to lose the others'. */
function nothingWhereDiverged(error: unknown): null {
  if (error instanceof RavlError && error.code === 'run-diverged') return null;
  throw error;
}

const detectionFile = 'detection.json';
const mitigationFile = (method: string) => `mitigation-${method}.json`;

const sourceOf = ({ sources }: Stage, { dataset }: Setting) => sources[dataset]!;
const settingFolder = (stage: Stage, setting: Setting) => join(stage.cache, cacheName('setting', sourceOf(stage, setting).identity(setting)));

/** [images] 1 with the feature. */
const presentIn = (marks: PlantedImages['marks']) => Uint8Array.from(marks, (all) => (all.length > 0 ? 1 : 0));
const boxOf = ({ boxes }: Embedded, region: number) => Array.from(boxes.subarray(4 * region, 4 * region + 4)) as unknown as Box;
const rowOf = ({ regions, dim }: Embedded, region: number) => regions.subarray(region * dim, (region + 1) * dim);

/** The value in a file, made and written where there is none. */
async function kept<T>(file: string, make: () => Promise<T>): Promise<T> {
  const there = await readKept<T>(file);
  if (there !== null) return there;
  const value = await make();
  await writeFileAtomically(file, `${JSON.stringify(value)}\n`);
  return value;
}

async function readKept<T>(file: string): Promise<T | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as T);
}

async function timed<T>(seconds: Record<string, number>, step: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const value = await work();
  seconds[step] = Math.round(performance.now() - from) / 1000;
  return value;
}
