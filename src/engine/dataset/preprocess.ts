import type { Box } from '../../shared/boxes';
import type { Preprocessing } from '../../shared/preprocessing';
import { preprocessingSize } from './errors';
import { placement } from './frame';
import { resample, type PixelRect, type Pixels } from './resample';

/**
 * Writes an image as the encoder's input, [3, height, width] float32, into `out` at `offset`, so that batches are
 * filled in place. Follows Hugging Face's image processors step by step: resize (rounded to 8 bits), centre crop,
 * pad, rescale, normalise. With a box, its pixels are cut out and preprocessed as an image of their own.
 *
 * @returns the number of values written, 3 * height * width.
 * Throws `dataset-preprocessing-size` when the image does not fit the padding or `out`.
 */
export function preprocess(image: Pixels, spec: Preprocessing, out: Float32Array, offset: number, box?: Box): number {
  const source = box === undefined ? { x: 0, y: 0, width: image.width, height: image.height } : pixelRect(box, image);
  const { resized, window, x, y, crop, input } = placement(spec, source.width, source.height);
  const plane = input.width * input.height;
  if (offset + 3 * plane > out.length) {
    const made = `${input.width}×${input.height} pixels of an image of ${source.width}×${source.height}`;
    throw preprocessingSize(`makes ${made}, more than its place in the batch`);
  }
  const pixels = resample(image, source, resized.width, resized.height, spec.filter, window);
  const levels = channelLevels(spec);
  for (let channel = 0; channel < 3; channel++) {
    const table = levels[channel]!;
    const target = out.subarray(offset + channel * plane, offset + (channel + 1) * plane);
    if (window.width * window.height < plane) {
      const cropped = crop ?? { ...window, x, y };
      if (cropped.width * cropped.height < plane) target.fill(normalise(spec, channel, spec.pad?.value ?? 0));
      if (crop !== null) fill(target, input.width, crop, table[0]!);
    }
    let p = channel;
    for (let row = 0; row < window.height; row++) {
      const line = (y + row) * input.width + x;
      for (let column = 0; column < window.width; column++, p += 3) target[line + column] = table[pixels[p]!]!;
    }
  }
  return 3 * plane;
}

/** The whole pixels a box stands for: sides rounded as Pillow's `crop` does, inside the image, at least one pixel. */
export function pixelRect([x, y, width, height]: Box, image: { width: number; height: number }): PixelRect {
  const left = clamp(Math.round(x), 0, image.width - 1);
  const top = clamp(Math.round(y), 0, image.height - 1);
  const right = clamp(Math.round(x + width), left + 1, image.width);
  const bottom = clamp(Math.round(y + height), top + 1, image.height);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

const tables = new WeakMap<Preprocessing, Float32Array[]>();

/** Rescaled and normalised value of each of the 256 levels, for each channel. */
function channelLevels(spec: Preprocessing): Float32Array[] {
  let levels = tables.get(spec);
  if (levels === undefined) {
    levels = [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, level) => normalise(spec, channel, level)));
    tables.set(spec, levels);
  }
  return levels;
}

/** float32 arithmetic in the order NumPy does it, so that values are equal to the last bit. */
function normalise({ rescale, mean, std }: Preprocessing, channel: number, level: number): number {
  const centred = Math.fround(Math.fround(level * rescale) - Math.fround(mean[channel]!));
  return Math.fround(centred / Math.fround(std[channel]!));
}

function fill(target: Float32Array, stride: number, rect: PixelRect, value: number): void {
  for (let row = 0; row < rect.height; row++) {
    const line = (rect.y + row) * stride + rect.x;
    target.fill(value, line, line + rect.width);
  }
}
