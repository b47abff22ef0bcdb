import type { Box } from '../../shared/boxes';
import { boxInvalid, quoted } from './errors';

/**
 * The boxes in a table's cell: JSON text or lists, [[x, y, width, height], …]; nothing and blank text mean none.
 * `place` names the file and row for the message.
 * Throws `dataset-box-invalid` for what is no list of boxes, and for negative, empty or infinite ones.
 */
export function parseBoxes(cell: unknown, place: string): Box[] {
  const value = typeof cell === 'string' ? parseJson(cell, place) : cell;
  if (value === null || value === undefined) return [];
  if (!isList(value)) throw boxInvalid(place, 'the boxes are not a list');
  return Array.from(value, (box, index) => asBox(box, `${place}, box ${index + 1}`));
}

/** One box from the data. Throws `dataset-box-invalid` unless it is four finite numbers with a positive area. */
export function asBox(value: unknown, place: string): Box {
  if (!isList(value) || value.length !== 4) throw boxInvalid(place, `${shown(value)} is not [x, y, width, height]`);
  const [x, y, width, height] = Array.from(value, Number) as [number, number, number, number];
  if (Array.from(value).some((side) => typeof side !== 'number' && typeof side !== 'bigint') || ![x, y, width, height].every(Number.isFinite)) {
    throw boxInvalid(place, `${shown(value)} has a value that is not a finite number`);
  }
  if (width <= 0 || height <= 0) throw boxInvalid(place, `[${[x, y, width, height].join(', ')}] is empty`);
  return [x, y, width, height];
}

/** The part of a box inside another one, or null when they do not overlap. */
export function intersection(a: Box, b: Box): Box | null {
  const left = Math.max(a[0], b[0]);
  const top = Math.max(a[1], b[1]);
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - left;
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - top;
  return width > 0 && height > 0 ? [left, top, width, height] : null;
}

/** Clips the boxes of an image to it. Throws `dataset-box-invalid` for a box that lies outside altogether. */
export function clipBoxes(boxes: readonly Box[], width: number, height: number, place: string): Box[] {
  return boxes.map((box, index) => {
    const inside = intersection(box, [0, 0, width, height]);
    if (inside === null) throw boxInvalid(`${place}, box ${index + 1}`, `[${box.join(', ')}] lies outside the image of ${width}×${height} pixels`);
    return inside;
  });
}

function parseJson(text: string, place: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw boxInvalid(place, `the boxes ${quoted(text)} are not JSON`);
  }
}

/** Parquet readers give lists of numbers as arrays or typed arrays. */
function isList(value: unknown): value is ArrayLike<unknown> & Iterable<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function shown(value: unknown): string {
  return quoted(JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part)) ?? String(value)).slice(1, -1);
}
