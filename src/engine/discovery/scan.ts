/**
 * One question asked a billion times by K-Medoids: which entries of a row of distances lie below their limit?
 * Few do, so four at a time are compared by SIMD and mostly dismissed at once. JavaScript has no SIMD, hence these few
 * WebAssembly instructions; the row is copied in, which costs less than the comparison saves.
 */
export interface Scan {
  /** [n] the limit of every entry; write here. */
  readonly limits: Float32Array;
  /** [n] where `below` puts its answer. */
  readonly hits: Int32Array;
  /** Counts the o in 0..n-1 with row[o] < limits[o] and lists them in `hits`, ascending. A limit of NaN is above nothing. */
  below(row: Float32Array): number;
}

/** A scan for rows [n], with a memory of its own. */
export function openScan(n: number): Scan {
  const lanes = Math.ceil(n / 4) * 4;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((3 * lanes * 4) / 65536) });
  const { exports } = new WebAssembly.Instance(module, { ravl: { memory } });
  const scan = exports['scan'] as (bytes: number) => number;
  // Past n both rows and limits stay 0, and 0 < 0 is no hit.
  const rows = new Float32Array(memory.buffer, 0, n);
  return {
    limits: new Float32Array(memory.buffer, lanes * 4, n),
    hits: new Int32Array(memory.buffer, lanes * 8, n),
    below(row) {
      rows.set(row);
      return scan(lanes * 4);
    },
  };
}

/**
 * scan(bytes) with the row at 0, the limits at `bytes` and the hits at 2·bytes, in WebAssembly's binary format.
 * Locals: 0 bytes, 1 at (byte offset into the row), 2 out (address of the next hit), 3 mask (one bit a lane).
 */
const module = new WebAssembly.Module(
  // prettier-ignore
  new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version 1
    0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, // types: (i32) -> i32
    0x02, 0x10, 0x01, 4, ...ascii('ravl'), 6, ...ascii('memory'), 0x02, 0x00, 0x01, // imports: ravl.memory, at least 1 page
    0x03, 0x02, 0x01, 0x00, // functions: one of type 0
    0x07, 0x08, 0x01, 4, ...ascii('scan'), 0x00, 0x00, // exports: scan = function 0
    0x0a, 0x64, 0x01, 0x62, 0x01, 0x03, 0x7f, // code: one function with three more i32 locals
    0x20, 0x00, 0x41, 0x01, 0x74, 0x21, 0x02, // out = bytes << 1
    0x03, 0x40, // loop
    0x20, 0x01, 0xfd, 0x00, 0x02, 0x00, //   v128.load row[at]
    0x20, 0x01, 0x20, 0x00, 0x6a, 0xfd, 0x00, 0x02, 0x00, //   v128.load limits[at]
    0xfd, 0x43, 0xfd, 0xa4, 0x01, 0x22, 0x03, //   mask = i32x4.bitmask(f32x4.lt)
    0x04, 0x40, //   if mask != 0
    0x03, 0x40, //     loop
    0x20, 0x02, 0x20, 0x01, 0x41, 0x02, 0x76, 0x20, 0x03, 0x68, 0x6a, 0x36, 0x02, 0x00, //       *out = (at >> 2) + ctz(mask)
    0x20, 0x02, 0x41, 0x04, 0x6a, 0x21, 0x02, //       out += 4
    0x20, 0x03, 0x20, 0x03, 0x41, 0x01, 0x6b, 0x71, 0x22, 0x03, 0x0d, 0x00, //       repeat while mask &= mask - 1
    0x0b, 0x0b, //     end, end if
    0x20, 0x01, 0x41, 0x10, 0x6a, 0x22, 0x01, 0x20, 0x00, 0x49, 0x0d, 0x00, //   repeat while (at += 16) < bytes
    0x0b, // end
    0x20, 0x02, 0x20, 0x00, 0x41, 0x01, 0x74, 0x6b, 0x41, 0x02, 0x76, // (out - 2·bytes) >> 2
    0x0b,
  ]),
);

/** The few names of the WebAssembly JavaScript interface used here; TypeScript keeps them with the browser's. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
