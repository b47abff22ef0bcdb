import type { Preprocessing } from '../../shared/preprocessing';

/**
 * Pillow's image resampling (libImaging/Resample.c, Geometry.c), because that is what image processors are
 * configured for: separable, antialiased when it shrinks (the filter is stretched by the scale), 8-bit fixed-point
 * coefficients, horizontal pass first and rounded to 8 bits before the vertical one. libvips differs from it by up to
 * dozens of levels (box pre-shrink, quantised filter positions, other edge rule), so it only decodes here.
 *
 * Left out on purpose: alpha (the decoder drops it), `reducing_gap`, the box and hamming filters.
 */
export type ResampleFilter = Preprocessing['filter'];

/** 8-bit RGB pixels, interleaved: data[(y * width + x) * 3 + channel]. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A rectangle of whole pixels. */
export interface PixelRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Resizes the part `source` of an image to `width` × `height` and returns the rectangle `window` of the result,
 * computing nothing outside it, so that an extreme aspect ratio costs no memory when the rest is cropped away.
 *
 * @returns pixels [window.height, window.width, 3], equal to
 *   `Image.crop(source).resize((width, height), filter).crop(window)`.
 */
export function resample(
  image: Pixels,
  source: PixelRect,
  width: number,
  height: number,
  filter: ResampleFilter,
  window: PixelRect,
): Uint8Array {
  if (source.width === width && source.height === height) {
    return cut(image, { ...window, x: source.x + window.x, y: source.y + window.y });
  }
  const columns = { first: window.x, count: window.width };
  const rows = { first: window.y, count: window.height };
  if (filter === 'nearest') {
    return pick(image, nearestIndex(source.width, width, columns), nearestIndex(source.height, height, rows), source);
  }
  const vertical = height === source.height ? null : coefficients(source.height, height, filter, rows);
  const firstRow = vertical === null ? window.y : vertical.start[0]!;
  const endRow = vertical === null ? window.y + window.height : vertical.start.at(-1)! + vertical.taps.at(-1)!;
  const strip = { x: source.x, y: source.y + firstRow, width: source.width, height: endRow - firstRow };
  const wide =
    width === source.width
      ? cut(image, { ...strip, x: source.x + window.x, width: window.width })
      : resizeRows(image, strip, coefficients(source.width, width, filter, columns));
  return vertical === null ? wide : resizeColumns(wide, window.width * 3, firstRow, vertical);
}

/** The pixels of a rectangle, copied. */
function cut(image: Pixels, rect: PixelRect): Uint8Array {
  const out = new Uint8Array(rect.width * rect.height * 3);
  for (let y = 0; y < rect.height; y++) {
    const from = ((rect.y + y) * image.width + rect.x) * 3;
    out.set(image.data.subarray(from, from + rect.width * 3), y * rect.width * 3);
  }
  return out;
}

interface Range {
  readonly first: number;
  readonly count: number;
}

interface Coefficients {
  /** First input pixel of each output pixel. */
  readonly start: Int32Array;
  /** Number of input pixels of each output pixel. */
  readonly taps: Int32Array;
  /** Fixed-point weights, `stride` a row, zero after the taps. */
  readonly weights: Int32Array;
  readonly stride: number;
}

const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** Which input pixels make an output pixel, and how much of each (`precompute_coeffs`, `normalize_coeffs_8bpc`). */
function coefficients(inSize: number, outSize: number, filter: Exclude<ResampleFilter, 'nearest'>, range: Range): Coefficients {
  const { weight, support: radius } = kernels[filter];
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = radius * filterScale;
  const most = Math.ceil(support) * 2 + 1;
  const stride = most + 3;
  const start = new Int32Array(range.count);
  const taps = new Int32Array(range.count);
  const weights = new Int32Array(range.count * stride);
  const row = new Float64Array(most);
  for (let i = 0; i < range.count; i++) {
    const centre = (range.first + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inSize, Math.trunc(centre + support + 0.5)) - from;
    let sum = 0;
    for (let t = 0; t < count; t++) sum += row[t] = weight((t + from - centre + 0.5) * (1 / filterScale));
    for (let t = 0; t < count; t++) {
      const share = (sum === 0 ? row[t]! : row[t]! / sum) * (1 << PRECISION_BITS);
      weights[i * stride + t] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    // Weights of zero at the ends, common when enlarging, cost a fifth of the time.
    let end = count;
    while (end > 1 && weights[i * stride + end - 1] === 0) end--;
    start[i] = from;
    taps[i] = end;
  }
  return { start, taps, weights, stride };
}

function resizeRows(image: Pixels, strip: PixelRect, { start, taps, weights, stride }: Coefficients): Uint8Array {
  const { data } = image;
  const count = start.length;
  const out = new Uint8Array(count * strip.height * 3);
  let o = 0;
  for (let y = 0; y < strip.height; y++) {
    const line = ((strip.y + y) * image.width + strip.x) * 3;
    for (let x = 0; x < count; x++) {
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let p = line + start[x]! * 3;
      const end = x * stride + taps[x]!;
      for (let k = x * stride; k < end; k++) {
        const w = weights[k]!;
        r += Math.imul(data[p]!, w);
        g += Math.imul(data[p + 1]!, w);
        b += Math.imul(data[p + 2]!, w);
        p += 3;
      }
      out[o++] = clip8(r);
      out[o++] = clip8(g);
      out[o++] = clip8(b);
    }
  }
  return out;
}

/**
 * `data` holds rows of `length` bytes, the first of them row `firstRow` of the image. Four rows are added at a time,
 * which takes half as long as one; beyond the last tap the weights are zero and the last row stands in.
 */
function resizeColumns(data: Uint8Array, length: number, firstRow: number, { start, taps, weights, stride }: Coefficients): Uint8Array {
  const out = new Uint8Array(length * start.length);
  const sums = new Int32Array(length);
  for (let y = 0; y < start.length; y++) {
    sums.fill(HALF);
    const from = start[y]! - firstRow;
    const last = from + taps[y]! - 1;
    for (let t = 0; t < taps[y]!; t += 4) {
      const k = y * stride + t;
      const row0 = (from + t) * length;
      const row1 = Math.min(from + t + 1, last) * length;
      const row2 = Math.min(from + t + 2, last) * length;
      const row3 = Math.min(from + t + 3, last) * length;
      const w0 = weights[k]!;
      const w1 = weights[k + 1]!;
      const w2 = weights[k + 2]!;
      const w3 = weights[k + 3]!;
      for (let i = 0; i < length; i++) {
        sums[i]! +=
          Math.imul(data[row0 + i]!, w0) + Math.imul(data[row1 + i]!, w1) + Math.imul(data[row2 + i]!, w2) + Math.imul(data[row3 + i]!, w3);
      }
    }
    for (let i = 0; i < length; i++) out[y * length + i] = clip8(sums[i]!);
  }
  return out;
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Pillow steps through the input in floating point; the sum, not the product, decides ties. */
function nearestIndex(inSize: number, outSize: number, range: Range): Int32Array {
  const scale = inSize / outSize;
  const index = new Int32Array(range.count);
  let position = scale * 0.5;
  for (let i = 0; i < range.first + range.count; i++) {
    if (i >= range.first) index[i - range.first] = Math.min(inSize - 1, Math.floor(position));
    position += scale;
  }
  return index;
}

function pick(image: Pixels, columns: Int32Array, rows: Int32Array, source: PixelRect): Uint8Array {
  const out = new Uint8Array(columns.length * rows.length * 3);
  let o = 0;
  for (const y of rows) {
    const line = ((source.y + y) * image.width + source.x) * 3;
    for (const x of columns) {
      out[o++] = image.data[line + x * 3]!;
      out[o++] = image.data[line + x * 3 + 1]!;
      out[o++] = image.data[line + x * 3 + 2]!;
    }
  }
  return out;
}

const kernels = {
  bilinear: { support: 1, weight: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x: number) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic convolution with a = -0.5. */
function bicubic(value: number): number {
  const a = -0.5;
  const x = Math.abs(value);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
