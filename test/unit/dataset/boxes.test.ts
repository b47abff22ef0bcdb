import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clipBoxes, parseBoxes } from '../../../src/engine/dataset/boxes';
import { classIndex } from '../../../src/engine/dataset/classIndex';
import { withCocoBoxes } from '../../../src/engine/dataset/coco';
import { dataBoxes } from '../../../src/engine/dataset/regions';
import { loadTable, type Table } from '../../../src/engine/dataset/table';
import type { Box } from '../../../src/shared/boxes';

let folder: string;
let table: Table;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-boxes-'));
  await writeFile(join(folder, 't.csv'), 'image,label,boxes\nval/a.jpg,x,"[[0,0,5,5],[2,2,100,3]]"\nval/b.jpg,y,\n./c.jpg,x,[]\n');
  table = await loadTable(join(folder, 't.csv'), { image: 'image', label: 'label', boxes: 'boxes' });
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('boxes', () => {
  it('reads them from a column and clips those that lean out', () => {
    expect(table.boxes).toEqual([[[0, 0, 5, 5], [2, 2, 100, 3]], [], []]);
    expect(dataBoxes(table, 0, { width: 10, height: 8 })).toEqual([[0, 0, 5, 5], [2, 2, 8, 3]]);
    expect(dataBoxes(table, 1, { width: 10, height: 8 })).toEqual([]);
    expect(parseBoxes([Float64Array.of(1, 2, 3, 4)], 'p')).toEqual([[1, 2, 3, 4]]);
  });

  it('refuses a box outside its image, naming row and image', () => {
    expect(() => dataBoxes(table, 0, { width: 2, height: 2 })).toThrow(/t\.csv, row 2 \(val\/a\.jpg\), box 2: \[2, 2, 100, 3\] lies outside the image of 2×2/);
    expect(() => clipBoxes([[-5, 0, 5, 5]], 10, 10, 'p')).toThrow(/outside/);
  });

  it.each([
    ['[[1,2,0,4]]', /box 1: \[1, 2, 0, 4\] is empty/],
    ['[[1,2,3,4],[1,2,3,-4]]', /box 2: .* is empty/],
    ['[[1,2,3,1e400]]', /not a finite number/],
    ['[[1,2,3,"4"]]', /not a finite number/],
    ['[[1,2,3,null]]', /not a finite number/],
    ['[1,2,3,4]', /box 1: 1 is not \[x, y, width, height\]/],
    ['[[1,2,3]]', /is not \[x, y, width, height\]/],
    ['{"x": 1}', /not a list/],
    ['[[1,2', /not JSON/],
  ])('refuses %s', (cell, message) => {
    expect(() => parseBoxes(cell, 't.csv, row 7')).toThrow(message);
    expect(() => parseBoxes(cell, 't.csv, row 7')).toThrow(/t\.csv, row 7/);
  });

  it('never leaves a box outside the image, and keeps those inside as they are', () => {
    const number = fc.double({ min: -50, max: 50, noNaN: true });
    const size = fc.double({ min: 0.01, max: 60, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(number, number, size, size), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (box, width, height) => {
        let clipped: Box | undefined;
        try {
          clipped = clipBoxes([box], width, height, 'p')[0]!;
        } catch {
          expect(box[0] + box[2] <= 0 || box[1] + box[3] <= 0 || box[0] >= width || box[1] >= height).toBe(true);
          return;
        }
        const [x, y, w, h] = clipped;
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(Math.min(w, h)).toBeGreaterThan(0);
        expect(x + w).toBeLessThanOrEqual(width + 1e-9);
        expect(y + h).toBeLessThanOrEqual(height + 1e-9);
        const inside = box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= width && box[1] + box[3] <= height;
        if (inside) clipped.forEach((side, i) => expect(side).toBeCloseTo(box[i]!, 9));
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('COCO', () => {
  const coco = async (content: unknown) => {
    const file = join(folder, 'coco.json');
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return withCocoBoxes(table, file);
  };
  const image = (id: number, file_name: string, size = {}) => ({ id, file_name, ...size });
  const annotation = (image_id: number, bbox: unknown[], more = {}) => ({ id: 1, category_id: 1, image_id, bbox, ...more });

  it('matches images by path, then by name, and leaves crowds out', async () => {
    const { boxes } = await coco({
      images: [image(7, 'val/a.jpg'), image(9, 'elsewhere/val/b.jpg'), image(1, 'c.jpg'), image(2, 'other/a.jpg')],
      annotations: [annotation(9, [1, 2, 3, 4]), annotation(7, [0, 0, 1, 1]), annotation(7, [0, 0, 9, 9], { iscrowd: 1 }), annotation(9, [5, 5, 1, 1]), annotation(2, [0, 0, -1, 0])],
    });
    expect(boxes).toEqual([[[0, 0, 1, 1]], [[1, 2, 3, 4], [5, 5, 1, 1]], []]);
  });

  it('notices boxes drawn on an image before its rotation', async () => {
    const rotated = await coco({ images: [image(7, 'a.jpg', { width: 80, height: 60 })], annotations: [annotation(7, [0, 0, 1, 1])] });
    expect(dataBoxes(rotated, 0, { width: 80, height: 60 })).toEqual([[0, 0, 1, 1]]);
    expect(() => dataBoxes(rotated, 0, { width: 60, height: 80 })).toThrow(/for an image of 80×60 pixels, but upright it has 60×80/);
  });

  it.each([
    ['not JSON', '{"images": [', /it is not JSON/],
    ['another shape', '[]', /not an object with images and annotations/],
    ['a part missing', { images: [] }, /annotations is missing/],
    ['an entry broken', { images: [{ id: 1 }], annotations: [] }, /images\[0\]\.file_name is missing/],
    ['an ambiguous name', { images: [image(1, 'p/a.jpg'), image(2, 'q/a.jpg')], annotations: [] }, /2 of its images match "val\/a\.jpg"/],
    ['an empty box', { images: [image(7, 'a.jpg')], annotations: [annotation(7, [1, 1, 0, 4])] }, /annotations\[0\]: \[1, 1, 0, 4\] is empty/],
    ['no image in common', { images: [image(7, 'z.jpg')], annotations: [annotation(7, [1, 1, 1, 4])] }, /No image of .*t\.csv has a box/],
  ])('refuses %s', async (_, content, message) => {
    await expect(coco(content)).rejects.toThrow(message);
  });
});

describe('classIndex', () => {
  const labelled = (labels: string[]) => ({ source: 't.csv', labels, rowNumbers: Int32Array.from(labels, (_, i) => i + 2) });

  it('numbers the sorted labels, or the given classes in their order', () => {
    expect(classIndex(labelled(['b', 'a', 'b']))).toEqual({ classes: ['a', 'b'], ids: Int32Array.of(1, 0, 1) });
    expect(classIndex(labelled(['b', 'a', 'b']), ['b', 'a'])).toEqual({ classes: ['b', 'a'], ids: Int32Array.of(0, 1, 0) });
  });

  it('notes a class without images', () => {
    const notes: unknown[] = [];
    classIndex(labelled(['b', 'a']), ['a', 'b', 'c'], (event) => notes.push(event));
    expect(notes).toEqual([{ type: 'note', level: 'warning', text: 'No image of t.csv has the class "c".' }]);
  });

  it('refuses an unknown label with its row and the nearest class, one class, and one listed twice', () => {
    expect(() => classIndex(labelled(['topwear', 'topware']), ['topwear', 'shoes'])).toThrow(
      expect.objectContaining({ code: 'dataset-label-unknown', message: expect.stringContaining('row 3') as string, hint: expect.stringContaining('"topwear"') as string }),
    );
    expect(() => classIndex(labelled(['a', 'a']))).toThrow(/single class "a"/);
    expect(() => classIndex(labelled(['a']), ['a', 'b', 'a'])).toThrow(/listed twice/);
    expect(() => classIndex(labelled([]))).toThrow(/no classes/);
  });
});
