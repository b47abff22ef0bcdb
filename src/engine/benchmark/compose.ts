/**
 * The synthetic images of the paper (section 4): 56×56 pixels in four quadrants of 28×28. One quadrant holds a digit or
 * garment in grey, another may be a solid rectangle, and the rest is black. Other features than the rectangle: see marks.ts.
 *
 * Scenes say what is where, as columns; pixels are painted from them one image at a time, so that a data set of any size
 * costs little memory, and its truth (where the feature is) is at hand without a file.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { plantCorrelation } from './contingency';
import { settingInvalid, tooFewImages } from './errors';
import type { GreyImages } from './idx';
import { paintMark, placeFeature, rectangleColours, type Mark, type PlantedFeature, type RectangleColour } from './marks';
import { seededRandom, shuffle } from './random';

export interface Scenes {
  readonly count: number;
  /** [images] which image of the source. */
  readonly source: Int32Array;
  /** [images] class ids. */
  readonly labels: Int32Array;
  /** [images] quadrant of the object, 0..3 in reading order. */
  readonly objectQuadrant: Int8Array;
  /** [images] what is planted in each: nothing in those without the feature. */
  readonly marks: readonly (readonly Mark[])[];
}

/** [images] colour of the rectangle; null where there is none. */
export const coloursOf = ({ marks }: Scenes): (RectangleColour | null)[] => marks.map((all) => all.find(({ kind }) => kind === 'rectangle')?.colour ?? null);

export interface PlantedSetting {
  readonly images: number;
  readonly feature?: PlantedFeature;
  /** Class id a that the feature is tied to. */
  readonly tied: number;
  /** Cramér's V of the feature and the class. */
  readonly cramersV: number;
  readonly seed: number;
}

/**
 * A fine-tuning set: classes of equal size (the first take what is left over), the feature tied to one of them, in random order.
 * Throws RavlError `benchmark-setting`, `benchmark-images-few`.
 */
export function plantedScenes(source: GreyImages, { images, feature = 'rectangle', tied, cramersV, seed }: PlantedSetting): Scenes {
  const totals = source.classes.map((_, label) => Math.floor(images / source.classes.length) + (label < images % source.classes.length ? 1 : 0));
  const { present } = plantCorrelation(Int32Array.from(totals), tied, cramersV, seed);
  return scenes(source, totals, seed, (label, place, at) => (place < present[label]! ? at(feature) : []));
}

/**
 * An evaluation set with no correlation at all: classes of one size, exactly half of each with the feature, in random order.
 * Throws RavlError `benchmark-setting` where the classes cannot be halved so, `benchmark-images-few`.
 */
export function evaluationScenes(source: GreyImages, images: number, seed: number, feature: PlantedFeature = 'rectangle'): Scenes {
  const classes = source.classes.length;
  if (!(images > 0 && images % (2 * classes) === 0)) {
    throw settingInvalid(`${images} images cannot be halved over ${classes} classes.`, `Ask for a multiple of ${2 * classes}.`);
  }
  const each = images / classes;
  return scenes(source, new Array<number>(classes).fill(each), seed, (_, place, at) => (place < each / 2 ? at(feature) : []));
}

/**
 * A set to pretrain on: every second image of each class has a rectangle, of colours that take turns, so that no colour tells
 * anything of the class. Throws RavlError `benchmark-setting`, `benchmark-images-few`.
 */
export function pretrainingScenes(source: GreyImages, images: number, seed: number): Scenes {
  const classes = source.classes.length;
  const names = Object.keys(rectangleColours) as RectangleColour[];
  const each = Math.floor(images / classes);
  if (each < 1) throw settingInvalid(`${images} images are too few for ${classes} classes.`, 'Ask for at least one image a class.');
  return scenes(source, new Array<number>(classes).fill(each), seed, (_, place, at) => (place % 2 === 0 ? at('rectangle').map((mark) => ({ ...mark, colour: names[(place / 2) % names.length]! })) : []));
}

/** Pixels of one scene, [2 · height, 2 · width, 3]. */
export function paint(source: GreyImages, { source: sources, objectQuadrant, marks }: Scenes, image: number): Uint8Array {
  const { height, width, pixels } = source;
  const row = 2 * width * 3;
  const painted = new Uint8Array(2 * height * row);
  const grey = sources[image]! * height * width;
  const object = (objectQuadrant[image]! >> 1) * height * row + (objectQuadrant[image]! & 1) * width * 3;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) painted.fill(pixels[grey + y * width + x]!, object + y * row + 3 * x, object + y * row + 3 * x + 3);
  }
  for (const mark of marks[image]!) paintMark(painted, 2 * width, mark);
  return painted;
}

/** What an image at a place of its class has; `at` puts a feature somewhere in it. */
type Plant = (label: number, place: number, at: (feature: PlantedFeature) => Mark[]) => Mark[];

/** @param totals images of each class; which image is at which place of its class is drawn at random */
function scenes(source: GreyImages, totals: readonly number[], seed: number, plant: Plant): Scenes {
  const random = seededRandom(seed, 'images');
  const chosen = totals.flatMap((total, label) => Array.from(drawn(source, label, total, random), (index, place) => ({ index, label, place })));
  const order = Array.from(shuffle(Int32Array.from(chosen.keys()), random), (at) => chosen[at]!);
  const objectQuadrant = Int8Array.from(order, () => uniformInt(random, 0, 3));
  const free = Int8Array.from(objectQuadrant, (quadrant) => (quadrant + uniformInt(random, 1, 3)) % 4);
  const { height, width } = source;
  return {
    count: order.length,
    source: Int32Array.from(order, ({ index }) => index),
    labels: Int32Array.from(order, ({ label }) => label),
    objectQuadrant,
    marks: order.map(({ label, place }, image) => plant(label, place, (feature) => placeFeature(feature, { height, width, free: free[image]! }, random))),
  };
}

/** `count` images of a class, none twice. */
function drawn({ labels, classes }: GreyImages, label: number, count: number, random: RandomGenerator): Int32Array {
  const all = Int32Array.from(labels.keys()).filter((image) => labels[image] === label);
  if (all.length < count) throw tooFewImages(classes[label]!, count, all.length);
  return shuffle(all, random).subarray(0, count);
}
