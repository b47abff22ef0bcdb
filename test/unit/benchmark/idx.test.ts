import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classNames, readIdx, readIdxFolder, slice } from '../../../src/engine/benchmark/idx';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-idx-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Written by hand after the format's description. */
function idxBytes(dims: readonly number[], values: readonly number[], type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.set([0, 0, type, dims.length]);
  dims.forEach((dim, axis) => header.writeUInt32BE(dim, 4 + 4 * axis));
  return Buffer.concat([header, Buffer.from(values)]);
}

async function file(bytes: Buffer, name = 'some.gz'): Promise<string> {
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
}

async function trainFolder(images: Buffer, labels: Buffer): Promise<string> {
  await file(gzipSync(images), 'train-images-idx3-ubyte.gz');
  await file(gzipSync(labels), 'train-labels-idx1-ubyte.gz');
  return folder;
}

const images = idxBytes([3, 1, 2], [10, 11, 20, 21, 30, 31]);
const labels = idxBytes([3], [1, 0, 1]);

describe('IDX files', () => {
  it('are read with their dims', async () => {
    const { dims, data } = await readIdx(await file(gzipSync(images)));
    expect(dims).toEqual([3, 1, 2]);
    expect([...data]).toEqual([10, 11, 20, 21, 30, 31]);
  });

  it('are read as they are where their names do not end in .gz', async () => {
    const own = await mkdtemp(join(folder, 'plain-'));
    await writeFile(join(own, 'train-images-idx3-ubyte'), images);
    await writeFile(join(own, 'train-labels-idx1-ubyte'), labels);
    expect([...(await readIdxFolder(own, 'train', ['cat', 'dog'])).pixels]).toEqual([10, 11, 20, 21, 30, 31]);
  });

  it('give images with their labels, and parts of them', async () => {
    const read = await readIdxFolder(await trainFolder(images, labels), 'train', ['cat', 'dog']);
    expect(read).toMatchObject({ count: 3, height: 1, width: 2, classes: ['cat', 'dog'] });
    expect([...read.labels]).toEqual([1, 0, 1]);
    const part = slice(read, 1, 3);
    expect([part.count, [...part.pixels], [...part.labels]]).toEqual([2, [20, 21, 30, 31], [0, 1]]);
  });

  it.each<[string, Buffer, string, RegExp]>([
    ['no gzip', images, 'benchmark-idx-damaged', /not gzipped, or damaged/],
    ['cut off while packed', gzipSync(images).subarray(0, 20), 'benchmark-idx-damaged', /is cut off/],
    ['empty once unpacked', gzipSync(Buffer.alloc(0)), 'benchmark-idx-damaged', /does not start as one/],
    ['something else', gzipSync(Buffer.from('<html>')), 'benchmark-idx-damaged', /does not start as one/],
    ['of floats', gzipSync(idxBytes([1], [0, 0, 0, 0], 13)), 'benchmark-idx-unexpected', /elements of type 13/],
    ['without its dims', gzipSync(Buffer.from([0, 0, 8, 3, 0, 0])), 'benchmark-idx-damaged', /ends within its header/],
    ['too short', gzipSync(images.subarray(0, -1)), 'benchmark-idx-damaged', /3 × 1 × 2 ask for 6 values, and it holds 5/],
    ['too long', gzipSync(Buffer.concat([images, Buffer.from([0])])), 'benchmark-idx-damaged', /it holds 7/],
    ['of huge dims', gzipSync(idxBytes([0xffffffff, 0xffffffff, 0xffffffff], [])), 'benchmark-idx-damaged', /it holds 0/],
  ])('are refused in words: %s', async (_case, bytes, code, message) => {
    const path = await file(bytes);
    await expect(readIdx(path)).rejects.toMatchObject({ name: 'RavlError', code, message: expect.stringMatching(message) });
    await expect(readIdx(path)).rejects.toThrow(path);
  });

  it('are missed by name', async () => {
    await expect(readIdxFolder(folder, 'test', ['cat', 'dog'])).rejects.toMatchObject({
      code: 'benchmark-idx-missing',
      message: expect.stringMatching(/^There is no file .*t10k-(images-idx3|labels-idx1)-ubyte\.gz\.$/),
    });
  });

  it.each<[string, Buffer, Buffer, RegExp]>([
    ['labels in the place of images', labels, labels, /train-images\S+ has 1 dims in place of \[images, height, width\]/],
    ['images in the place of labels', images, images, /train-labels\S+ has 3 dims in place of \[images\]/],
    ['another number of labels', images, idxBytes([2], [0, 1]), /train-labels\S+ has 2 labels for the 3 images beside it/],
    ['a label without a class', images, idxBytes([3], [0, 1, 7]), /train-labels\S+ has the label 7 at image 2, and there are 2 classes/],
  ])('that do not belong together are refused: %s', async (_case, first, second, message) => {
    const read = readIdxFolder(await trainFolder(first, second), 'train', ['cat', 'dog']);
    await expect(read).rejects.toMatchObject({ code: 'benchmark-idx-unexpected', message: expect.stringMatching(message) });
  });
});

const fashion = '/usr/share/datasets/fashion-mnist';
describe.skipIf(!existsSync(fashion))('Fashion-MNIST itself', () => {
  it('has 60,000 and 10,000 images of 28 × 28, as many of each class', async () => {
    for (const [part, count] of [['train', 60_000], ['test', 10_000]] as const) {
      const read = await readIdxFolder(fashion, part, classNames['fashion-mnist']);
      expect(read).toMatchObject({ count, height: 28, width: 28 });
      const counts = new Array<number>(10).fill(0);
      for (const label of read.labels) counts[label]!++;
      expect(counts).toEqual(new Array(10).fill(count / 10));
    }
  });

  // The first image is an ankle boot: its sole fills the lower rows, and nothing is above its shaft.
  it('starts with a boot', async () => {
    const { labels: ids, pixels } = slice(await readIdxFolder(fashion, 'train', classNames['fashion-mnist']), 0, 1);
    expect(classNames['fashion-mnist'][ids[0]!]).toBe('boot');
    const row = (y: number) => pixels.subarray(28 * y, 28 * (y + 1)).filter((value) => value > 0).length;
    expect(row(0)).toBe(0);
    expect(row(22)).toBeGreaterThan(20);
  });
});
