import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { imageThumbnail, largePicture, regionThumbnail } from '../../../src/engine/viewer/pictures';

const base = await mkdtemp(join(tmpdir(), 'ravl-pictures-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const fileOf = (name: string) => join(base, name);

/** 2000 × 1000 in cells of 500 × 500: red, green, blue, white above; black below. */
const colours = ['#d00000', '#00d000', '#0000d0', '#ffffff'];
const cells = () =>
  sharp({ create: { width: 2000, height: 1000, channels: 3, background: '#000000' } }).composite(
    colours.map((background, i) => ({ input: { create: { width: 500, height: 500, channels: 3 as const, background } }, left: 500 * i, top: 0 })),
  );
await cells().jpeg().toFile(fileOf('wide.jpg'));
// Orientation 6: shown turned by 90 degrees clockwise, 1000 × 2000, the red cell at the top right.
await cells().withMetadata({ orientation: 6 }).jpeg().toFile(fileOf('turned.jpg'));
await sharp({ create: { width: 40, height: 40, channels: 4, background: '#ff000000' } }).png().toFile(fileOf('clear.png'));
await sharp({ create: { width: 3, height: 200, channels: 3, background: '#00d000' } }).png().toFile(fileOf('line.png'));
await writeFile(fileOf('broken.jpg'), (await readFile(fileOf('wide.jpg'))).subarray(0, 400));

async function look({ bytes, ...size }: { bytes: Uint8Array; width: number; height: number }) {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  expect([info.format, (await sharp(bytes).metadata()).format]).toEqual(['raw', 'webp']);
  const colourAt = (x: number, y: number) => {
    const [r, g, b] = data.subarray(info.channels * (y * info.width + x)) as unknown as [number, number, number];
    const high = (value: number) => value > 150;
    if (high(r) && high(g) && high(b)) return 'white';
    return high(r) ? 'red' : high(g) ? 'green' : high(b) ? 'blue' : Math.max(r, g, b) < 60 ? 'black' : `${r},${g},${b}`;
  };
  return { shown: [info.width, info.height], of: [size.width, size.height], colourAt };
}

describe('a thumbnail', () => {
  it('is the whole upright image on at most 160 pixels', async () => {
    const wide = await look(await imageThumbnail(fileOf('wide.jpg')));
    expect([wide.shown, wide.of]).toEqual([[160, 80], [2000, 1000]]);
    expect([20, 60, 100, 140].map((x) => wide.colourAt(x, 20))).toEqual(['red', 'green', 'blue', 'white']);
    expect(wide.colourAt(80, 60)).toBe('black');
    const turned = await look(await imageThumbnail(fileOf('turned.jpg')));
    expect([turned.shown, turned.of]).toEqual([[80, 160], [1000, 2000]]);
    expect([20, 60, 100, 140].map((y) => turned.colourAt(60, y))).toEqual(['red', 'green', 'blue', 'white']);
    expect(turned.colourAt(20, 80)).toBe('black');
  });

  it('of a region is what its box cuts out, in the upright image', async () => {
    // The last 100 of green and the first 300 of blue, 200 high.
    const cut = await look(await regionThumbnail(fileOf('wide.jpg'), [900, 100, 400, 200]));
    expect([cut.shown, cut.of]).toEqual([[160, 80], [400, 200]]);
    expect([10, 30, 50, 150].map((x) => cut.colourAt(x, 40))).toEqual(['green', 'green', 'blue', 'blue']);
    const turned = await look(await regionThumbnail(fileOf('turned.jpg'), [600, 900, 200, 400]));
    expect([turned.shown, turned.of]).toEqual([[80, 160], [200, 400]]);
    expect([10, 30, 50, 150].map((y) => turned.colourAt(40, y))).toEqual(['green', 'green', 'blue', 'blue']);
  });

  it('of a small region is not enlarged, and takes in a few pixels at least', async () => {
    const small = await look(await regionThumbnail(fileOf('wide.jpg'), [700, 200, 20.4, 10.2]));
    expect([small.shown, small.of]).toEqual([[20, 10], [20, 10]]);
    const dot = await look(await regionThumbnail(fileOf('wide.jpg'), [1249.6, 250, 0.5, 0.5]));
    expect([dot.shown, dot.colourAt(4, 4)]).toEqual([[8, 8], 'blue']);
    const thin = await look(await regionThumbnail(fileOf('line.png'), [0, 100, 3, 1]));
    expect(thin.shown).toEqual([3, 8]);
  });

  it.each([
    ['beyond the right and lower edge', [1900, 900, 500, 500], [100, 100]],
    ['beyond the left and upper edge', [-50, -50, 100, 100], [50, 50]],
    ['outside', [5000, 5000, 10, 10], [8, 8]],
    ['larger than the image', [-10, -10, 9000, 9000], [2000, 1000]],
    ['without area', [10, 10, 0, 0], [8, 8]],
  ] as const)('of a box %s is cut at the image', async (_where, box, of) => {
    expect((await look(await regionThumbnail(fileOf('wide.jpg'), box))).of).toEqual(of);
  });

  it('lays what is transparent on grey, takes lines, and refuses what is damaged', async () => {
    expect((await look(await imageThumbnail(fileOf('clear.png')))).colourAt(20, 20)).toBe('128,128,128');
    expect((await look(await imageThumbnail(fileOf('line.png')))).shown).toEqual([2, 160]);
    await expect(imageThumbnail(fileOf('broken.jpg'))).rejects.toThrow();
    await expect(regionThumbnail(fileOf('broken.jpg'), [0, 0, 100, 100])).rejects.toThrow();
    await expect(imageThumbnail(fileOf('none.jpg'))).rejects.toThrow();
  });
});

it('a large picture has at most 1,024 pixels a side and says how large the image is', async () => {
  const large = await look(await largePicture(fileOf('turned.jpg')));
  expect([large.shown, large.of, large.colourAt(900 / 2, 100)]).toEqual([[512, 1024], [1000, 2000], 'red']);
  expect((await look(await largePicture(fileOf('line.png')))).shown).toEqual([3, 200]);
});
