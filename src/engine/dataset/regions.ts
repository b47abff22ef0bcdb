import { resolve } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Device, RegionsConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { clipBoxes } from './boxes';
import { boxesMissing, boxInvalid } from './errors';
import { openProposer } from './proposals';
import type { Pixels } from './resample';
import type { Table } from './table';

/** Cuts images into candidate regions. */
export interface RegionFinder {
  /**
   * The regions of the image in row `row`, inside the image. `visible` is the part the model sees (`frame().visible`),
   * which grids and windows cover, because a centre crop hides the rest.
   */
  find(row: number, image: Pixels, visible: Box): Promise<Box[]>;
  release(): Promise<void>;
}

/**
 * Opens the kind of regions a configuration asks for; its paths start from `baseDir`.
 * Throws `dataset-boxes-missing` when the kind is `boxes` and the table has none, and as `openProposer` does.
 */
export async function openRegionFinder(config: RegionsConfig, table: Table, baseDir: string, device: Device, report: Report): Promise<RegionFinder> {
  const release = () => Promise.resolve();
  switch (config.kind) {
    case 'grid':
      return { find: (_row, _image, visible) => Promise.resolve(gridBoxes(visible, config.rows, config.cols)), release };
    case 'sliding':
      return { find: (_row, _image, visible) => Promise.resolve(slidingBoxes(visible, config.scales, config.stride)), release };
    case 'boxes':
      if (table.boxes === undefined || table.boxes.every((boxes) => boxes.length === 0)) throw boxesMissing(table.source);
      return { find: async (row, image) => dataBoxes(table, row, image), release };
    case 'proposals': {
      const proposer = await openProposer({ ...config, model: resolve(baseDir, config.model) }, device, report);
      return { find: (_row, image) => proposer.propose(image), release: proposer.release };
    }
  }
}

/** An equal grid over `visible`, row by row; 2 × 2 are the paper's quadrants. */
export function gridBoxes([x, y, width, height]: Box, rows: number, cols: number): Box[] {
  const edge = (from: number, length: number, i: number, count: number) => from + (length * i) / count;
  return Array.from({ length: rows * cols }, (_, cell) => {
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    const [left, top] = [edge(x, width, col, cols), edge(y, height, row, rows)];
    return [left, top, edge(x, width, col + 1, cols) - left, edge(y, height, row + 1, rows) - top];
  });
}

/**
 * Windows of several sizes over `visible`: for each scale, sides of that share of its sides, moved by `stride` of a
 * window at a time, and a last one flush with the far edge. Order: scale, row, column; equal windows come once.
 */
export function slidingBoxes([x, y, width, height]: Box, scales: readonly number[], stride: number): Box[] {
  const boxes = new Map<string, Box>();
  for (const scale of scales) {
    for (const top of starts(scale, stride)) {
      for (const left of starts(scale, stride)) {
        const box: Box = [x + left * width, y + top * height, scale * width, scale * height];
        const key = `${left} ${top} ${scale}`;
        if (!boxes.has(key)) boxes.set(key, box);
      }
    }
  }
  return [...boxes.values()];
}

/** Where windows of side `scale` begin on a line of length 1. */
function starts(scale: number, stride: number): number[] {
  const step = scale * stride;
  const last = 1 - scale;
  // A remainder that is rounding only must not make a window of its own.
  const steps = Math.floor(last / step + 1e-9);
  const positions = Array.from({ length: steps + 1 }, (_, i) => Math.min(i * step, last));
  return last - positions.at(-1)! > 1e-9 ? [...positions, last] : positions;
}

/**
 * The table's boxes of one image, clipped to it. Throws `dataset-box-invalid`, naming the row, for a box outside the
 * image and where the boxes were drawn on an image of another size (say, before its EXIF rotation).
 */
export function dataBoxes(table: Table, row: number, { width, height }: { width: number; height: number }): Box[] {
  const place = `${table.source}, row ${table.rowNumbers[row]!} (${table.images[row]!})`;
  const [drawnWidth, drawnHeight] = [table.boxSizes?.[2 * row] ?? 0, table.boxSizes?.[2 * row + 1] ?? 0];
  if (drawnWidth > 0 && drawnHeight > 0 && (drawnWidth !== width || drawnHeight !== height)) {
    throw boxInvalid(place, `the boxes are for an image of ${drawnWidth}×${drawnHeight} pixels, but upright it has ${width}×${height}`);
  }
  return clipBoxes(table.boxes?.[row] ?? [], width, height, place);
}
