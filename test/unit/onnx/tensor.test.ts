import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../../src/engine/onnx/float16';
import type { TensorProto } from '../../../src/engine/onnx/schema';
import { readTensor, tensorProto, type TensorData } from '../../../src/engine/onnx/tensor';

const proto = (part: Partial<TensorProto>): TensorProto => ({ name: 'w', dims: [2], dataType: 1, ...part });

describe('readTensor', () => {
  it('reads every form a tensor is stored in (onnx.proto, TensorProto)', () => {
    const forms: [Partial<TensorProto>, TensorData][] = [
      [{ dataType: 1, rawData: Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0) }, Float32Array.of(1, -2)],
      [{ dataType: 1, floatData: [1, -2] }, Float32Array.of(1, -2)],
      [{ dataType: 11, doubleData: [0.1, 2] }, Float64Array.of(0.1, 2)],
      [{ dataType: 6, int32Data: [-7, 8] }, Int32Array.of(-7, 8)],
      [{ dataType: 2, int32Data: [255, 1] }, Uint8Array.of(255, 1)],
      [{ dataType: 3, int32Data: [-128, 1] }, Int8Array.of(-128, 1)],
      [{ dataType: 9, int32Data: [1, 0] }, Uint8Array.of(1, 0)],
      [{ dataType: 10, int32Data: [0x3c00, 0xc000] }, Uint16Array.of(0x3c00, 0xc000)],
      [{ dataType: 7, int64Data: [-3, 4] }, BigInt64Array.of(-3n, 4n)],
      [{ dataType: 13, uint64Data: [3, 4] }, BigUint64Array.of(3n, 4n)],
      [{ dataType: 12, uint64Data: [3, 0xffffffff] }, Uint32Array.of(3, 0xffffffff)],
    ];
    for (const [part, data] of forms) expect(readTensor(proto(part)).data).toEqual(data);
  });

  it('reads raw bytes at any offset', () => {
    const bytes = new Uint8Array(13);
    new Float32Array(bytes.buffer, 0, 3).set([5, 6, 7]);
    bytes.copyWithin(1, 0, 12);
    expect(readTensor(proto({ dims: [3], rawData: bytes.subarray(1) })).data).toEqual(Float32Array.of(5, 6, 7));
  });

  it('knows scalars and empty tensors', () => {
    expect(readTensor(proto({ dims: [], floatData: [3] }))).toMatchObject({ dims: [], data: Float32Array.of(3) });
    expect(readTensor(proto({ dims: [0, 4] })).data).toHaveLength(0);
  });

  it('gives back what tensorProto was given', () => {
    const data = BigInt64Array.of(1n, -(2n ** 62n), 3n, 4n);
    expect(readTensor(tensorProto('w', [2, 2], data))).toEqual({ dtype: 'int64', dims: [2, 2], data });
    expect(readTensor(tensorProto('w', [2], Uint8Array.of(1, 0), 'bool')).dtype).toBe('bool');
  });

  it.each([
    ['too few values', { floatData: [1] }, 'has shape [2], 2 values, but holds 1'],
    ['ragged bytes', { rawData: new Uint8Array(7) }, '7 bytes'],
    ['a negative dim', { dims: [-1], floatData: [1] }, 'impossible shape'],
    ['an impossible size', { dims: [2 ** 40, 2 ** 40] }, 'impossible shape'],
    ['an unknown type', { dataType: 99 }, 'type 99'],
    ['strings', { dataType: 8 }, 'type string'],
    ['external data that was not read', { dataLocation: 1 }, 'external file'],
  ])('refuses %s by name', (_, part, words) => {
    expect(() => readTensor(proto(part))).toThrow(expect.objectContaining({ code: 'onnx-tensor-malformed', message: expect.stringContaining(words) }));
    expect(() => readTensor(proto(part))).toThrow('"w"');
  });
});

describe('float16', () => {
  it('decodes what IEEE 754 says', () => {
    const published: [number, number][] = [
      [0x0000, 0],
      [0x3c00, 1],
      [0x3c01, 1 + 2 ** -10],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x0001, 2 ** -24],
      [0x3555, 0.333251953125],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
    ];
    for (const [bits, value] of published) expect(float16ToFloat32(Uint16Array.of(bits))[0]).toBe(value);
    expect(float16ToFloat32(Uint16Array.of(0x8000))[0]).toBe(-0);
    expect(float16ToFloat32(Uint16Array.of(0x7e00))[0]).toBeNaN();
  });

  it('encodes to the nearest half, ties to the even one', () => {
    const halves = float16ToFloat32(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits));
    const nearest = (value: number): number => {
      let best = 0;
      for (let bits = 1; bits < halves.length; bits++) {
        const [closer, old] = [Math.abs(halves[bits]! - value), Math.abs(halves[best]! - value)];
        if (closer < old || (closer === old && bits % 2 === 0)) best = bits;
      }
      return best;
    };
    fc.assert(
      fc.property(fc.float({ min: 0, max: 65504, noNaN: true }), (value) => {
        expect(float32ToFloat16(Float32Array.of(value))[0]).toBe(nearest(value));
      }),
      { numRuns: 200, examples: [[2 ** -25], [3 * 2 ** -25], [1 + 2 ** -11], [1 + 3 * 2 ** -11], [2 ** -14 - 2 ** -25]].map(([v]) => [Math.fround(v!)]) },
    );
    expect([...float32ToFloat16(Float32Array.of(65519, 65520, -1e9, Infinity))]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00]);
    expect(float16ToFloat32(float32ToFloat16(Float32Array.of(NaN)))[0]).toBeNaN();
  });
});
