/**
 * A person's own photos and checkpoint as a benchmark: an object is pasted into their photos and tied to a class, so that there is a
 * shortcut whose place is known, and everything else is theirs.
 *
 * Fine-tuning and evaluation photos are split by the seed. In the fine-tuning photos object and class have the Cramér's V asked for;
 * in the evaluation photos half of each class has the object. Photos without the object are used as they lie there; those with it are
 * written without loss, so that nothing but the object tells the one from the other.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import type { Box } from '../../shared/boxes';
import type { CheckpointConfig, Config } from '../../shared/config';
import { nearest } from '../../shared/nearest';
import type { Report } from '../../shared/progress';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import { decodeImage } from '../dataset/decodeImage';
import { frame } from '../dataset/frame';
import { imageStream } from '../dataset/prefetch';
import type { Table } from '../dataset/table';
import { filesOf } from '../discovery/inputs';
import { loadValidationData, selectRows } from '../discovery/validationData';
import { writeFileAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { hashFile, imageListHash } from '../run/fingerprint';
import { plantOneByOne } from './contingency';
import { classUnknown, photosFew } from './errors';
import { shows } from './marks';
import { encodePhoto, paste, readObject, type ObjectCrop } from './objectCrop';
import { seededRandom, shuffle } from './random';
import type { PlantedImages, Source } from './source';
import type { Suite } from './suites';

export interface PhotosRequest {
  /** Checkpoint, photos (`data.validation`), classes, prompts, regions, embedding, device, and how to train. */
  readonly config: Config;
  /** Folder that the config's paths start from. */
  readonly baseDir: string;
  /** Absolute path of an image of the object. */
  readonly object: string;
  /** Name of the class that it is tied to. */
  readonly tied: string;
  readonly cramersV: number;
  /** Photos to use at most, as evenly of all classes as there are. */
  readonly photos: number;
  /** Passes over the fine-tuning photos. */
  readonly epochs: number;
}

/** Photos of one class that make two sets, each with and without the object. */
const fewest = 8;
const seeds = [1, 2, 3];
/** Side of the object, as a share of the shorter side of what the model sees of a photo; in percent. */
const [smallest, largest] = [20, 35];

/**
 * The settings of an object in photos: one a seed. All photos that are used are decoded once, before hours of training meet one that
 * cannot be. Throws RavlError `benchmark-*`, `dataset-*`, `checkpoint-*`.
 */
export async function openPhotos(request: PhotosRequest, report: Report, signal: AbortSignal): Promise<{ suite: Suite; sources: Readonly<Record<string, Source>> }> {
  const { config, baseDir, tied: name, cramersV, epochs } = request;
  const object = await readObject(request.object);
  const { table: all, classes, labels: given } = await loadValidationData(config, baseDir, false, report);
  const tied = classes.indexOf(name);
  if (tied < 0) throw classUnknown(name, classes, nearest(name, classes));
  const start = absolute(config.checkpoint, baseDir);
  const checkpoint = await openCheckpoint(start, '.');
  const rows = drawn(given, classes, request.photos, all.source);
  const table = selectRows(all, rows);
  const labels = rows.map((row) => given[row]!);
  const visible = await visibleParts(table, checkpoint, report, signal);
  const photos: Photos = { table, labels, visible, object };

  const trained = { ...config.training, epochs, earlyStopping: null, schedule: config.training.schedule === 'plateau' ? ('constant' as const) : config.training.schedule };
  const regions = config.regions.kind === 'proposals' ? { ...config.regions, model: resolve(baseDir, config.regions.model) } : config.regions;
  const own = { ...config, training: trained, regions };
  const contents = {
    config: { ...own, checkpoint: undefined, data: undefined, regions: config.regions, launcher: undefined, seed: undefined }, classes,
    photos: await imageListHash('', table.files), labels: Array.from(labels), object: await hashFile(request.object), checkpoint: await Promise.all(filesOf(checkpoint).map(hashFile)),
  };
  const source: Source = {
    classes,
    identity: (setting) => ({ setting, contents }),
    config: ({ seed }) => ({ ...own, seed }),
    start: () => Promise.resolve(start),
    plant: ({ seed }) => plantObject(photos, classes, tied, cramersV, config.prompts, seed),
  };
  const about =
    `${JSON.stringify(request.object)} is pasted into ${table.files.length.toLocaleString('en')} photos of ${JSON.stringify(all.source)} and tied to the class ${JSON.stringify(name)} with a Cramér's V of ${cramersV}; ` +
    `the checkpoint ${JSON.stringify(checkpoint.name)} is fine-tuned on ${fineTuningPhotos(labels, classes.length)} of them for ${epochs} epochs. Region accuracy counts the regions without the object.`;
  const settings = seeds.map((seed) => ({ dataset: 'photos' as const, feature: 'object' as const, tied, cramersV, seed }));
  return { suite: { name: 'photos', title: 'ravl benchmark on photos', about, settings }, sources: { photos: source } };
}

interface Photos {
  readonly table: Table;
  /** [photos] class ids. */
  readonly labels: Int32Array;
  /** [photos] what the model sees of each, in its pixels. */
  readonly visible: readonly Box[];
  readonly object: ObjectCrop;
}

interface Mark {
  readonly box: Box;
}

/** Rows of the photos that are used: of every class the same number, or all it has, at random. */
function drawn(labels: Int32Array, classes: readonly string[], most: number, source: string): Int32Array {
  const each = Math.floor(most / classes.length);
  const random = seededRandom(0, 'photos');
  const rows = classes.flatMap((name, label) => {
    const own = shuffle(Int32Array.from(labels.keys()).filter((row) => labels[row] === label), random).slice(0, each);
    if (own.length < fewest) throw photosFew(source, name, own.length, fewest, each < fewest ? fewest * classes.length : undefined);
    return Array.from(own);
  });
  return Int32Array.from(rows).sort();
}

async function visibleParts({ files }: Table, { preprocessing }: Checkpoint, report: Report, signal: AbortSignal): Promise<Box[]> {
  const parts: Box[] = [];
  for await (const { image, error } of imageStream(files)) {
    signal.throwIfAborted();
    if (error) throw error;
    parts.push(frame(preprocessing, image.width, image.height).visible);
    report({ type: 'progress', phase: 'check', done: parts.length, total: files.length, unit: 'photos' });
  }
  return parts;
}

/** Both sets of a setting; the evaluation set is half of each class, rounded so that it can be halved. */
function plantObject(photos: Photos, classes: readonly string[], tied: number, cramersV: number, prompts: readonly string[], seed: number): ReturnType<Source['plant']> {
  const [split, places, words] = [seededRandom(seed, 'photos'), seededRandom(seed, 'objects'), seededRandom(seed, 'captions')];
  const parts = classes.map((_, label) => {
    const own = shuffle(Int32Array.from(photos.labels.keys()).filter((photo) => photos.labels[photo] === label), split);
    return { training: own.subarray(evaluated(own.length)), evaluation: own.subarray(0, evaluated(own.length)) };
  });
  const { present } = plantOneByOne(Int32Array.from(parts, ({ training }) => training.length), tied, cramersV, seed);
  const set = (name: 'training' | 'evaluation', withObject: (label: number) => number) => {
    const members = parts.flatMap((part, label) => Array.from(part[name], (photo, place) => ({ photo, marked: place < withObject(label) })));
    return plantedPhotos(photos, name, Array.from(shuffle(Int32Array.from(members.keys()), split), (at) => members[at]!), places);
  };
  const training = set('training', (label) => present[label]!);
  const captions = Array.from(training.labels, (label) => prompts[uniformInt(words, 0, prompts.length - 1)]!.replaceAll('{}', () => classes[label]!));
  return { training: { ...training, captions }, evaluation: set('evaluation', (label) => parts[label]!.evaluation.length / 2) };
}

const evaluated = (photosOfClass: number) => 2 * Math.floor(photosOfClass / 4);

function fineTuningPhotos(labels: Int32Array, classes: number): number {
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  return counts.reduce((sum, count) => sum + count - evaluated(count), 0);
}

function plantedPhotos({ table, labels, visible, object }: Photos, name: string, members: readonly { readonly photo: number; readonly marked: boolean }[], random: RandomGenerator): PlantedImages {
  const rows = Int32Array.from(members, ({ photo }) => photo);
  const marks = members.map(({ photo, marked }): Mark[] => (marked ? [{ box: placeObject(visible[photo]!, object, random) }] : []));
  const digits = String(members.length - 1).length;
  return {
    labels: rows.map((photo) => labels[photo]!),
    marks,
    counts: (image, box) => !shows(box, marks[image]!),
    async write(folder) {
      const chosen = selectRows(table, rows);
      const images = join(folder, 'images', name);
      await withStorageErrors(images, () => mkdir(images, { recursive: true }));
      const files: string[] = [];
      for (const [image, file] of chosen.files.entries()) {
        const [mark] = marks[image]!;
        const written = join(images, `${String(image).padStart(digits, '0')}.png`);
        if (mark && !existsSync(written)) {
          const png = await encodePhoto(await paste(await decodeImage(file), object, mark.box));
          await writeFileAtomically(written, png);
        }
        files.push(mark ? written : file);
      }
      return { ...chosen, files };
    },
  };
}

/** A box in whole pixels with the object's shape, in what the model sees. */
function placeObject([x, y, width, height]: Box, object: ObjectCrop, random: RandomGenerator): Box {
  const [left, top] = [Math.ceil(x), Math.ceil(y)];
  const [right, bottom] = [Math.max(left + 1, Math.floor(x + width)), Math.max(top + 1, Math.floor(y + height))];
  const side = (uniformInt(random, smallest, largest) / 100) * Math.min(right - left, bottom - top);
  const scale = side / Math.max(object.width, object.height);
  const [w, h] = [Math.max(1, Math.round(object.width * scale)), Math.max(1, Math.round(object.height * scale))];
  return [uniformInt(random, left, right - w), uniformInt(random, top, bottom - h), w, h];
}

function absolute(checkpoint: CheckpointConfig, baseDir: string): CheckpointConfig {
  if (typeof checkpoint === 'string') return resolve(baseDir, checkpoint);
  const files = ['model', 'vision', 'text', 'tokenizer', 'preprocessor'] as const;
  return { ...checkpoint, ...Object.fromEntries(files.flatMap((key) => (checkpoint[key] === undefined ? [] : [[key, resolve(baseDir, checkpoint[key])]]))) };
}
