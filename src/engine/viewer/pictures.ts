/** Pictures of images and regions for a panel: WebP, upright. All throw what sharp throws. */
import type { Sharp } from 'sharp';
import type { Box } from '../../shared/boxes';
import type { Thumbnail } from '../../shared/runQueries';
import { openPicture } from '../report/picture';

/** Longest side of a thumbnail, and of an image that is shown large. */
const small = 160;
const large = 1024;
/** A region of fewer pixels a side shows nothing: what lies around it is taken in. */
const fewest = 8;

/** The whole image on at most 160 × 160 pixels, never enlarged. */
export async function imageThumbnail(file: string): Promise<Thumbnail> {
  const { picture, width, height } = await openPicture(file);
  return { bytes: await webp(picture.resize({ ...fitted(width, height, small), fit: 'fill' }), 78), width, height };
}

/** What a box of the upright image cuts out, on at most 160 × 160 pixels, never enlarged. */
export async function regionThumbnail(file: string, box: Box): Promise<Thumbnail> {
  const { picture, width, height } = await openPicture(file);
  const [left, right] = span(box[0], box[2], width);
  const [top, bottom] = span(box[1], box[3], height);
  const cut = fitted(right - left, bottom - top, small);
  const [scaleX, scaleY] = [cut.width / (right - left), cut.height / (bottom - top)];
  // Scaled down first, a photo is decoded at a fraction of its size.
  const all = { width: Math.max(cut.width, Math.round(width * scaleX)), height: Math.max(cut.height, Math.round(height * scaleY)) };
  const at = { left: Math.min(Math.round(left * scaleX), all.width - cut.width), top: Math.min(Math.round(top * scaleY), all.height - cut.height) };
  return { bytes: await webp(picture.resize({ ...all, fit: 'fill' }).extract({ ...at, ...cut }), 78), width: right - left, height: bottom - top };
}

/** The whole image on at most 1,024 × 1,024 pixels, never enlarged, and the size of the upright original. */
export async function largePicture(file: string): Promise<Thumbnail> {
  const { picture, width, height } = await openPicture(file);
  return { bytes: await webp(picture.resize({ ...fitted(width, height, large), fit: 'fill' }), 85), width, height };
}

const webp = async (picture: Sharp, quality: number) => new Uint8Array(await picture.webp({ quality }).toBuffer());

function fitted(width: number, height: number, side: number): { width: number; height: number } {
  const scale = Math.min(1, side / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Whole pixels of one side of a box, inside the image, and at least `fewest` where it has so many. */
function span(start: number, length: number, size: number): [from: number, to: number] {
  const least = Math.min(fewest, size);
  const missing = Math.max(0, least - length) / 2;
  const from = Math.min(Math.max(0, Math.round(start - missing)), size - least);
  return [from, Math.min(size, Math.max(from + least, Math.round(start + length + missing)))];
}
