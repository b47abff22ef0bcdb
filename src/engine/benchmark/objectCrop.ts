import sharp from 'sharp';
import { RavlError } from '../../shared/errors';
import type { Box } from '../../shared/boxes';
import { decodeImage } from '../dataset/decodeImage';
import type { Pixels } from '../dataset/resample';
import { objectUnusable } from './errors';

/** An object that is cut out, as tight as its transparency lets it be. */
export interface ObjectCrop {
  /** [height, width, 4] red, green, blue, opacity. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Reads the image of an object, upright; what is transparent around it is cut off. Throws RavlError `benchmark-object`. */
export async function readObject(file: string): Promise<ObjectCrop> {
  // What cannot be decoded is told as for every other image.
  await decodeImage(file).catch((error: unknown) => {
    throw error instanceof RavlError ? objectUnusable(error.message, error) : error;
  });
  const { data, info } = await sharp(file, { ignoreIcc: true }).autoOrient().toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width } = info;
  let [left, top, right, bottom] = [width, info.height, 0, 0];
  for (let y = 0; y < info.height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[4 * (y * width + x) + 3] === 0) continue;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
    }
  }
  if (right === 0) throw objectUnusable(`The object ${file} is transparent throughout.`);
  const cut = new Uint8Array((right - left) * (bottom - top) * 4);
  for (let y = top; y < bottom; y++) cut.set(data.subarray(4 * (y * width + left), 4 * (y * width + right)), 4 * (y - top) * (right - left));
  return { data: cut, width: right - left, height: bottom - top };
}

/** A photo with the object over a box in whole pixels, scaled to fill it. */
export async function paste(photo: Pixels, { data, width, height }: ObjectCrop, [left, top, w, h]: Box): Promise<Pixels> {
  const scaled = await sharp(data, { raw: { width, height, channels: 4 } }).resize(w, h, { fit: 'fill' }).raw().toBuffer();
  const pixels = photo.data.slice();
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [from, to] = [4 * (y * w + x), 3 * ((top + y) * photo.width + left + x)];
      const opacity = scaled[from + 3]! / 255;
      for (let c = 0; c < 3; c++) pixels[to + c] = Math.round(opacity * scaled[from + c]! + (1 - opacity) * photo.data[to + c]!);
    }
  }
  return { ...photo, data: pixels };
}

/** As PNG, from which the same pixels are decoded again. */
export const encodePhoto = ({ data, width, height }: Pixels): Promise<Uint8Array> => sharp(data, { raw: { width, height, channels: 3 } }).png({ compressionLevel: 6 }).toBuffer();
