import type { Box } from '../../shared/boxes';
import type { Report } from '../../shared/progress';
import type { Thumbnails } from './gallery';
import { openPicture } from './picture';

/** Longest side of a thumbnail in pixels. */
const side = 128;
const concurrent = 2;

/**
 * Makes the pictures of a report: the upright image on at most 128 × 128 pixels, the region outlined, as WebP data
 * URIs. `wanted` is in order of importance; when the URIs reach `budget` characters the rest is left out, and an image
 * that cannot be read has no picture. `fileOf` maps an image's name in the data to its file.
 */
export async function makeThumbnails(
  wanted: readonly { readonly image: string; readonly box: Box | null }[],
  fileOf: (image: string) => string,
  report: Report,
  budget = 4_500_000,
): Promise<Thumbnails> {
  const distinct = [...new Map(wanted.map(({ image, box }) => [keyOf(image, box), { image, box }])).entries()];
  const made = new Map<string, string>();
  let total = 0;
  for (let from = 0; from < distinct.length && total < budget; from += concurrent) {
    const block = distinct.slice(from, from + concurrent);
    const uris = await Promise.all(block.map(([, { image, box }]) => thumbnail(fileOf(image), box).catch(() => null)));
    uris.forEach((uri, i) => {
      if (uri === null || total + uri.length > budget) return;
      total += uri.length;
      made.set(block[i]![0], uri);
    });
    report({ type: 'progress', phase: 'report', done: Math.min(from + concurrent, distinct.length), total: distinct.length, unit: 'pictures' });
  }
  return (image, box) => made.get(keyOf(image, box));
}

/** One picture as a data URI. Throws what sharp throws. */
export async function thumbnail(file: string, box: Box | null): Promise<string> {
  const { picture, ...upright } = await openPicture(file);
  const scale = side / Math.max(upright.width, upright.height);
  const width = Math.max(1, Math.round(upright.width * scale));
  const height = Math.max(1, Math.round(upright.height * scale));
  const small = picture.resize(width, height, { fit: 'fill' });
  if (box) small.composite([{ input: Buffer.from(outline(box, width / upright.width, height / upright.height, width, height)) }]);
  return `data:image/webp;base64,${(await small.webp({ quality: 78 }).toBuffer()).toString('base64')}`;
}

/** A bright line inside a dark one: seen on any ground. Kept within the picture, where a box at the edge would lose half its line. */
function outline(box: Box, scaleX: number, scaleY: number, width: number, height: number): string {
  const left = clamp(box[0] * scaleX, 2, width - 4);
  const top = clamp(box[1] * scaleY, 2, height - 4);
  const right = clamp((box[0] + box[2]) * scaleX, left + 2, width - 2);
  const bottom = clamp((box[1] + box[3]) * scaleY, top + 2, height - 2);
  const rect = (stroke: string, line: number) => `<rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" fill="none" stroke="${stroke}" stroke-width="${line}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${rect('#000', 4)}${rect('#ffd800', 2)}</svg>`;
}

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(value, Math.max(low, high)));
const keyOf = (image: string, box: Box | null) => JSON.stringify([image, box]);
