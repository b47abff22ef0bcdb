import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cramersV, plantOneByOne } from '../../../src/engine/benchmark/contingency';
import { openPhotos, type PhotosRequest } from '../../../src/engine/benchmark/photos';
import type { PlantedImages, Source } from '../../../src/engine/benchmark/source';
import { decodeImage } from '../../../src/engine/dataset/decodeImage';
import type { Table } from '../../../src/engine/dataset/table';
import { checkConfig } from '../../../src/shared/configFile';
import { writePlantedClip } from '../../fixtures/plantedClip';

const root = await mkdtemp(join(tmpdir(), 'ravl-photos-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const [classes, each] = [['nine', 'one', 'two'], 40];
/** The clip sees the middle square of these. */
const [width, height] = [100, 60];

beforeAll(async () => {
  await writePlantedClip(join(root, 'clip'));
  for (const label of classes) {
    await mkdir(join(root, 'photos', label), { recursive: true });
    for (let i = 0; i < each; i++) {
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * (7 + i) + label.length * 31) % 200);
      // Among them JPEGs, one that has to be turned upright.
      const image = sharp(pixels, i === 1 ? { raw: { width: height, height: width, channels: 3 } } : { raw: { width, height, channels: 3 } });
      await (i === 1 ? image.jpeg().withMetadata({ orientation: 6 }) : i % 2 === 0 ? image.png() : image.jpeg()).toFile(join(root, 'photos', label, `${i}.${i % 2 === 0 ? 'png' : 'jpg'}`));
    }
  }
  // 40 × 20 of one colour in a transparent 60 × 60.
  const object = sharp({ create: { width: 40, height: 20, channels: 4, background: { r: 250, g: 10, b: 240, alpha: 1 } } });
  await sharp({ create: { width: 60, height: 60, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } }).composite([{ input: await object.png().toBuffer(), left: 5, top: 30 }]).png().toFile(join(root, 'object.png'));
});

function asked(more: Partial<PhotosRequest> = {}, config: object = {}): PhotosRequest {
  const checked = checkConfig({ checkpoint: 'clip', data: { validation: 'photos' }, prompts: ['a photo of a {}', 'the image shows a {}'], device: 'cpu', ...config }).config!;
  return { config: checked, baseDir: root, object: join(root, 'object.png'), tied: 'nine', cramersV: 0.8, photos: 2000, epochs: 3, ...more };
}

const open = (more?: Partial<PhotosRequest>, config?: object) => openPhotos(asked(more, config), () => undefined, new AbortController().signal);

const countsOf = ({ labels, marks }: PlantedImages) => {
  const [totals, present] = [new Int32Array(classes.length), new Int32Array(classes.length)];
  labels.forEach((label, image) => {
    totals[label]!++;
    present[label]! += marks[image]!.length;
  });
  return { totals, present };
};

describe('photos with an object', () => {
  let source: Source;
  let planted: ReturnType<Source['plant']>;
  let tables: Table[];
  beforeAll(async () => {
    const { suite, sources } = await open();
    source = sources['photos']!;
    expect(suite.settings.map(({ seed }) => seed)).toEqual([1, 2, 3]);
    planted = source.plant(suite.settings[0]!);
    tables = [await planted.training.write(join(root, 'set')), await planted.evaluation.write(join(root, 'set'))];
  });

  /** Photos of a set, by their place among the person's files. */
  const originals = (set: Table) => set.images;

  it('are split into fine-tuning and evaluation, none in both', () => {
    const [training, evaluation] = tables.map((set) => new Set(originals(set)));
    expect(training!.size + evaluation!.size).toBe(classes.length * each);
    expect([...training!].filter((photo) => evaluation!.has(photo))).toEqual([]);
  });

  it('have the correlation asked for, and none in the evaluation', () => {
    const { totals, present } = countsOf(planted.training);
    expect([...totals]).toEqual([20, 20, 20]);
    const v = cramersV({ totals, present });
    expect(v).toBeLessThanOrEqual(0.8);
    // One photo more or less moves V by less than 0.05 here.
    expect(v).toBeGreaterThan(0.75);
    expect([...countsOf(planted.evaluation).present]).toEqual([10, 10, 10]);
  });

  it('show the object in its shape and size where the model looks, and are the same to the pixel everywhere else', async () => {
    const widths = new Set<number>();
    for (const [at, set] of [planted.training, planted.evaluation].entries()) {
      for (const [image, file] of tables[at]!.files.entries()) {
        const original = join(root, 'photos', originals(tables[at]!)[image]!);
        const [mark] = set.marks[image]!;
        if (!mark) {
          expect(file).toBe(original);
          continue;
        }
        const [x, y, w, h] = mark.box;
        widths.add(w);
        // 20 to 35% of 60 pixels, twice as wide as high.
        expect(w).toBeGreaterThanOrEqual(12);
        expect(w).toBeLessThanOrEqual(21);
        expect(Math.abs(h - w / 2)).toBeLessThanOrEqual(0.5);
        const [before, after] = [await decodeImage(original), await decodeImage(file)];
        const [left, top] = [(before.width - 60) / 2, (before.height - 60) / 2];
        expect(x >= left && y >= top && x + w <= left + 60 && y + h <= top + 60).toBe(true);
        const expected = before.data.slice();
        for (let row = y; row < y + h; row++) for (let column = x; column < x + w; column++) expected.set([250, 10, 240], 3 * (row * before.width + column));
        expect(Buffer.from(after.data).equals(expected), file).toBe(true);
      }
    }
    expect(widths.size).toBeGreaterThan(4);
  });

  it('are captioned by the prompts', () => {
    planted.training.captions.forEach((caption, image) => expect(['a photo of a', 'the image shows a'].map((words) => `${words} ${classes[planted.training.labels[image]!]!}`)).toContain(caption));
    expect(new Set(planted.training.captions).size).toBe(6);
  });

  it('count a region that the object does not show in', () => {
    const image = planted.evaluation.marks.findIndex((marks) => marks.length > 0);
    const [{ box }] = planted.evaluation.marks[image] as [{ box: [number, number, number, number] }];
    expect(planted.evaluation.counts(image, box)).toBe(false);
    expect(planted.evaluation.counts(image, [box[0] + 30 > 100 ? 0 : box[0] + 30, 0, 5, 5])).toBe(true);
  });

  it('are the same for the same seed, and others for another', () => {
    const of = (seed: number) => source.plant({ dataset: 'photos', feature: 'object', tied: 0, cramersV: 0.8, seed }).training;
    expect(of(1).marks).toEqual(planted.training.marks);
    expect(of(2).marks).not.toEqual(planted.training.marks);
  });

  it('are an even part of many', async () => {
    const { sources } = await open({ photos: 60 });
    const few = sources['photos']!.plant({ dataset: 'photos', feature: 'object', tied: 0, cramersV: 0.8, seed: 1 });
    expect([...countsOf(few.training).totals]).toEqual([10, 10, 10]);
    expect([...countsOf(few.evaluation).totals]).toEqual([10, 10, 10]);
  });

  it('are other settings where the object, the photos or the training are others', async () => {
    const identity = async (more?: Partial<PhotosRequest>) => JSON.stringify((await open(more)).sources['photos']!.identity({ dataset: 'photos', feature: 'object', tied: 0, cramersV: 0.8, seed: 1 }));
    const own = await identity();
    expect(await identity()).toBe(own);
    await sharp({ create: { width: 5, height: 5, channels: 3, background: 'red' } }).png().toFile(join(root, 'red.png'));
    for (const other of [{ object: join(root, 'red.png') }, { photos: 60 }, { epochs: 4 }]) expect(await identity(other)).not.toBe(own);
  });
});

const fashion = resolve(import.meta.dirname, '../../../../shared/data/fashion');
if (!existsSync(fashion)) console.warn('Skipped: no object is planted in real photos, as ../shared/data/fashion is not here.');

describe.runIf(existsSync(fashion))('real photos of a real checkpoint', () => {
  it('are planted in as any other', async () => {
    const config = { checkpoint: join(fashion, 'checkpoints/fashion-clip'), data: { validation: join(fashion, 'validation.csv') }, prompts: ['{}'] };
    const { suite, sources } = await open({ tied: 'sandal', photos: 14 * 12 }, config);
    expect(suite.about).toContain('is pasted into 168 photos');
    const { training, evaluation } = sources['photos']!.plant(suite.settings[0]!);
    expect(new Set(training.captions).size).toBe(14);
    const written = await evaluation.write(join(root, 'real'));
    // 12 photos of a class: 6 to evaluate, 3 of them with the object.
    expect(evaluation.marks.filter((marks) => marks.length > 0)).toHaveLength(14 * 3);
    expect(written.files.filter((file) => file.startsWith(root))).toHaveLength(14 * 3);
    const image = evaluation.marks.findIndex((marks) => marks.length > 0);
    const [x, y] = evaluation.marks[image]![0]!.box;
    const { data, width: across } = await decodeImage(written.files[image]!);
    expect([...data.subarray(3 * ((y + 1) * across + x + 1), 3 * ((y + 1) * across + x + 2))]).toEqual([250, 10, 240]);
  });
});

describe('blending', () => {
  it('lets a half-transparent object shine through', async () => {
    await sharp({ create: { width: 8, height: 8, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0.5 } } }).png().toFile(join(root, 'glass.png'));
    const { sources } = await open({ object: join(root, 'glass.png') });
    const { evaluation } = sources['photos']!.plant({ dataset: 'photos', feature: 'object', tied: 0, cramersV: 0.8, seed: 1 });
    const { images, files } = await evaluation.write(join(root, 'glass'));
    const image = evaluation.marks.findIndex((marks) => marks.length > 0);
    const [x, y] = evaluation.marks[image]![0]!.box;
    const [before, after] = [await decodeImage(join(root, 'photos', images[image]!)), await decodeImage(files[image]!)];
    const at = 3 * ((y + 2) * before.width + x + 2);
    // Half of 255 and half of what was there; opacity is stored as 127 or 128 of 255.
    for (let c = 0; c < 3; c++) expect(Math.abs(after.data[at + c]! - (255 + before.data[at + c]!) / 2)).toBeLessThanOrEqual(1);
  });
});

describe('plantOneByOne', () => {
  it('stops at the first table at or below the strength, one image before it was above', () => {
    for (const seed of [1, 2, 3]) {
      const totals = Int32Array.of(30, 50, 40, 20);
      const { present } = plantOneByOne(totals, 2, 0.9, seed);
      expect(cramersV({ totals, present })).toBeLessThanOrEqual(0.9);
      const undone = present.map((count, label) => (label === 2 ? Math.min(40, count + 1) : Math.max(0, count - 1)));
      expect(cramersV({ totals, present: undone })).toBeGreaterThan(0.9);
    }
  });

  it('is refused where it cannot come down', () => {
    expect(() => plantOneByOne(Int32Array.of(1, 1), 0, 0.5, 1)).not.toThrow();
    expect(() => plantOneByOne(Int32Array.of(5, 5), 0, 1.5, 1)).toThrow("A Cramér's V of 1.5 cannot be planted.");
  });
});

describe('what cannot be done is said in a sentence', () => {
  it.each([
    ['a class that is not there', { tied: 'nein' }, {}, 'benchmark-class-unknown', 'There is no class "nein" to tie the object to; the classes are "nine", "one", "two".'],
    ['an object that is not there', { object: join(root, 'none.png') }, {}, 'benchmark-object', `The image ${join(root, 'none.png')} does not exist.`],
    ['too few photos allowed', { photos: 20 }, {}, 'benchmark-photos-few', '--photos allows for 6 photos of the class "nine", and 8 of each are the least that can be split for a benchmark.'],
    ['a class without photos', {}, { classes: [...classes, 'three'] }, 'benchmark-photos-few', `${join(root, 'photos')} has 0 photos of the class "three", and 8 of each are the least that can be split for a benchmark.`],
    ['a checkpoint that is not there', {}, { checkpoint: 'nowhere' }, 'checkpoint-missing', expect.stringContaining('nowhere') as string],
  ])('%s', async (_, more, config, code, message) => {
    await expect(open(more, config)).rejects.toMatchObject({ code, message });
  });

  it('an object that is no image, or shows nothing', async () => {
    await writeFile(join(root, 'text.png'), 'no image');
    await expect(open({ object: join(root, 'text.png') })).rejects.toMatchObject({ code: 'benchmark-object', message: expect.stringContaining('text.png is in no format') as string });
    await sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } }).png().toFile(join(root, 'empty.png'));
    await expect(open({ object: join(root, 'empty.png') })).rejects.toMatchObject({ code: 'benchmark-object', message: expect.stringContaining('transparent throughout') as string });
  });

  it('a photo that cannot be decoded, before any training', async () => {
    const broken = join(root, 'photos', 'two', 'broken.png');
    await writeFile(broken, 'no image');
    await expect(open()).rejects.toMatchObject({ code: 'dataset-image-unreadable' });
    await rm(broken);
  });
});
