/**
 * NumPy's .npy format, version 1.0 (numpy.lib.format): magic, version, length of the header, the header as a Python
 * dict padded with blanks so that the data starts at a multiple of 64 bytes, then the data. Little-endian, C order,
 * float32, float64 or int32. Typed arrays have the host's byte order, which on every platform RaVL is built for is little-endian.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { Content } from './atomic';
import { damagedArtifact, withStorageErrors } from './errors';

export type NumericArray = Float32Array | Float64Array | Int32Array;
export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: NumericArray;
}

const constructors = { '<f4': Float32Array, '<f8': Float64Array, '<i4': Int32Array } as const;
type Dtype = keyof typeof constructors;
const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
const readBlock = 64 << 20;

/** The bytes of an array as .npy, header first; the data is not copied. Throws TypeError where shape and length differ. */
export function npyContent({ shape, data }: NpyArray): Content {
  if (product(shape) !== data.length) throw new TypeError(`Shape [${shape.join(', ')}] does not hold ${data.length} values.`);
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${dtypeOf(data)}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const length = Math.ceil((magic.length + 2 + dict.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, ' ');
  magic.copy(header);
  header.writeUInt16LE(length - magic.length - 2, magic.length);
  header.write(dict, magic.length + 2, 'latin1');
  header.write('\n', length - 1);
  return [header, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

/** Reads .npy bytes held in memory. Throws `run-artifact-damaged`, naming `file`. */
export function parseNpy(bytes: Uint8Array, file: string): NpyArray {
  const { shape, dtype, offset } = parseHeader(bytes, file);
  const data = new constructors[dtype](product(shape));
  if (bytes.length - offset !== data.byteLength) throw damagedArtifact(file, wrongSize(bytes.length - offset, data.byteLength));
  new Uint8Array(data.buffer).set(bytes.subarray(offset));
  return { shape, data };
}

/** Reads an .npy file straight into a new array, or into `into` where that has its type and length. Errors as `parseNpy`. */
export async function readNpy(file: string, into?: NumericArray): Promise<NpyArray> {
  const handle = await withStorageErrors(file, () => open(file, 'r'));
  try {
    const start = new Uint8Array(4096);
    const read = await fill(handle, start, 0);
    const { shape, dtype, offset } = parseHeader(start.subarray(0, read), file);
    const available = (await handle.stat()).size - offset;
    const expected = product(shape) * constructors[dtype].BYTES_PER_ELEMENT;
    if (available !== expected) throw damagedArtifact(file, wrongSize(available, expected));
    const data = into ?? new constructors[dtype](product(shape));
    if (dtypeOf(data) !== dtype || data.length !== product(shape)) throw damagedArtifact(file, `it holds ${dtype} [${shape.join(', ')}], not what was asked for`);
    await fill(handle, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    return { shape, data };
  } finally {
    await handle.close();
  }
}

function parseHeader(bytes: Uint8Array, file: string): { shape: number[]; dtype: Dtype; offset: number } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 10 || !buffer.subarray(0, 8).equals(magic)) throw damagedArtifact(file, 'it is not an .npy file of version 1.0');
  const offset = 10 + buffer.readUInt16LE(8);
  const header = buffer.toString('latin1', 10, offset);
  const dtype = /'descr': '([^']*)'/.exec(header)?.[1];
  const shape = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (offset > buffer.length || !isDtype(dtype) || shape === undefined || !header.includes("'fortran_order': False")) {
    throw damagedArtifact(file, 'its header is not one that RaVL writes');
  }
  return { dtype, offset, shape: shape.split(',').filter((part) => part.trim() !== '').map(Number) };
}

async function fill(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, Math.min(readBlock, target.length - done), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

const dtypeOf = (data: NumericArray): Dtype => (data instanceof Float32Array ? '<f4' : data instanceof Float64Array ? '<f8' : '<i4');
const isDtype = (text: string | undefined): text is Dtype => text !== undefined && Object.hasOwn(constructors, text);
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const wrongSize = (found: number, expected: number) => `it has ${found} bytes of data in place of ${expected}`;
