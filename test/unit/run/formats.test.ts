import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { mkdtemp, rm, writeFile, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeFileAtomically } from '../../../src/engine/run/atomic';
import { fingerprint, hashFile, imageListHash, stableJson } from '../../../src/engine/run/fingerprint';
import { npyContent, parseNpy, readNpy, type NpyArray } from '../../../src/engine/run/npy';
import { regionsArrow, type RegionColumns } from '../../../src/engine/run/regionsArrow';
import { RavlError } from '../../../src/shared/errors';

const base = await mkdtemp(join(tmpdir(), 'ravl-formats-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const bytesOf = (array: NpyArray) => Buffer.concat(npyContent(array) as Uint8Array[]);

describe('npy', () => {
  it('writes the bytes that numpy.save writes', () => {
    // numpy.save of np.array([[1, 2, 3], [4, 5, 6]], '<f4'), by the format's specification.
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`;
    const expected = Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]), Buffer.from(header.padEnd(117, ' ') + '\n'), Buffer.from('0000803f000000400000404000008040' + '0000a0400000c040', 'hex')]);
    expect(bytesOf({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })).toEqual(expected);
  });

  const arrays = fc
    .tuple(fc.array(fc.nat({ max: 4 }), { maxLength: 3 }), fc.constantFrom(Float32Array, Float64Array, Int32Array), fc.integer())
    .map(([shape, kind, seed]): NpyArray => ({ shape, data: new kind(Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (seed + i * 7919) % 10007)) }));

  it('reads back what it writes, from memory and from a file, any shape, at a multiple of 64 bytes', async () => {
    await fc.assert(
      fc.asyncProperty(arrays, async (array) => {
        const bytes = bytesOf(array);
        expect((bytes.length - array.data.byteLength) % 64).toBe(0);
        expect(parseNpy(bytes, 'a.npy')).toEqual(array);
        const file = join(base, 'round.npy');
        await writeFile(file, bytes);
        expect(await readNpy(file)).toEqual(array);
      }),
      { numRuns: 40 },
    );
  });

  it('reads into an array that is there, and refuses one that does not fit', async () => {
    const file = join(base, 'into.npy');
    await writeFileAtomically(file, npyContent({ shape: [3], data: Int32Array.of(7, 8, 9) }));
    const all = new Int32Array(5);
    await readNpy(file, all.subarray(1, 4));
    expect(all).toEqual(Int32Array.of(0, 7, 8, 9, 0));
    for (const wrong of [new Int32Array(4), new Float32Array(3)]) await expect(readNpy(file, wrong)).rejects.toMatchObject({ code: 'run-artifact-damaged' });
  });

  it('is a clear error or the same array after any one byte of the header changed or the file was cut', () => {
    const good = bytesOf({ shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) });
    fc.assert(
      fc.property(fc.nat({ max: 127 }), fc.nat({ max: 255 }), fc.nat({ max: good.length - 1 }), (at, value, cut) => {
        const bad = Buffer.from(good);
        bad[at] = value;
        for (const bytes of [bad, good.subarray(0, cut)]) {
          try {
            expect(parseNpy(bytes, 'a.npy').data.byteLength).toBe(32);
          } catch (error) {
            expect(error).toBeInstanceOf(RavlError);
          }
        }
      }),
    );
  });

  it('refuses a shape that does not hold the data', () => {
    expect(() => npyContent({ shape: [2, 2], data: new Float32Array(3) })).toThrow(TypeError);
  });
});

describe('regionsArrow', () => {
  const columns = (regions: number): RegionColumns => {
    const floats = (scale: number) => Float32Array.from({ length: regions }, (_, r) => (r % 97) * scale);
    const ids = (modulus: number) => Int32Array.from({ length: regions }, (_, r) => r % modulus);
    const labels = ['dress', 'top, "wide"', 'schön ‮'];
    return {
      image: { ids: Int32Array.from({ length: regions }, (_, r) => r >> 2), values: Array.from({ length: Math.ceil(regions / 4) }, (_, i) => `photos/${i}.jpg`) },
      row: Int32Array.from({ length: regions }, (_, r) => r >> 2),
      x: floats(1),
      y: floats(0.5),
      width: floats(2),
      height: floats(3),
      label: { ids: ids(3), values: labels },
      predicted: { ids: ids(2), values: labels },
      cluster: ids(5),
      similarity: floats(0.01),
      scorePredicted: floats(0.001),
      scoreLabel: floats(0.002),
    };
  };

  it('holds every column, read back by Arrow itself', () => {
    const table = tableFromIPC(regionsArrow(columns(10)));
    expect(table.schema.names).toEqual(['region', 'image', 'row', 'x', 'y', 'width', 'height', 'label', 'predicted', 'cluster', 'similarity', 'score_predicted', 'score_label']);
    expect(table.get(7)?.toJSON()).toEqual({
      region: 7, image: 'photos/1.jpg', row: 1, x: 7, y: 3.5, width: 14, height: 21, label: 'top, "wide"', predicted: 'top, "wide"', cluster: 2,
      similarity: Math.fround(0.07), score_predicted: Math.fround(0.007), score_label: Math.fround(0.014),
    });
    expect([...table.getChild('label')!].slice(0, 3)).toEqual(['dress', 'top, "wide"', 'schön ‮']);
  });

  it('is an Arrow file, the same bytes for the same columns', () => {
    const bytes = Buffer.from(regionsArrow(columns(10)));
    expect(bytes.toString('latin1', 0, 6)).toBe('ARROW1');
    expect(bytes.toString('latin1', bytes.length - 6)).toBe('ARROW1');
    expect(Buffer.from(regionsArrow(columns(10)))).toEqual(bytes);
  });

  it('takes no regions and 400,000', () => {
    expect(tableFromIPC(regionsArrow(columns(0))).numRows).toBe(0);
    const table = tableFromIPC(regionsArrow(columns(400_000)));
    expect(table.numRows).toBe(400_000);
    expect(table.getChild('image')?.get(399_999)).toBe('photos/99999.jpg');
  });

  it('refuses columns of different lengths', () => {
    expect(() => regionsArrow({ ...columns(8), cluster: new Int32Array(7) })).toThrow(/cluster/);
  });
});

describe('fingerprint', () => {
  it('does not depend on the order of keys, but on every value and on the order of lists', () => {
    const config = { a: 1, b: { c: [1, 2], d: undefined }, ['__proto__']: 'x' };
    expect(fingerprint({ b: { c: [1, 2] }, ['__proto__']: 'x', a: 1 })).toBe(fingerprint(config));
    expect(stableJson({ b: 1, a: [{ d: 1, c: 2 }] })).toBe('{"a":[{"c":2,"d":1}],"b":1}');
    for (const other of [{ ...config, a: 2 }, { ...config, b: { c: [2, 1] } }, { ...config, ['__proto__']: 'y' }]) expect(fingerprint(other)).not.toBe(fingerprint(config));
  });

  it('hashes a file', async () => {
    const file = join(base, 'million');
    await writeFile(file, 'a'.repeat(1_000_000));
    // FIPS 180-2, the example of a long message.
    expect(await hashFile(file)).toBe('cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
    await expect(hashFile(join(base, 'missing'))).rejects.toBeInstanceOf(RavlError);
  });

  it('notices a changed size, a changed time, a missing image and another order', async () => {
    const names = ['one.jpg', 'two.jpg'];
    for (const name of names) await writeFile(join(base, name), name);
    const seen = new Set([await imageListHash(base, names)]);
    expect(seen.has(await imageListHash(base, names))).toBe(true);
    await writeFile(join(base, 'one.jpg'), 'longer than before');
    seen.add(await imageListHash(base, names));
    await utimes(join(base, 'two.jpg'), 1, 1);
    seen.add(await imageListHash(base, names));
    seen.add(await imageListHash(base, [...names].reverse()));
    await rm(join(base, 'two.jpg'));
    seen.add(await imageListHash(base, names));
    expect(seen.size).toBe(5);
  });
});
