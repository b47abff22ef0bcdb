import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nonMaximumSuppression } from '../../../src/engine/dataset/nms';
import { gridBoxes, openRegionFinder, slidingBoxes } from '../../../src/engine/dataset/regions';
import type { Table } from '../../../src/engine/dataset/table';
import type { Box } from '../../../src/shared/boxes';

const positive = fc.double({ min: 0.5, max: 500, noNaN: true });
const area = fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }), positive, positive);

function expectInside([x, y, width, height]: Box, [left, top, w, h]: Box): void {
  expect(x).toBeGreaterThanOrEqual(left - 1e-9);
  expect(y).toBeGreaterThanOrEqual(top - 1e-9);
  expect(x + width).toBeLessThanOrEqual(left + w + 1e-9);
  expect(y + height).toBeLessThanOrEqual(top + h + 1e-9);
}

describe('gridBoxes', () => {
  it('cuts quadrants row by row', () => {
    expect(gridBoxes([10, 0, 60, 80], 2, 2)).toEqual([[10, 0, 30, 40], [40, 0, 30, 40], [10, 40, 30, 40], [40, 40, 30, 40]]);
  });

  it('covers the area without a gap or an overlap', () => {
    fc.assert(
      fc.property(area, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }), (visible, rows, cols) => {
        const boxes = gridBoxes(visible, rows, cols);
        expect(boxes.length).toBe(rows * cols);
        for (const box of boxes) expectInside(box, visible);
        expect(boxes.reduce((sum, [, , w, h]) => sum + w * h, 0) / (visible[2] * visible[3])).toBeCloseTo(1, 9);
        // Neighbours share an edge to the last bit.
        for (let i = 0; i + 1 < boxes.length; i++) {
          if (i % cols < cols - 1) expect(boxes[i]![0] + boxes[i]![2]).toBeCloseTo(boxes[i + 1]![0], 9);
        }
      }),
      { seed: 1 },
    );
  });
});

describe('slidingBoxes', () => {
  it('moves by the stride and ends flush with the edge', () => {
    // Windows of 6 of 10, steps of 3: at 0, 3, and the last at 4.
    expect(slidingBoxes([0, 0, 10, 10], [0.6], 0.5).map(([x, y]) => [x, y])).toEqual(
      [0, 3, 4].flatMap((y) => [0, 3, 4].map((x) => [x, y])),
    );
    expect(slidingBoxes([0, 0, 10, 10], [0.5], 0.5).length).toBe(9);
    expect(slidingBoxes([5, 5, 10, 20], [1], 0.5)).toEqual([[5, 5, 10, 20]]);
    expect(slidingBoxes([0, 0, 10, 10], [0.5, 0.5], 1).length).toBe(4);
  });

  it('stays inside the visible area, reaches its far corner, and repeats nothing', () => {
    const share = fc.double({ min: 0.15, max: 1, noNaN: true });
    fc.assert(
      fc.property(area, fc.array(share, { minLength: 1, maxLength: 3 }), share, (visible, scales, stride) => {
        const boxes = slidingBoxes(visible, scales, stride);
        for (const box of boxes) expectInside(box, visible);
        expect(new Set(boxes.map(String)).size).toBe(boxes.length);
        expect(Math.max(...boxes.map(([x, , w]) => x + w))).toBeCloseTo(visible[0] + visible[2], 6);
        expect(Math.max(...boxes.map(([, y, , h]) => y + h))).toBeCloseTo(visible[1] + visible[3], 6);
      }),
      { seed: 1 },
    );
  });
});

describe('nonMaximumSuppression', () => {
  it('equals the textbook procedure', () => {
    const box = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }));
    // Few distinct scores, so that ties are common.
    const scored = fc.array(fc.tuple(box, fc.integer({ min: 0, max: 5 }).map((score) => score / 5)), { maxLength: 25 });
    fc.assert(
      fc.property(scored, fc.constantFrom(0, 0.25, 0.5, 1), fc.integer({ min: 1, max: 8 }), fc.constantFrom(0, 0.3), (items, iou, topK, minScore) => {
        const actual = nonMaximumSuppression(items.map(([b]) => b), items.map(([, s]) => s), { iou, topK, minScore });
        expect(actual).toEqual(textbook(items, iou, minScore).slice(0, topK));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

/** Take the best that is left, strike out all that overlap it, repeat. Overlap is counted in unit squares. */
function textbook(items: readonly (readonly [Box, number])[], iou: number, minScore: number): number[] {
  const left = new Set(items.flatMap(([, score], i) => (score >= minScore ? [i] : [])));
  const kept: number[] = [];
  while (left.size > 0) {
    let best = -1;
    for (const i of left) if (best < 0 || items[i]![1] > items[best]![1]) best = i;
    kept.push(best);
    left.delete(best);
    const squares = new Set(cells(items[best]![0]));
    for (const i of [...left]) {
      const other = cells(items[i]![0]);
      const shared = other.filter((cell) => squares.has(cell)).length;
      if (shared / (squares.size + other.length - shared) > iou) left.delete(i);
    }
  }
  return kept;
}

function cells([x, y, width, height]: Box): string[] {
  return Array.from({ length: width * height }, (_, i) => `${x + (i % width)} ${y + Math.floor(i / width)}`);
}

describe('openRegionFinder', () => {
  const table: Table = {
    source: '/t.csv',
    format: 'csv',
    columnNames: [],
    rowNumbers: Int32Array.of(2, 3),
    images: ['a', 'b'],
    files: ['/a', '/b'],
    boxes: [[[-1, 0, 3, 3]], []],
  };
  const image = { data: new Uint8Array(300), width: 10, height: 10 };

  it('lays grids and windows over what the model sees, and takes boxes from the data', async () => {
    const grid = await openRegionFinder({ kind: 'grid', rows: 1, cols: 2 }, table, '', 'cpu', () => undefined);
    expect(await grid.find(0, image, [2, 0, 6, 10])).toEqual([[2, 0, 3, 10], [5, 0, 3, 10]]);
    const sliding = await openRegionFinder({ kind: 'sliding', scales: [0.5], stride: 1 }, table, '', 'cpu', () => undefined);
    expect(await sliding.find(0, image, [2, 0, 6, 10])).toEqual([[2, 0, 3, 5], [5, 0, 3, 5], [2, 5, 3, 5], [5, 5, 3, 5]]);
    const boxes = await openRegionFinder({ kind: 'boxes' }, table, '', 'cpu', () => undefined);
    expect(await boxes.find(0, image, [2, 0, 6, 10])).toEqual([[0, 0, 2, 3]]);
    expect(await boxes.find(1, image, [2, 0, 6, 10])).toEqual([]);
    await expect(openRegionFinder({ kind: 'boxes' }, { ...table, boxes: undefined }, '', 'cpu', () => undefined)).rejects.toMatchObject({ code: 'dataset-boxes-missing' });
  });
});
