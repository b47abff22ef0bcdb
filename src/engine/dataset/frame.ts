import type { Box } from '../../shared/boxes';
import type { Preprocessing } from '../../shared/preprocessing';
import { preprocessingSize } from './errors';
import type { PixelRect } from './resample';

/**
 * Where the pixels of an image lie in the model's input: input = original * scale + offset, in pixels, along each
 * axis. Pixel i covers [i, i + 1), so corners map to corners.
 */
export interface Frame {
  /** Size of the model's input. */
  readonly width: number;
  readonly height: number;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  /** The part of the original image that the model sees, in original pixels. */
  readonly visible: Box;
}

/** The frame of an image of `width` × `height` pixels. Throws as `placement` does. */
export function frame(spec: Preprocessing, width: number, height: number): Frame {
  const { resized, window, x, y, input } = placement(spec, width, height);
  const scaleX = resized.width / width;
  const scaleY = resized.height / height;
  return {
    ...input,
    scaleX,
    scaleY,
    offsetX: x - window.x,
    offsetY: y - window.y,
    visible: [window.x / scaleX, window.y / scaleY, window.width / scaleX, window.height / scaleY],
  };
}

/** Maps a box of the original image to pixels of the model's input; parts the model does not see lie outside it. */
export function toInput({ scaleX, scaleY, offsetX, offsetY }: Frame, [x, y, width, height]: Box): Box {
  return [x * scaleX + offsetX, y * scaleY + offsetY, width * scaleX, height * scaleY];
}

/** Maps a box of the model's input back to pixels of the original image. */
export function fromInput({ scaleX, scaleY, offsetX, offsetY }: Frame, [x, y, width, height]: Box): Box {
  return [(x - offsetX) / scaleX, (y - offsetY) / scaleY, width / scaleX, height / scaleY];
}

export interface Placement {
  /** Size of the whole image after the resize. */
  readonly resized: Size;
  /** What is left of the resized image after the crop. */
  readonly window: PixelRect;
  /** Where the window's top left corner lies in the input. */
  readonly x: number;
  readonly y: number;
  /** The crop in the input, where the image may leave zeros; null without a crop. */
  readonly crop: PixelRect | null;
  readonly input: Size;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The whole-pixel geometry of resize, centre crop and pad.
 * Throws `dataset-preprocessing-size` when an image is larger than the padding it should get.
 */
export function placement(spec: Preprocessing, width: number, height: number): Placement {
  const resized = resizedSize(spec.resize, width, height);
  const [cropX, cropY] = [axisCrop(resized.width, spec.crop?.width), axisCrop(resized.height, spec.crop?.height)];
  const cropped: Size = spec.crop ?? resized;
  const input: Size = spec.pad ?? cropped;
  if (cropped.width > input.width || cropped.height > input.height) {
    throw preprocessingSize(
      `pads to ${input.width}×${input.height} pixels, but an image of ${width}×${height} is ${cropped.width}×${cropped.height} before that`,
    );
  }
  const centred = spec.pad?.position === 'centre' ? 1 : 0;
  const padX = centred * Math.floor((input.width - cropped.width) / 2);
  const padY = centred * Math.floor((input.height - cropped.height) / 2);
  return {
    resized,
    window: { x: cropX.from, y: cropY.from, width: cropX.count, height: cropY.count },
    x: padX + cropX.to,
    y: padY + cropY.to,
    crop: spec.crop && { x: padX, y: padY, width: cropped.width, height: cropped.height },
    input: { width: input.width, height: input.height },
  };
}

/**
 * Size after the resize. Shortest edge: Hugging Face `get_resize_output_image_size`, which truncates the long edge.
 * Longest edge: as the SAM image processor, which rounds halves up. Never below one pixel.
 */
function resizedSize(resize: Preprocessing['resize'], width: number, height: number): Size {
  switch (resize.rule) {
    case 'none':
      return { width, height };
    case 'exact':
      return { width: resize.width, height: resize.height };
    case 'shortest-edge': {
      const long = Math.trunc((resize.size * Math.max(width, height)) / Math.min(width, height));
      return width <= height ? { width: resize.size, height: long } : { width: long, height: resize.size };
    }
    case 'longest-edge': {
      const scale = resize.size / Math.max(width, height);
      const side = (length: number) => Math.max(1, Math.trunc(length * scale + 0.5));
      return { width: side(width), height: side(height) };
    }
  }
}

/**
 * Hugging Face `center_crop` along one axis: cut from floor((size - crop) / 2), and an image smaller than the crop
 * is set ceil((crop - size) / 2) pixels into it.
 */
function axisCrop(size: number, crop: number | undefined): { from: number; to: number; count: number } {
  if (crop === undefined) return { from: 0, to: 0, count: size };
  const shift = Math.floor((size - crop) / 2);
  return { from: Math.max(0, shift), to: Math.max(0, -shift), count: Math.min(size, crop) };
}
