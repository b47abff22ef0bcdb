import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { systemCode, type RavlError } from '../../shared/errors';
import { imageMissing, imageTooLarge, imageUnreadable } from './errors';
import type { Pixels } from './resample';

// Images are decoded side by side, so each gets one thread, and no image is read twice.
sharp.cache(false);
sharp.concurrency(1);

const PIXEL_LIMIT = 100e6;

/**
 * Decodes the first page of an image to upright 8-bit sRGB, [height, width, 3].
 *
 * The pixels equal Pillow's `ImageOps.exif_transpose(image).convert('RGB')`, which is what image encoders are trained
 * on: grey is repeated, 16 bits are cut to 8, embedded colour profiles are not applied and alpha is dropped, not
 * blended, so that a transparent pixel keeps the colour stored under it. CMYK is the exception: libvips converts it
 * through a print profile, Pillow by complement.
 *
 * The pixel limit is checked on the header, before any pixel is decoded. Damaged data is refused, never half decoded.
 * Throws `dataset-image-missing`, `dataset-image-unreadable` or `dataset-image-too-large`.
 */
export async function decodeImage(file: string, { pixelLimit = PIXEL_LIMIT } = {}): Promise<Pixels> {
  try {
    const { data, info } = await sharp(file, { failOn: 'warning', limitInputPixels: pixelLimit, ignoreIcc: true })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width: info.width, height: info.height };
  } catch (error) {
    throw await diagnosis(file, pixelLimit, error);
  }
}

/** Says why an image cannot be decoded; libvips' own words name neither the cause nor the remedy. */
async function diagnosis(file: string, pixelLimit: number, error: unknown): Promise<RavlError> {
  try {
    const { size } = await stat(file);
    await access(file, constants.R_OK);
    if (size === 0) return imageUnreadable(file, 'is empty (0 bytes)');
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return imageMissing(file, cause);
    return imageUnreadable(file, `cannot be read (${code ?? 'unknown reason'})`, cause);
  }
  const message = error instanceof Error ? error.message : '';
  if (message.includes('pixel limit')) return imageTooLarge(file, pixelLimit, error);
  if (message.includes('unsupported image format')) {
    return imageUnreadable(file, 'is in no format RaVL decodes (JPEG, PNG, WebP, GIF, TIFF, AVIF)', error);
  }
  return imageUnreadable(file, 'is damaged or truncated', error);
}
