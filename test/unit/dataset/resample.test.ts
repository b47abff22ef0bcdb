import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { resample, type Pixels, type ResampleFilter } from '../../../src/engine/dataset/resample';

/** Pixel values of the test image: (37x + 59y + 83c + 13xy) mod 256, hard on every filter. */
function pattern(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = (x * 37 + y * 59 + c * 83 + x * y * 13) % 256;
  return { data, width, height };
}

function resize(image: Pixels, width: number, height: number, filter: ResampleFilter): Uint8Array {
  const all = { x: 0, y: 0, width: image.width, height: image.height };
  return resample(image, all, width, height, filter, { x: 0, y: 0, width, height });
}

/**
 * Expected by Pillow 9.4.0:
 *   Image.frombytes('RGB', size, bytes((x*37 + y*59 + c*83 + x*y*13) % 256 for y … for x … for c …))
 *     .resize(to, {nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3}[filter]).tobytes()
 */
const tiny: { size: [number, number]; to: [number, number]; filter: ResampleFilter; pixels: number[] }[] = [
  { size: [9, 7], to: [4, 3], filter: 'nearest', pixels: [109, 192, 19, 209, 36, 119, 53, 136, 219, 153, 236, 63, 253, 80, 163, 149, 232, 59, 45, 128, 211, 197, 24, 107, 141, 224, 51, 89, 172, 255, 37, 120, 203, 241, 68, 151] },
  { size: [9, 7], to: [4, 3], filter: 'bilinear', pixels: [90, 139, 133, 125, 140, 116, 126, 106, 117, 115, 127, 121, 166, 101, 134, 150, 141, 143, 123, 128, 128, 117, 108, 110, 136, 137, 128, 148, 110, 167, 105, 152, 135, 148, 130, 128] },
  { size: [9, 7], to: [4, 3], filter: 'bicubic', pixels: [85, 138, 134, 125, 144, 114, 129, 101, 113, 113, 127, 125, 173, 97, 132, 152, 146, 148, 124, 128, 126, 114, 106, 106, 134, 140, 127, 153, 106, 173, 96, 157, 134, 153, 130, 128] },
  { size: [9, 7], to: [4, 3], filter: 'lanczos', pixels: [86, 137, 134, 123, 144, 113, 129, 99, 110, 116, 128, 127, 176, 99, 130, 155, 145, 152, 122, 127, 126, 115, 108, 102, 132, 142, 129, 157, 107, 177, 92, 160, 132, 151, 129, 127] },
  { size: [3, 4], to: [5, 3], filter: 'nearest', pixels: [0, 83, 166, 0, 83, 166, 37, 120, 203, 74, 157, 240, 74, 157, 240, 118, 201, 28, 118, 201, 28, 181, 8, 91, 244, 71, 154, 244, 71, 154, 177, 4, 87, 177, 4, 87, 253, 80, 163, 73, 156, 239, 73, 156, 239] },
  { size: [3, 4], to: [5, 3], filter: 'bilinear', pixels: [18, 101, 184, 34, 117, 170, 59, 142, 148, 83, 166, 172, 99, 182, 189, 89, 172, 127, 111, 143, 98, 145, 100, 55, 179, 134, 89, 202, 157, 112, 159, 63, 69, 188, 61, 98, 231, 58, 141, 167, 102, 185, 124, 131, 214] },
  { size: [3, 4], to: [5, 3], filter: 'bicubic', pixels: [10, 90, 195, 23, 111, 177, 51, 148, 153, 78, 177, 177, 93, 191, 196, 84, 187, 133, 105, 149, 96, 145, 100, 46, 190, 133, 79, 216, 161, 107, 160, 58, 54, 197, 51, 88, 239, 52, 149, 166, 99, 201, 111, 131, 229] },
  { size: [3, 4], to: [5, 3], filter: 'lanczos', pixels: [8, 82, 207, 18, 106, 181, 48, 157, 152, 76, 190, 174, 86, 198, 197, 84, 199, 138, 99, 153, 92, 145, 100, 39, 200, 129, 68, 224, 166, 105, 156, 62, 43, 204, 44, 78, 242, 43, 156, 169, 91, 216, 106, 126, 234] },
];

/** The same for larger images: the first 16 hex digits of the SHA-256 of Pillow's bytes. */
const large: { size: [number, number]; to: [number, number]; filter: ResampleFilter; sha256: string }[] = [
  { size: [640, 480], to: [298, 224], filter: 'nearest', sha256: 'bde6c527fbad7e3e' },
  { size: [640, 480], to: [298, 224], filter: 'bilinear', sha256: 'e3799e6df3aa3834' },
  { size: [640, 480], to: [298, 224], filter: 'bicubic', sha256: '06a819849b56f756' },
  { size: [640, 480], to: [298, 224], filter: 'lanczos', sha256: 'c6c38fbf7d6202be' },
  { size: [60, 80], to: [224, 298], filter: 'nearest', sha256: '13cc1f3e9e8e11fb' },
  { size: [60, 80], to: [224, 298], filter: 'bilinear', sha256: 'd36f8f3f0800324f' },
  { size: [60, 80], to: [224, 298], filter: 'bicubic', sha256: '7a4ceff3ba673c24' },
  { size: [60, 80], to: [224, 298], filter: 'lanczos', sha256: '75afb7e78417da22' },
  { size: [333, 500], to: [149, 224], filter: 'nearest', sha256: 'a2516c257d5b8be5' },
  { size: [333, 500], to: [149, 224], filter: 'bilinear', sha256: '963fad88df71fbe4' },
  { size: [333, 500], to: [149, 224], filter: 'bicubic', sha256: 'e7dfd93694be02b8' },
  { size: [333, 500], to: [149, 224], filter: 'lanczos', sha256: '80310ea947ee43c1' },
  { size: [1024, 300], to: [224, 60], filter: 'nearest', sha256: 'c7dc15e1292f6fd2' },
  { size: [1024, 300], to: [224, 60], filter: 'bilinear', sha256: 'f33a991c820a9ba2' },
  { size: [1024, 300], to: [224, 60], filter: 'bicubic', sha256: '5ec696f0684e8492' },
  { size: [1024, 300], to: [224, 60], filter: 'lanczos', sha256: '09fb9161c2eee87e' },
  { size: [41, 40], to: [41, 80], filter: 'nearest', sha256: 'e8bd0e4770ec34a5' },
  { size: [41, 40], to: [41, 80], filter: 'bilinear', sha256: '137ebe9bb644a177' },
  { size: [41, 40], to: [41, 80], filter: 'bicubic', sha256: '1e796b290c6fafcd' },
  { size: [41, 40], to: [41, 80], filter: 'lanczos', sha256: '787dabeeb561fa54' },
  { size: [1, 7], to: [5, 5], filter: 'nearest', sha256: 'dd7a1760c79cbc0e' },
  { size: [1, 7], to: [5, 5], filter: 'bilinear', sha256: 'bfa07325e4e47d96' },
  { size: [1, 7], to: [5, 5], filter: 'bicubic', sha256: '7ab4b05a3acfa9e3' },
  { size: [1, 7], to: [5, 5], filter: 'lanczos', sha256: 'a2afd6eb70773216' },
];

describe('resample', () => {
  it.each(tiny)("gives Pillow's pixels: $filter $size -> $to", ({ size, to, filter, pixels }) => {
    expect(Array.from(resize(pattern(...size), ...to, filter))).toEqual(pixels);
  });

  it.each(large)("gives Pillow's bytes: $filter $size -> $to", ({ size, to, filter, sha256 }) => {
    const hash = createHash('sha256').update(resize(pattern(...size), ...to, filter)).digest('hex');
    expect(hash.slice(0, 16)).toBe(sha256);
  });

  const side = fc.integer({ min: 1, max: 24 });
  const filters = fc.constantFrom<ResampleFilter>('nearest', 'bilinear', 'bicubic', 'lanczos');

  it('gives the same pixels for a window as for the whole, and for a part as for its copy', () => {
    fc.assert(
      fc.property(side, side, side, side, filters, fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }), (w, h, ow, oh, filter, r) => {
        const image = pattern(w, h);
        const within = (length: number, a: number, b: number): [number, number] => {
          const from = Math.floor(a * length);
          return [from, 1 + Math.floor(b * (length - from))];
        };
        const [sx, sw] = within(w, r[0]!, r[1]!);
        const [sy, sh] = within(h, r[2]!, r[3]!);
        const [wx, ww] = within(ow, r[4]!, r[5]!);
        const [wy, wh] = within(oh, r[6]!, r[7]!);
        const copy: Pixels = { data: rect(image.data, w, sx, sy, sw, sh), width: sw, height: sh };
        const whole = resize(copy, ow, oh, filter);
        const part = resample(image, { x: sx, y: sy, width: sw, height: sh }, ow, oh, filter, { x: wx, y: wy, width: ww, height: wh });
        expect(Array.from(part)).toEqual(Array.from(rect(whole, ow, wx, wy, ww, wh)));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('is within one level and a half of the textbook sum in floating point', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.constantFrom<'bilinear' | 'bicubic' | 'lanczos'>('bilinear', 'bicubic', 'lanczos'), (w, h, ow, oh, filter) => {
        const image = pattern(w, h);
        const actual = resize(image, ow, oh, filter);
        const expected = textbook(image, ow, oh, filter);
        expected.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(1.5));
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});

function rect(data: Uint8Array, stride: number, x: number, y: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) for (let i = 0; i < width * 3; i++) out[row * width * 3 + i] = data[((y + row) * stride + x) * 3 + i]!;
  return out;
}

/** Antialiased resampling as a plain weighted mean, clamped between the two passes as 8-bit images are. */
function textbook(image: Pixels, width: number, height: number, filter: 'bilinear' | 'bicubic' | 'lanczos'): number[] {
  const clamp = (value: number) => Math.min(255, Math.max(0, value));
  const mean = (length: number, size: number, position: number, at: (i: number) => number) => {
    if (length === size) return at(position);
    const stretch = Math.max(1, length / size);
    const centre = (position + 0.5) * (length / size);
    let sum = 0;
    let total = 0;
    for (let i = 0; i < length; i++) {
      const weight = kernel(filter, (i + 0.5 - centre) / stretch);
      sum += weight * at(i);
      total += weight;
    }
    return clamp(sum / total);
  };
  const out: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        out.push(mean(image.height, height, y, (row) => mean(image.width, width, x, (column) => image.data[(row * image.width + column) * 3 + c]!)));
  return out;
}

function kernel(filter: 'bilinear' | 'bicubic' | 'lanczos', t: number): number {
  const x = Math.abs(t);
  if (filter === 'bilinear') return Math.max(0, 1 - x);
  if (filter === 'bicubic') return x < 1 ? 1.5 * x ** 3 - 2.5 * x ** 2 + 1 : x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
  return x === 0 ? 1 : x < 3 ? (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2 : 0;
}
