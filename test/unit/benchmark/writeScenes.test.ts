import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluationScenes, paint } from '../../../src/engine/benchmark/compose';
import type { GreyImages } from '../../../src/engine/benchmark/idx';
import { writeScenes } from '../../../src/engine/benchmark/writeScenes';
import { decodeImage } from '../../../src/engine/dataset/decodeImage';
import { loadTable } from '../../../src/engine/dataset/table';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-scenes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const classes = ['cat, "tabby"', 'dog'];
const images: GreyImages = {
  count: 40,
  height: 28,
  width: 28,
  pixels: Uint8Array.from({ length: 40 * 28 * 28 }, (_, at) => (at * 31) % 256),
  labels: Uint8Array.from({ length: 40 }, (_, i) => i % 2),
  classes,
};
const scenes = evaluationScenes(images, 20, 1);
const labels = Array.from(scenes.labels, (label) => classes[label]!);
const table = { name: 'validation', column: 'label', cells: labels } as const;

describe('a written data set', () => {
  it('is read back as it was made, every pixel', async () => {
    const target = join(folder, 'one');
    await writeScenes(target, images, scenes, table);
    const read = await loadTable(join(target, 'validation.csv'), { image: 'image', label: 'label' });
    expect(read.columnNames).toEqual(['image', 'label']);
    expect(read.labels).toEqual(labels);
    expect(read.images.slice(0, 2)).toEqual(['images/validation/00.png', 'images/validation/01.png']);
    for (const [i, file] of read.files.entries()) {
      const { data, width, height } = await decodeImage(file);
      expect([width, height]).toEqual([56, 56]);
      expect(Buffer.from(data).equals(paint(images, scenes, i)), file).toBe(true);
    }
  });

  it('has the same bytes every time', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    await writeScenes(first, images, scenes, table);
    await writeScenes(second, images, scenes, table);
    const files = (await readdir(first, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files).toHaveLength(21);
    for (const { parentPath, name } of files) {
      const file = join(parentPath, name);
      expect((await readFile(file)).equals(await readFile(file.replace(first, second))), name).toBe(true);
    }
  });

  it('is refused in words where its folder is a file', async () => {
    await writeFile(join(folder, 'taken'), '');
    await expect(writeScenes(join(folder, 'taken'), images, scenes, table)).rejects.toMatchObject({ code: 'run-not-a-folder' });
  });
});
