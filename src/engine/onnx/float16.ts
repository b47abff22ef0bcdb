/**
 * IEEE 754 half precision as Uint16Array bits: Node 20 has no Float16Array, and onnxruntime takes the bits.
 * Decoding looks values up in a table of all 65,536 halves; encoding rounds to nearest, ties to even, as hardware does.
 */
export function float16ToFloat32(bits: Uint16Array, out = new Float32Array(bits.length)): Float32Array {
  const table = (decoded ??= decodeTable());
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** Half bits of float32 values; beyond ±65504 (after rounding) they become infinite, NaN stays NaN. */
export function float32ToFloat16(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) out[i] = halfBits(words[i]!);
  return out;
}

let decoded: Float32Array | undefined;

function decodeTable(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

function halfBits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 halves are subnormal: multiples of 2^-24. Exponents under 2^-25 round to zero.
    const shift = 126 - (magnitude >>> 23);
    if (shift > 24) return sign;
    return sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift);
  }
  // Normal: rebias the exponent by 127 - 15 and drop 13 fraction bits; a carry runs into the exponent, up to infinity.
  return sign | (roundShift(magnitude, 13) - (112 << 10));
}

/** value >> shift, rounded to nearest, ties to even; shift in 1..31. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const kept = Math.floor(value / 2 ** shift);
  const rest = value - kept * 2 ** shift;
  return rest > half || (rest === half && kept & 1) ? kept + 1 : kept;
}
