/**
 * MNIST and Fashion-MNIST (LeCun et al. 1998; Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747), as they are handed out: IDX files,
 * gzipped or not. IDX: two zero bytes, the element type (8 = unsigned byte), the number of dims, each dim as a big-endian 32-bit
 * number, then the values.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { systemCode } from '../../shared/errors';
import { idxDamaged, idxMissing, idxUnexpected } from './errors';

/** Labelled grey images, all of one size. */
export interface GreyImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** [images, height, width] 0 = black. */
  readonly pixels: Uint8Array;
  /** [images] class ids. */
  readonly labels: Uint8Array;
  /** Name of each class. */
  readonly classes: readonly string[];
}

/** Class names by id. The article "a" suits all of them; none is a word of another. */
export const classNames = {
  mnist: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  'fashion-mnist': ['top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'boot'],
} as const;

/**
 * The training or test part of MNIST or Fashion-MNIST from a folder with its four files, ending in .gz or not.
 * Throws RavlError `benchmark-idx-missing`, `benchmark-idx-damaged`, `benchmark-idx-unexpected`.
 */
export async function readIdxFolder(folder: string, part: 'train' | 'test', classes: readonly string[]): Promise<GreyImages> {
  const name = part === 'train' ? 'train' : 't10k';
  const [imageFile, labelFile] = [packedOrNot(join(folder, `${name}-images-idx3-ubyte`)), packedOrNot(join(folder, `${name}-labels-idx1-ubyte`))];
  const [images, labels] = await Promise.all([readIdx(imageFile), readIdx(labelFile)]);
  if (images.dims.length !== 3) throw idxUnexpected(imageFile, `has ${images.dims.length} dims in place of [images, height, width]`);
  if (labels.dims.length !== 1) throw idxUnexpected(labelFile, `has ${labels.dims.length} dims in place of [images]`);
  const [count, height, width] = images.dims as [number, number, number];
  if (labels.data.length !== count) throw idxUnexpected(labelFile, `has ${labels.data.length} labels for the ${count} images beside it`);
  const unknown = labels.data.findIndex((label) => label >= classes.length);
  if (unknown >= 0) throw idxUnexpected(labelFile, `has the label ${labels.data[unknown]} at image ${unknown}, and there are ${classes.length} classes`);
  return { count, height, width, pixels: images.data, labels: labels.data, classes };
}

const packedOrNot = (file: string) => (existsSync(file) ? file : `${file}.gz`);

/** The images from `start` up to `end`, as views: parts that share no image. */
export function slice({ count, height, width, pixels, labels, classes }: GreyImages, start: number, end = count): GreyImages {
  const size = height * width;
  return { count: end - start, height, width, pixels: pixels.subarray(start * size, end * size), labels: labels.subarray(start, end), classes };
}

export interface IdxArray {
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** An IDX file of unsigned bytes, gzipped where its name ends in .gz. Errors as `readIdxFolder`. */
export async function readIdx(file: string): Promise<IdxArray> {
  const read = await readFile(file).catch((error: unknown) => {
    throw idxMissing(file, error);
  });
  const bytes = file.endsWith('.gz') ? await unpacked(read, file) : read;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) throw idxDamaged(file, 'it does not start as one');
  if (bytes[2] !== unsignedByte) throw idxUnexpected(file, `holds elements of type ${bytes[2]}, not unsigned bytes`);
  const start = 4 + 4 * bytes[3]!;
  if (bytes.length < start) throw idxDamaged(file, 'it ends within its header');
  const dims = Array.from({ length: bytes[3]! }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const wanted = dims.reduce((product, dim) => product * dim, 1);
  const there = bytes.length - start;
  if (there !== wanted) throw idxDamaged(file, `its dims ${dims.join(' × ')} ask for ${wanted} values, and it holds ${there}`);
  return { dims, data: new Uint8Array(bytes.buffer, bytes.byteOffset + start, wanted) };
}

function unpacked(packed: Uint8Array, file: string): Promise<Buffer> {
  return promisify(gunzip)(packed, { maxOutputLength: largest }).catch((error: unknown) => {
    throw idxDamaged(file, gunzipProblem(error), error);
  });
}

const unsignedByte = 8;
/** MNIST's largest file is 47 MB unpacked; what is much larger is something else. */
const largest = 2 ** 28;

function gunzipProblem(error: unknown): string {
  switch (systemCode(error)) {
    case 'ERR_BUFFER_TOO_LARGE':
      return `it unpacks to more than ${largest / 2 ** 20} MiB`;
    case 'Z_BUF_ERROR':
      return 'it is cut off';
    default:
      return 'it is not gzipped, or damaged';
  }
}
