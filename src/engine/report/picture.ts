import sharp, { type Sharp } from 'sharp';

const pixelLimit = 100_000_000;

/** An image on its way to be shown. */
export interface Picture {
  /** Upright, in sRGB; transparent parts lie on mid grey, which lets both dark and light objects be seen. */
  readonly picture: Sharp;
  /** Pixels of the upright image. */
  readonly width: number;
  readonly height: number;
}

/** Opens an image file to be made into a picture; pixels are decoded later. Throws what sharp throws. */
export async function openPicture(file: string): Promise<Picture> {
  const image = sharp(file, { limitInputPixels: pixelLimit, failOn: 'error' });
  const { autoOrient: upright } = await image.metadata();
  return { picture: image.autoOrient().flatten({ background: '#808080' }).toColourspace('srgb'), width: upright.width, height: upright.height };
}
