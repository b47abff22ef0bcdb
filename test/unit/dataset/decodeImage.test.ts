import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/engine/dataset/decodeImage';
import { isImageError } from '../../../src/engine/dataset/errors';
import { imageStream } from '../../../src/engine/dataset/prefetch';
import { RavlError } from '../../../src/shared/errors';

let folder: string;
const at = (name: string) => join(folder, name);

/** 6 × 4 RGB test image with 24 different pixels. */
const rgb = Uint8Array.from({ length: 6 * 4 * 3 }, (_, i) => (i * 53 + 11) % 256);
const raw = (data: Uint8Array | Uint16Array, width: number, height: number, channels: 1 | 2 | 3 | 4) => sharp(data, { raw: { width, height, channels } });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-images-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function refusal(file: string, options?: { pixelLimit: number }): Promise<RavlError> {
  const error: unknown = await decodeImage(file, options).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RavlError);
  expect(isImageError(error)).toBe(true);
  expect((error as RavlError).message).toContain(file);
  return error as RavlError;
}

describe('decodeImage', () => {
  it('gives the pixels of a PNG as they are, whatever the file is called', async () => {
    for (const name of ['a.png', 'really a png.jpg', '50% #1?.txt']) {
      await raw(rgb, 6, 4, 3).png().toFile(at(name));
      expect(await decodeImage(at(name))).toEqual({ data: rgb, width: 6, height: 4 });
    }
  });

  it('repeats grey, drops alpha without blending, and takes the high byte of 16 bits', async () => {
    await raw(Uint8Array.of(0, 100, 200, 255), 2, 2, 1).toColourspace('b-w').png().toFile(at('grey.png'));
    expect((await decodeImage(at('grey.png'))).data).toEqual(Uint8Array.of(0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255));
    await raw(Uint8Array.of(10, 20, 30, 0, 40, 50, 60, 128), 2, 1, 4).png().toFile(at('alpha.png'));
    expect((await decodeImage(at('alpha.png'))).data).toEqual(Uint8Array.of(10, 20, 30, 40, 50, 60));
    await writeFile(at('deep.png'), png16([0x0102, 0x80ff, 0xff00]));
    expect((await decodeImage(at('deep.png'))).data).toEqual(Uint8Array.of(0x01, 0x80, 0xff));
  });

  it('turns a photo upright', async () => {
    // Orientation 6: the stored top left corner is the upright top right one.
    await raw(rgb, 6, 4, 3).withMetadata({ orientation: 6 }).png().toFile(at('turned.png'));
    const { data, width, height } = await decodeImage(at('turned.png'));
    expect([width, height]).toEqual([4, 6]);
    expect(data.subarray(9, 12)).toEqual(rgb.subarray(0, 3));
    expect(data.subarray(0, 3)).toEqual(rgb.subarray(3 * 6 * 3, 3 * 6 * 3 + 3));
  });

  it('reads CMYK as colour and of an animation the first page', async () => {
    await raw(new Uint8Array(16 * 16 * 3).map((_, i) => [200, 30, 30][i % 3]!), 16, 16, 3).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(at('cmyk.jpg'));
    expect((await sharp(at('cmyk.jpg')).metadata()).space).toBe('cmyk');
    const { data, width, height } = await decodeImage(at('cmyk.jpg'));
    expect([width, height, data.length]).toEqual([16, 16, 768]);
    expect(data[0]).toBeGreaterThan(150);
    expect(data[1]).toBeLessThan(100);
    const pages = new Uint8Array(8 * 16 * 3).fill(250, 8 * 8 * 3);
    await sharp(pages, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } }).gif({ loop: 0, delay: [10, 10] }).toFile(at('moving.gif'));
    expect((await sharp(at('moving.gif')).metadata()).pages).toBe(2);
    const first = await decodeImage(at('moving.gif'));
    expect([first.width, first.height, Math.max(...first.data)]).toEqual([8, 8, 0]);
  });

  it('refuses a truncated, a corrupt, an empty and a missing image by name', async () => {
    await raw(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251), 64, 64, 3).jpeg().toFile(at('good.jpg'));
    const bytes = await readFile(at('good.jpg'));
    for (const keep of [bytes.length - 2, bytes.length >> 1]) {
      await writeFile(at('cut.jpg'), bytes.subarray(0, keep));
      expect((await refusal(at('cut.jpg'))).message).toMatch(/damaged or truncated/);
    }
    await writeFile(at('corrupt.jpg'), bytes.map((byte, i) => (i > 700 && i < 760 ? (byte * 7 + 13) & 255 : byte)));
    expect((await refusal(at('corrupt.jpg'))).code).toBe('dataset-image-unreadable');
    await writeFile(at('empty.jpg'), '');
    expect((await refusal(at('empty.jpg'))).message).toMatch(/is empty/);
    await writeFile(at('text.jpg'), 'not an image');
    expect((await refusal(at('text.jpg'))).message).toMatch(/no format RaVL decodes/);
    expect((await refusal(at('nowhere.jpg'))).code).toBe('dataset-image-missing');
    expect((await refusal(folder)).code).toBe('dataset-image-unreadable');
  });

  it.skipIf(process.getuid?.() === 0)('says that an image may not be read', async () => {
    await writeFile(at('secret.png'), 'x');
    await chmod(at('secret.png'), 0);
    expect((await refusal(at('secret.png'))).message).toMatch(/EACCES/);
  });

  it('refuses a decompression bomb by its header', async () => {
    // The header says 50,000 × 50,000; there are no pixels, so only the header can be the reason.
    await writeFile(at('bomb.png'), png([50_000, 50_000, 8, 2], new Uint8Array(0)));
    expect((await refusal(at('bomb.png'))).message).toMatch(/more than 100 megapixels/);
    await raw(rgb, 6, 4, 3).png().toFile(at('small.png'));
    expect((await refusal(at('small.png'), { pixelLimit: 23 })).code).toBe('dataset-image-too-large');
    expect((await decodeImage(at('small.png'), { pixelLimit: 24 })).width).toBe(6);
  });
});

describe('imageStream', () => {
  it('yields every image in order, failures as values', async () => {
    const files = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const file = at(`stream-${i}.png`);
        // Sizes differ, so that decodes end out of order.
        const side = 1 + ((i * 37) % 90);
        if (i % 7 !== 3) await raw(new Uint8Array(side * side * 3).fill(i), side, side, 3).png().toFile(file);
        return file;
      }),
    );
    for (const options of [{}, { ahead: 1 }, { pixels: 1 }, { ahead: 1000, pixels: 1e9 }]) {
      let count = 0;
      for await (const { index, image, error } of imageStream(files, options)) {
        expect(index).toBe(count++);
        if (index % 7 === 3) expect(error?.code).toBe('dataset-image-missing');
        else expect(image?.data[0]).toBe(index);
      }
      expect(count).toBe(30);
    }
  });

  it('ends at once without files, and when the reader leaves', async () => {
    for await (const item of imageStream([])) expect(item).toBe('never');
    for await (const item of imageStream([at('no-1.png'), at('no-2.png'), at('no-3.png')])) {
      expect(item.index).toBe(0);
      break;
    }
  });
});

/** A PNG from its parts (PNG specification, section 5). */
function png([width, height, depth, kind]: readonly [number, number, number, number], scanlines: Uint8Array): Buffer {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, kind], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(scanlines)), chunk('IEND', Buffer.alloc(0))]);
}

/** One 16-bit RGB pixel. */
function png16(levels: readonly [number, number, number]): Buffer {
  return png([1, 1, 16, 2], Uint8Array.from([0, ...levels.flatMap((level) => [level >> 8, level & 255])]));
}
