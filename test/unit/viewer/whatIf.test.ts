import { expect, it } from 'vitest';
import { paintedOver } from '../../../src/engine/viewer/whatIf';

it('a region is painted over in the mean colour of the preprocessing, in whole pixels and inside the image', () => {
  const image = { width: 4, height: 3, data: new Uint8Array(36).fill(7) };
  const painted = paintedOver(image, [[1.2, 0.8, 1.9, 1.3], [3, 2, 50, 50]], { mean: [0.5, 0.25, 1], rescale: 1 / 255 });
  const pixel = (at: number) => [...painted.data.subarray(3 * at, 3 * at + 3)];
  // Columns 1 and 2 of row 1, and the last pixel.
  const expected = Array.from({ length: 12 }, (_, at) => ([5, 6, 11].includes(at) ? [128, 64, 255] : [7, 7, 7]));
  expect(Array.from({ length: 12 }, (_, at) => pixel(at))).toEqual(expected);
  expect(image.data).toEqual(new Uint8Array(36).fill(7));
});
