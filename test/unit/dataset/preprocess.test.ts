import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, fromInput, toInput } from '../../../src/engine/dataset/frame';
import { pixelRect, preprocess } from '../../../src/engine/dataset/preprocess';
import type { Pixels } from '../../../src/engine/dataset/resample';
import type { Preprocessing } from '../../../src/shared/preprocessing';

const plain: Preprocessing = { resize: { rule: 'none' }, filter: 'bicubic', crop: null, pad: null, rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
const clip: Preprocessing = {
  resize: { rule: 'shortest-edge', size: 224 },
  filter: 'bicubic',
  crop: { width: 224, height: 224 },
  pad: null,
  rescale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** Red is the column + 1, green the row + 1, blue 200. */
function ramp(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([(i % width) + 1, Math.floor(i / width) + 1, 200], 3 * i);
  return { data, width, height };
}

function flat(width: number, height: number, value: number): Pixels {
  return { data: new Uint8Array(width * height * 3).fill(value), width, height };
}

function run(image: Pixels, spec: Preprocessing, box?: readonly [number, number, number, number]): { values: Float32Array; width: number; height: number } {
  const { width, height } = frame(spec, box ? box[2] : image.width, box ? box[3] : image.height);
  const values = new Float32Array(3 * width * height);
  expect(preprocess(image, spec, values, 0, box)).toBe(values.length);
  return { values, width, height };
}

/** Red channel, a row a line. */
function red({ values, width, height }: ReturnType<typeof run>): number[][] {
  return Array.from({ length: height }, (_, y) => Array.from(values.subarray(y * width, (y + 1) * width)));
}

describe('preprocess', () => {
  it('writes channels as planes, at the offset, and nothing else', () => {
    const out = new Float32Array(30).fill(-1);
    expect(preprocess(ramp(2, 3), plain, out, 6)).toBe(18);
    expect(Array.from(out)).toEqual([...Array<number>(6).fill(-1), 1, 2, 1, 2, 1, 2, 1, 1, 2, 2, 3, 3, ...Array<number>(6).fill(200), ...Array<number>(6).fill(-1)]);
  });

  it("normalises as CLIP's processor does in float32", () => {
    const { values } = run(flat(224, 224, 128), clip);
    // (128/255 - mean) / std by NumPy in float32.
    expect(values[0]).toBeCloseTo((128 / 255 - 0.48145466) / 0.26862954, 6);
    expect(values[224 * 224]).toBeCloseTo((128 / 255 - 0.4578275) / 0.26130258, 6);
    expect(values[2 * 224 * 224]).toBeCloseTo((128 / 255 - 0.40821073) / 0.27577711, 6);
  });

  // Hugging Face center_crop: top = (height - crop) // 2 when cutting, ceil((crop - height) / 2) zeros on top when not.
  it('cuts the centre, the odd pixel off the far side', () => {
    expect(red(run(ramp(5, 1), { ...plain, crop: { width: 2, height: 1 } }))).toEqual([[2, 3]]);
    expect(red(run(ramp(4, 1), { ...plain, crop: { width: 2, height: 1 } }))).toEqual([[2, 3]]);
  });

  it('sets an image smaller than the crop into zeros, the odd zero before it', () => {
    expect(red(run(ramp(3, 1), { ...plain, crop: { width: 6, height: 2 } }))).toEqual([
      [0, 0, 0, 0, 0, 0],
      [0, 0, 1, 2, 3, 0],
    ]);
    const normalised = run(ramp(3, 1), { ...plain, crop: { width: 4, height: 1 }, mean: [2, 0, 0], std: [4, 1, 1] });
    expect(red(normalised)).toEqual([[-0.5, -0.25, 0, 0.25]]);
  });

  it('pads with the given value, centred or at the end', () => {
    const pad = { width: 4, height: 2, value: 9 } as const;
    expect(red(run(ramp(1, 1), { ...plain, pad: { ...pad, position: 'centre' } }))).toEqual([
      [9, 1, 9, 9],
      [9, 9, 9, 9],
    ]);
    expect(red(run(ramp(1, 1), { ...plain, pad: { ...pad, position: 'top-left' } }))).toEqual([
      [1, 9, 9, 9],
      [9, 9, 9, 9],
    ]);
  });

  it('pads around the zeros of a crop', () => {
    const spec: Preprocessing = { ...plain, crop: { width: 3, height: 1 }, pad: { width: 5, height: 1, value: 9, position: 'centre' } };
    expect(red(run(ramp(1, 1), spec))).toEqual([[9, 0, 1, 0, 9]]);
  });

  it('treats a box as an image of its own', () => {
    const image = ramp(60, 80);
    const cut: Pixels = { data: new Uint8Array(30 * 40 * 3), width: 30, height: 40 };
    for (let y = 0; y < 40; y++) for (let x = 0; x < 30; x++) cut.data.set([x + 31, y + 41, 200], 3 * (y * 30 + x));
    const spec: Preprocessing = { ...clip, resize: { rule: 'longest-edge', size: 80 }, crop: null, pad: { width: 80, height: 80, value: 0, position: 'centre' } };
    const whole = run(cut, spec).values;
    const boxed = run(image, spec, [30, 40, 30, 40]).values;
    expect(Array.from(boxed)).toEqual(Array.from(whole));
  });

  it('refuses what does not fit', () => {
    const pad: Preprocessing = { ...plain, pad: { width: 4, height: 4, value: 0, position: 'centre' } };
    expect(() => preprocess(flat(5, 4, 0), pad, new Float32Array(48), 0)).toThrow(/pads to 4×4 pixels, but an image of 5×4/);
    expect(() => preprocess(flat(5, 4, 0), plain, new Float32Array(59), 0)).toThrow(/more than its place in the batch/);
  });

  it('survives an extreme aspect ratio without the memory of the whole resized image', () => {
    const { values } = run(flat(1, 20_000, 255), clip);
    expect(values[0]).toBeCloseTo((1 - 0.48145466) / 0.26862954, 6);
    expect(frame({ ...plain, resize: { rule: 'longest-edge', size: 80 } }, 1, 20_000)).toMatchObject({ width: 1, height: 80 });
  });
});

describe('pixelRect', () => {
  it('rounds sides, stays inside, and keeps a pixel', () => {
    expect(pixelRect([0.4, 0.6, 2, 2], { width: 10, height: 10 })).toEqual({ x: 0, y: 1, width: 2, height: 2 });
    expect(pixelRect([9.9, 9.9, 0.05, 0.05], { width: 10, height: 10 })).toEqual({ x: 9, y: 9, width: 1, height: 1 });
    expect(pixelRect([-5, -5, 50, 50], { width: 10, height: 10 })).toEqual({ x: 0, y: 0, width: 10, height: 10 });
  });
});

describe('frame', () => {
  // Sizes by Hugging Face get_resize_output_image_size: int(224 * long / short).
  it.each([
    [640, 480, 298, 224],
    [333, 500, 224, 336],
    [500, 333, 336, 224],
    [224, 225, 224, 225],
  ])('resizes the short edge of %i×%i to %i×%i', (width, height, resizedWidth, resizedHeight) => {
    expect(frame({ ...clip, crop: null }, width, height)).toMatchObject({ width: resizedWidth, height: resizedHeight });
  });

  it('shows the centre of a wide photo', () => {
    const { visible, width, height, scaleX } = frame(clip, 640, 480);
    expect([width, height]).toEqual([224, 224]);
    // 298 wide, cut at (298 - 224) // 2 = 37.
    expect(visible[0]).toBeCloseTo((37 * 640) / 298, 9);
    expect(visible[2]).toBeCloseTo((224 * 640) / 298, 9);
    expect(scaleX).toBeCloseTo(298 / 640, 12);
  });

  it('maps the visible part onto exactly the pixels that the image paints', () => {
    const length = fc.integer({ min: 1, max: 40 });
    const size = fc.record({ width: length, height: length });
    const spec = fc.record({
      resize: fc.oneof(
        fc.record({ rule: fc.constant('shortest-edge' as const), size: length }),
        fc.record({ rule: fc.constant('longest-edge' as const), size: length }),
        fc.record({ rule: fc.constant('exact' as const), width: length, height: length }),
        fc.constant({ rule: 'none' as const }),
      ),
      crop: fc.option(size),
      pad: fc.option(fc.record({ extra: size, position: fc.constantFrom('centre' as const, 'top-left' as const) })),
    });
    fc.assert(
      fc.property(size, spec, (image, { resize, crop, pad }) => {
        const unpadded: Preprocessing = { ...plain, resize, crop, filter: 'bilinear' };
        const before = frame(unpadded, image.width, image.height);
        const full: Preprocessing = {
          ...unpadded,
          pad: pad && { width: before.width + pad.extra.width, height: before.height + pad.extra.height, value: 0, position: pad.position },
        };
        const view = frame(full, image.width, image.height);
        const painted = paintedRect(run(flat(image.width, image.height, 255), full));
        const mapped = toInput(view, view.visible);
        mapped.forEach((value, i) => expect(value).toBeCloseTo(painted[i]!, 6));
        const [x, y, width, height] = view.visible;
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(x + width).toBeLessThanOrEqual(image.width + 1e-9);
        expect(y + height).toBeLessThanOrEqual(image.height + 1e-9);
        fromInput(view, mapped).forEach((value, i) => expect(value).toBeCloseTo(view.visible[i]!, 9));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

function paintedRect(input: ReturnType<typeof run>): [number, number, number, number] {
  const rows = red(input);
  const ys = rows.flatMap((row, y) => (row.some((value) => value > 0) ? [y] : []));
  const xs = rows[ys[0]!]!.flatMap((value, x) => (value > 0 ? [x] : []));
  return [xs[0]!, ys[0]!, xs.length, ys.length];
}
