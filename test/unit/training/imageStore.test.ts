import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageStore } from '../../../src/engine/training/imageStore';

const folder = await mkdtemp(join(tmpdir(), 'ravl-store-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
/** Four images of 4×2 pixels, 24 bytes each, of one colour each. */
const files = [0, 1, 2, 3].map((i) => join(folder, `${i}.png`));
const paint = (i: number, red: number) => sharp(Buffer.alloc(24, red), { raw: { width: 4, height: 2, channels: 3 } }).png().toFile(files[i]!);
beforeAll(() => Promise.all(files.map((_, i) => paint(i, i))));

const reds = async (store: ReturnType<typeof imageStore>, indices: number[]) => (await store.load(indices)).map(({ data }) => data[0]);

describe('an image store', () => {
  it('gives the images in the order asked for, also one twice', async () => {
    const store = imageStore(files);
    expect(await reds(store, [2, 0, 3, 2])).toEqual([2, 0, 3, 2]);
    expect(await reds(store, [])).toEqual([]);
  });

  it('keeps as many as its budget holds, and reads the others anew', async () => {
    const store = imageStore(files, 2 * 24 + 23);
    await store.load([1, 1]);
    await store.load([0]);
    await store.load([3]);
    await Promise.all(files.map((_, i) => paint(i, 100 + i)));
    // What changed on the disk shows in what was not kept.
    expect(await reds(store, [0, 1, 2, 3])).toEqual([0, 1, 102, 103]);
    expect(await reds(store, [0, 1, 2, 3])).toEqual([0, 1, 102, 103]);
    await Promise.all(files.map((_, i) => paint(i, i)));
  });

  it('fails where it is awaited: an image asked for ahead brings nothing down', async () => {
    await writeFile(join(folder, 'broken.png'), 'no image');
    const store = imageStore([...files, join(folder, 'broken.png'), join(folder, 'nowhere.png')]);
    const [broken, gone] = [store.load([0, 4]), store.load([5])];
    // Decoded one after the other, so that the failures are in meanwhile.
    for (let i = 0; i < 40; i++) await imageStore(files).load([i % 4]);
    await expect(broken).rejects.toMatchObject({ code: 'dataset-image-unreadable' });
    await expect(gone).rejects.toMatchObject({ code: 'dataset-image-missing' });
    expect(await reds(store, [0])).toEqual([0]);
  });
});
