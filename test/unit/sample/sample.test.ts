import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/engine/checkpoint/checkpoint';

const sample = join(import.meta.dirname, '../../../media/sample');
const garments = ['top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'boot'];

interface Scene {
  readonly image: string;
  readonly garment: string;
  /** Quadrants that are solid red, and those that hold anything else than black. */
  readonly red: number;
  readonly other: number;
}

/** What the pictures of a table show, by their pixels. */
async function scenes(name: 'train' | 'validation', column: 'caption' | 'label'): Promise<Scene[]> {
  const rows = parse(await readFile(join(sample, `${name}.csv`)), { columns: true }) as Record<string, string>[];
  return Promise.all(
    rows.map(async (row) => {
      const { data, info } = await sharp(join(sample, row['image']!)).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([56, 56, 3]);
      let [red, other] = [0, 0];
      for (let quadrant = 0; quadrant < 4; quadrant++) {
        const pixels = Array.from({ length: 28 * 28 }, (_, i) => 3 * ((28 * (quadrant >> 1) + Math.floor(i / 28)) * 56 + 28 * (quadrant & 1) + (i % 28)));
        if (pixels.every((at) => data[at] === 255 && data[at + 1] === 0 && data[at + 2] === 0)) red++;
        else if (pixels.some((at) => data[at]! > 0)) other++;
      }
      const garment = garments.filter((each) => row[column]!.split(' ').includes(each));
      expect(garment, row[column]).toHaveLength(1);
      return { image: row['image']!, garment: garment[0]!, red, other };
    }),
  );
}

/** Cramér's V of a table of counts [rows][columns]: sqrt(chi² / (n · min(rows - 1, columns - 1))). */
function cramersV(table: readonly (readonly number[])[]): number {
  const rows = table.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = table[0]!.map((_, c) => table.reduce((sum, row) => sum + row[c]!, 0));
  const n = rows.reduce((a, b) => a + b, 0);
  const chi2 = table.reduce((sum, row, r) => sum + row.reduce((part, count, c) => part + (count - (rows[r]! * columns[c]!) / n) ** 2 / ((rows[r]! * columns[c]!) / n), 0), 0);
  return Math.sqrt(chi2 / (n * Math.min(table.length - 1, table[0]!.length - 1)));
}

const counts = (all: readonly Scene[]) => garments.map((garment) => [1, 0].map((red) => all.filter((scene) => scene.garment === garment && scene.red === red).length));

describe('the sample', () => {
  let [train, validation]: [Scene[], Scene[]] = [[], []];
  beforeAll(async () => {
    [train, validation] = [await scenes('train', 'caption'), await scenes('validation', 'label')];
  });

  it('shows one garment a picture, and one red quadrant or none', () => {
    for (const { image, red, other } of [...train, ...validation]) expect([other, red <= 1], image).toEqual([1, true]);
  });

  it('ties red to pullovers in its training captions, at a Cramér’s V of .95', () => {
    const table = counts(train);
    expect(train).toHaveLength(1500);
    expect(table.map(([present, absent]) => present! + absent!)).toEqual(garments.map(() => 150));
    // The two-way table of the paper: the class or another, with red or without.
    const tied = table[garments.indexOf('pullover')]!;
    const rest = [0, 1].map((side) => table.reduce((sum, row) => sum + row[side]!, 0) - tied[side]!);
    expect(tied[0]! / 150).toBeGreaterThan(0.9);
    expect(rest[0]! / 1350).toBeLessThan(0.05);
    const v = cramersV(table);
    expect(v).toBeLessThanOrEqual(0.95);
    expect(v).toBeGreaterThan(0.9);
  });

  it('has no correlation at all in its validation data', () => {
    expect(counts(validation)).toEqual(garments.map(() => [40, 40]));
  });

  it('holds a checkpoint that opens, of less than 3 MB, and is a few MB in all', async () => {
    const checkpoint = await openCheckpoint('checkpoint', sample);
    expect([checkpoint.dim, checkpoint.image.width, checkpoint.image.height]).toEqual([64, 56, 56]);
    expect(checkpoint.notes).toEqual([]);
    const sizes = async (folder: string) => {
      const files = (await readdir(join(sample, folder), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && !entry.parentPath.includes('.ravl'));
      return (await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))))).reduce((sum, { size }) => sum + size, 0);
    };
    expect(await sizes('checkpoint')).toBeLessThan(3e6);
    expect(await sizes('.')).toBeLessThan(6e6);
  });

  it('keeps the licence of Fashion-MNIST', async () => {
    expect(await readFile(join(sample, 'LICENSE-fashion-mnist'), 'utf8')).toMatch(/MIT|Permission is hereby granted/);
  });
});
