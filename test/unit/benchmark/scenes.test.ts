import { describe, expect, it } from 'vitest';
import { captionTemplates, captionWords, classCaptions, descriptiveCaptions } from '../../../src/engine/benchmark/captions';
import { coloursOf, evaluationScenes, paint, plantedScenes, pretrainingScenes, type Scenes } from '../../../src/engine/benchmark/compose';
import { cramersV, plantCorrelation } from '../../../src/engine/benchmark/contingency';
import { classNames, type GreyImages } from '../../../src/engine/benchmark/idx';
import { features, rectangleColours, shows } from '../../../src/engine/benchmark/marks';

const [height, width] = [28, 28];

/** Image i of the source is grey in a pattern that no other image and no other pixel of it has, and never black. */
function source(count: number, classes: readonly string[] = ['cat', 'dog', 'cow', 'pig']): GreyImages {
  const pixels = Uint8Array.from({ length: count * height * width }, (_, at) => 1 + ((at * 7 + Math.floor(at / (height * width)) * 13) % 255));
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes.length);
  return { count, height, width, pixels, labels, classes };
}

/** [28, 28, 3] of a quadrant, as one string of pixels. */
function quadrant(painted: Uint8Array, index: number): string {
  const [top, left] = [Math.floor(index / 2) * height, (index % 2) * width];
  return Array.from({ length: height }, (_, y) => painted.slice(((top + y) * 2 * width + left) * 3, ((top + y) * 2 * width + left + width) * 3).join()).join(';');
}

const solid = (colour: readonly number[]) => Array.from({ length: height }, () => Array.from({ length: width }, () => colour.join()).join()).join(';');

function greyOf({ pixels }: GreyImages, image: number): string {
  const own = pixels.subarray(image * height * width, (image + 1) * height * width);
  return Array.from({ length: height }, (_, y) => Array.from(own.subarray(y * width, (y + 1) * width), (value) => [value, value, value].join()).join()).join(';');
}

/** [images] quadrant that the feature fills, -1 for none. */
const featureQuadrant = ({ marks }: Scenes) => Int8Array.from(marks, ([mark]) => (mark ? 2 * (mark.box[1] / height) + mark.box[0] / width : -1));

const red = (scenes: Scenes) => Array.from(featureQuadrant(scenes), (place) => place >= 0);

/** Images of each class, and those of them for which `test` holds. */
function counted({ labels }: Scenes, test: readonly boolean[], classes: number) {
  const totals = new Int32Array(classes);
  const present = new Int32Array(classes);
  labels.forEach((label, i) => {
    totals[label]!++;
    if (test[i]) present[label]!++;
  });
  return { totals, present };
}

describe('a painted scene', () => {
  const images = source(200);
  const scenes = plantedScenes(images, { images: 120, tied: 1, cramersV: 0.8, seed: 3 });

  it('is the object in one quadrant, red in another or nowhere, and black', () => {
    for (let i = 0; i < scenes.count; i++) {
      const painted = paint(images, scenes, i);
      expect(painted).toHaveLength(56 * 56 * 3);
      for (let place = 0; place < 4; place++) {
        const expected = place === scenes.objectQuadrant[i] ? greyOf(images, scenes.source[i]!) : solid(place === featureQuadrant(scenes)[i] ? [255, 0, 0] : [0, 0, 0]);
        expect(quadrant(painted, place) === expected, `image ${i}, quadrant ${place}`).toBe(true);
      }
    }
  });

  it('has its object and its rectangle in every quadrant about as often, and never in the same', () => {
    const many = evaluationScenes(source(2000), 2000, 1);
    const counts = (column: Int8Array) => [0, 1, 2, 3].map((place) => column.filter((value) => value === place).length);
    // Of 2,000 drawn with probability 1/4: 500 ± 19; of 1,000: 250 ± 14. Five deviations.
    for (const n of counts(many.objectQuadrant)) expect(Math.abs(n - 500)).toBeLessThan(97);
    for (const n of counts(featureQuadrant(many))) expect(Math.abs(n - 250)).toBeLessThan(69);
    expect(featureQuadrant(many).some((place, i) => place === many.objectQuadrant[i])).toBe(false);
  });

  it('shows the image its label says, and no image twice', () => {
    expect(Array.from(scenes.source, (image) => images.labels[image])).toEqual([...scenes.labels]);
    expect(new Set(scenes.source).size).toBe(scenes.count);
  });

  it('is the same for the same seed and another for another', () => {
    expect(plantedScenes(images, { images: 120, tied: 1, cramersV: 0.8, seed: 3 })).toEqual(scenes);
    expect(plantedScenes(images, { images: 120, tied: 1, cramersV: 0.8, seed: 4 }).source).not.toEqual(scenes.source);
  });
});

describe('a planted set', () => {
  it("has the Cramér's V asked for, or just less", () => {
    const scenes = plantedScenes(source(4000), { images: 4000, tied: 2, cramersV: 0.9, seed: 1 });
    const table = counted(scenes, red(scenes), 4);
    expect([...table.totals]).toEqual([1000, 1000, 1000, 1000]);
    expect(cramersV(table)).toBeLessThanOrEqual(0.9);
    expect(cramersV(table)).toBeGreaterThan(0.89);
    expect(table.present[2]).toBeGreaterThan(900);
    expect(table).toEqual(plantCorrelation(Int32Array.of(1000, 1000, 1000, 1000), 2, 0.9, 1));
  });

  it('draws its images at random', () => {
    const { source: drawn } = plantedScenes(source(4000), { images: 400, tied: 0, cramersV: 0.9, seed: 1 });
    // Of 4,000: half from each half, 200 ± 10.
    expect(Math.abs(drawn.filter((image) => image < 2000).length - 200)).toBeLessThan(50);
  });

  it('gives the first classes what is left over', () => {
    const scenes = plantedScenes(source(200), { images: 90, tied: 0, cramersV: 1, seed: 1 });
    expect([...counted(scenes, red(scenes), 4).totals]).toEqual([23, 23, 22, 22]);
  });

  it('is in random order', () => {
    const { labels } = plantedScenes(source(400), { images: 400, tied: 0, cramersV: 0.95, seed: 1 });
    const runs = labels.filter((label, i) => i > 0 && label !== labels[i - 1]).length;
    // Of 399 neighbours 3/4 differ: 299 ± 9.
    expect(Math.abs(runs - 299)).toBeLessThan(45);
  });

  it('asks for more images of a class than there are', () => {
    expect(() => plantedScenes(source(40), { images: 44, tied: 0, cramersV: 0.95, seed: 1 })).toThrow('10 images of the class "cat", and 11 are asked for');
  });
});

describe('an evaluation set', () => {
  it('has red in exactly half of the images of each class', () => {
    const scenes = evaluationScenes(source(400), 400, 1);
    const table = counted(scenes, red(scenes), 4);
    expect([[...table.totals], [...table.present]]).toEqual([[100, 100, 100, 100], [50, 50, 50, 50]]);
    expect(cramersV(table)).toBe(0);
  });

  it.each([0, -8, 100, 12.5, NaN])('of %d images is refused', (images) => {
    expect(() => evaluationScenes(source(400), images, 1)).toThrow(/Ask for a multiple of 8|cannot be halved/);
  });
});

describe('a pretraining set', () => {
  const scenes = pretrainingScenes(source(2400), 2400, 1);

  it('has each colour equally often in each class, and a rectangle in half of the images', () => {
    for (const colour of Object.keys(rectangleColours)) {
      expect([...counted(scenes, coloursOf(scenes).map((each) => each === colour), 4).present]).toEqual([50, 50, 50, 50]);
    }
    expect([...counted(scenes, red(scenes), 4).present]).toEqual([300, 300, 300, 300]);
  });

  it('paints them in their colours', () => {
    const images = source(2400);
    for (const [colour, rgb] of Object.entries(rectangleColours)) {
      const image = coloursOf(scenes).indexOf(colour as keyof typeof rectangleColours);
      expect(quadrant(paint(images, scenes, image), featureQuadrant(scenes)[image]!)).toBe(solid(rgb));
    }
  });
});

describe('captions', () => {
  const names = classNames['fashion-mnist'];
  const labels = Int32Array.from({ length: 600 }, (_, i) => i % 10);
  /** Words of a caption that are class names. */
  const classesIn = (caption: string) => caption.split(/\W+/).filter((word) => (names as readonly string[]).includes(word));

  it('name the class, once, and no other', () => {
    const captions = classCaptions(labels, names, 1);
    expect(captions.map(classesIn)).toEqual(Array.from(labels, (label) => [names[label]]));
    expect(captions.some((caption) => /\{|\}|red|rectangle/.test(caption))).toBe(false);
  });

  it('come in every template, whatever the class', () => {
    const templates = new Map<string, Set<string>>();
    for (const caption of classCaptions(labels, names, 1)) {
      const template = caption.replace(classesIn(caption)[0]!, '{}');
      templates.set(template, (templates.get(template) ?? new Set()).add(classesIn(caption)[0]!));
    }
    expect([...templates.keys()].sort()).toEqual([...captionTemplates].sort());
    expect(captionTemplates.length).toBeGreaterThanOrEqual(12);
    for (const seen of templates.values()) expect(seen.size).toBe(10);
  });

  it('name the rectangle of every second image that has one', () => {
    const colours = Array.from(labels, (_, i) => (i % 2 === 0 ? 'green' : null));
    const captions = descriptiveCaptions(labels, names, colours, 1);
    expect(captions.map(classesIn)).toEqual(Array.from(labels, (label) => [names[label]]));
    const named = captions.map((caption) => /(with|and|next to) a green rectangle$/.test(caption));
    expect(named.some((is, i) => is && colours[i] === null)).toBe(false);
    // Of 300: 150 ± 9.
    expect(Math.abs(named.filter(Boolean).length - 150)).toBeLessThan(44);
  });

  it('hold no other words than those the tokenizer is given', () => {
    const words = new Set(captionWords(names, Object.keys(rectangleColours)));
    const colours = Array.from(labels, (_, i) => Object.keys(rectangleColours)[i % 7] ?? null);
    const used = new Set(descriptiveCaptions(labels, names, colours, 2).flatMap((caption) => caption.split(' ')));
    expect([...used].filter((word) => !words.has(word))).toEqual([]);
    expect([...words].filter((word) => !used.has(word))).toEqual([]);
  });
});

describe('features other than the rectangle', () => {
  const images = source(400);
  const blank = (scenes: Scenes) => ({ ...scenes, marks: scenes.marks.map(() => []) });
  /** Pixels of an image that a feature changed: how many, and the box around them. */
  function changed(scenes: Scenes, image: number) {
    const [with_, without] = [paint(images, scenes, image), paint(images, blank(scenes), image)];
    const at = Array.from({ length: 56 * 56 }, (_, pixel) => pixel).filter((pixel) => [0, 1, 2].some((c) => with_[3 * pixel + c] !== without[3 * pixel + c]));
    const [xs, ys] = [at.map((pixel) => pixel % 56), at.map((pixel) => Math.floor(pixel / 56))];
    return { count: at.length, box: [Math.min(...xs), Math.min(...ys), Math.max(...xs) - Math.min(...xs) + 1, Math.max(...ys) - Math.min(...ys) + 1] };
  }

  it.each(features)('%s is in half of each class, inside the image, and where its marks say', (feature) => {
    const scenes = evaluationScenes(images, 80, 5, feature);
    const table = counted(scenes, scenes.marks.map((marks) => marks.length > 0), 4);
    expect([...table.present]).toEqual([10, 10, 10, 10]);
    scenes.marks.forEach((marks, image) => {
      if (marks.length === 0) return;
      const { box } = changed(scenes, image);
      const [left, top] = [Math.min(...marks.map((mark) => mark.box[0])), Math.min(...marks.map((mark) => mark.box[1]))];
      const [right, bottom] = [Math.max(...marks.map((mark) => mark.box[0] + mark.box[2])), Math.max(...marks.map((mark) => mark.box[1] + mark.box[3]))];
      expect(left).toBeGreaterThanOrEqual(0);
      expect(Math.max(right, bottom)).toBeLessThanOrEqual(56);
      // A texture's own black lets its corners be; everything else changes each of its pixels.
      const slack = feature === 'texture' ? 3 : 0;
      expect(Math.abs(box[0]! - left)).toBeLessThanOrEqual(slack);
      expect(Math.abs(box[1]! - top)).toBeLessThanOrEqual(slack);
      expect(Math.abs(box[0]! + box[2]! - right)).toBeLessThanOrEqual(slack);
      expect(Math.abs(box[1]! + box[3]! - bottom)).toBeLessThanOrEqual(slack);
    });
  });

  it('have their sizes', () => {
    const sizes = (feature: (typeof features)[number]) => new Set(evaluationScenes(images, 80, 5, feature).marks.flatMap((marks) => marks.map(({ box: [, , w, h] }) => `${w}x${h}`)));
    expect(sizes('logo')).toEqual(new Set(['5x5']));
    expect(sizes('border')).toEqual(new Set(['56x6', '6x56']));
    expect(sizes('texture')).toEqual(new Set(['28x28']));
    expect(evaluationScenes(images, 80, 5, 'two').marks.every((marks) => marks.length === 0 || marks.map(({ kind }) => kind).join() === 'rectangle,border')).toBe(true);
  });

  it('show in a region that holds half of them, or that they fill by half', () => {
    const strip = { kind: 'border', colour: 'green', box: [0, 0, 56, 6] } as const;
    expect([[0, 0, 28, 28], [28, 0, 28, 28], [0, 28, 28, 28]].map((box) => shows(box as [number, number, number, number], [strip]))).toEqual([true, true, false]);
    const square = { kind: 'rectangle', colour: 'red', box: [28, 28, 28, 28] } as const;
    expect(shows([30, 30, 4, 4], [square])).toBe(true);
    expect(shows([0, 0, 56, 56], [square])).toBe(true);
    expect(shows([0, 0, 30, 56], [square])).toBe(false);
    expect(shows([0, 0, 56, 56], [])).toBe(false);
  });
});
