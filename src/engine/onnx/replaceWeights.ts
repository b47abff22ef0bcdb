/**
 * New values for some weights of models, and nothing else changed. Weights that lie in a file as raw bytes are replaced there, at
 * their offsets, so every other byte of the file stays as its exporter wrote it, and the file can be streamed. A weight in
 * another form (typed fields such as float_data, or external bytes that it shares with another tensor) changes the size
 * of the model: that one model is decoded and encoded again, at the cost of its size in memory.
 */
import { open, stat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { systemCode } from '../../shared/errors';
import { dtypeName } from './dtypes';
import * as errors from './errors';
import { reference, resolveExternalData, tensors } from './externalData';
import { float32ToFloat16 } from './float16';
import { encodeModel } from './model';
import { maxModelBytes, readWholeModel } from './readModel';
import type { ModelProto, TensorProto } from './schema';
import { elementCount } from './tensor';

/** Values by the name of the initializer. */
export type Weights = ReadonlyMap<string, Float32Array>;

export interface NewWeights {
  /** Path of the model. */
  readonly file: string;
  readonly weights: Weights;
}

/** A file and what takes the place of some of its bytes; in order, without overlap. */
export interface ChangedFile {
  readonly file: string;
  /** As it was found: what was read of it holds for no other. */
  readonly size: number;
  readonly modified: number;
  readonly changes: readonly Change[];
}

export interface Change {
  readonly offset: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

/**
 * What to write in the place of the models' files, external data files included, so that the named weights have the
 * given values: in float32, and rounded to the nearest half where the model keeps them in float16. A file is named by its
 * path beside the model, links unresolved. The arrays are not copied; they have to stay as they are until all is written.
 *
 * Throws RavlError `onnx-weight-missing` (no such initializer of that size), `onnx-weight-type` (neither float32 nor
 * float16), `onnx-weight-overflow`, and what `readModel` throws.
 */
export async function replaceWeights(models: readonly NewWeights[]): Promise<ChangedFile[]> {
  const located: Placed[][] = [];
  for (const model of models) located.push(await placeTensors(model));
  const shared = sharing(located.flat());
  const changes = new Map<string, Change[]>(located.flat().map(({ file }) => [file, []]));
  for (const [index, model] of models.entries()) {
    const rewritten = located[index]!.some((tensor) => tensor.values && isLoose(tensor, shared));
    for (const tensor of located[index]!) {
      if (!tensor.values || isLoose(tensor, shared) || (rewritten && tensor.file === model.file)) continue;
      changes.get(tensor.file)!.push({ offset: tensor.offset, length: tensor.length, bytes: tensor.values });
    }
    if (rewritten) changes.get(model.file)!.push(await rewrite(model, located[index]!, shared));
  }
  return Promise.all([...changes].map(([file, all]) => changedFile(file, all.sort((a, b) => a.offset - b.offset))));
}

/** A file as it is now, and the changes to it. Throws RavlError `onnx-file-unreadable`. */
export async function changedFile(file: string, changes: readonly Change[] = []): Promise<ChangedFile> {
  const { size, mtimeMs } = await stat(file).catch((error: unknown) => unreadable(file, error));
  return { file, size, modified: mtimeMs, changes };
}

/** The bytes of a changed file, block by block. Throws RavlError `onnx-file-unreadable`, also where it is another file by now. */
export async function* changedBytes({ file, size, modified, changes }: ChangedFile): AsyncGenerator<Uint8Array> {
  const handle = await open(file).catch((error: unknown) => unreadable(file, error));
  try {
    const now = await handle.stat();
    if (now.size !== size || now.mtimeMs !== modified) throw errors.modelUnreadable(file, 'it was changed while it was copied');
    let at = 0;
    for (const { offset, length, bytes } of [...changes, { offset: size, length: 0, bytes: new Uint8Array(0) }]) {
      while (at < offset) {
        const block = new Uint8Array(Math.min(blockBytes, offset - at));
        const { bytesRead } = await handle.read(block, 0, block.length, at).catch((error: unknown) => unreadable(file, error));
        if (bytesRead === 0) throw errors.modelUnreadable(file, 'it was changed while it was copied');
        yield block.subarray(0, bytesRead);
        at += bytesRead;
      }
      yield bytes;
      at = offset + length;
    }
  } finally {
    await handle.close();
  }
}

const blockBytes = 2 ** 20;

function unreadable(file: string, error: unknown): never {
  throw errors.modelUnreadable(file, systemCode(error) ?? 'unknown error', error);
}

/** Where the bytes of a tensor lie; length 0 where they are in no file as they are. */
interface Placed {
  readonly name: string;
  readonly file: string;
  /** The file that `file` links to, if it is a link. */
  readonly real: string;
  readonly offset: number;
  readonly length: number;
  /** What it is to hold; undefined for a tensor that stays as it is. */
  readonly values?: Uint8Array;
}

const isLoose = (tensor: Placed, shared: ReadonlySet<Placed>) => tensor.length === 0 || shared.has(tensor);

/** All tensors of a model in external files, and those of its initializers that get new values. */
async function placeTensors({ file, weights }: NewWeights): Promise<Placed[]> {
  const { bytes, real, proto } = await readWholeModel(file);
  const named = new Map([...tensors(proto.graph)].filter(isExternal).map((tensor) => [tensor, locationOf(tensor)]));
  await resolveExternalData(proto, file, dirname(real));
  const values = new Map([...weights].map(([name, array]) => [initializer(proto, name, array, file), array]));
  // A model without trained or external tensors is written all the same.
  const placed: Placed[] = [{ name: '', file, real, offset: 0, length: 0 }];
  for (const tensor of new Set([...named.keys(), ...values.keys()])) {
    const array = values.get(tensor);
    const more = array ? { name: tensor.name, values: stored(tensor, array, file) } : { name: tensor.name };
    if (isExternal(tensor)) {
      const { location, offset, length } = reference(tensor);
      placed.push({ ...more, file: join(dirname(file), named.get(tensor)!), real: join(dirname(real), location), offset, length });
    } else {
      const raw = tensor.rawData;
      const place = raw?.length && raw.buffer === bytes.buffer ? { offset: raw.byteOffset - bytes.byteOffset, length: raw.byteLength } : { offset: 0, length: 0 };
      placed.push({ ...more, file, real, ...place });
    }
  }
  return placed;
}

const isExternal = (tensor: TensorProto) => tensor.dataLocation === 1;

const locationOf = (tensor: TensorProto) => posix.normalize(tensor.externalData?.find(({ key }) => key === 'location')?.value ?? '');

function initializer({ graph }: ModelProto, name: string, values: Float32Array, file: string): TensorProto {
  const tensor = graph.initializer.find((each) => each.name === name);
  if (!tensor || elementCount(tensor.dims.map(Number)) !== values.length) throw errors.weightMissing(file, name, values.length);
  return tensor;
}

/** Values in the element type of the tensor, as raw bytes. */
function stored({ name, dataType }: TensorProto, values: Float32Array, file: string): Uint8Array {
  const dtype = dtypeName(dataType);
  if (dtype === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype !== 'float16') throw errors.weightType(file, name, dtype ?? `elements of type ${dataType}`);
  const halves = float32ToFloat16(values);
  // 0x7c00 without its sign is infinity.
  if (halves.some((bits, at) => (bits & 0x7fff) === 0x7c00 && Number.isFinite(values[at]))) throw errors.weightOverflow(file, name);
  return new Uint8Array(halves.buffer);
}

/** Tensors that have bytes in common with another one: two references to one place, also from two models. */
function sharing(all: readonly Placed[]): Set<Placed> {
  const shared = new Set<Placed>();
  const byPlace = all.filter(({ length }) => length > 0).sort((a, b) => (a.real === b.real ? a.offset - b.offset : a.real < b.real ? -1 : 1));
  let last: Placed | undefined;
  for (const tensor of byPlace) {
    const overlaps = last?.real === tensor.real && tensor.offset < last.offset + last.length;
    if (overlaps) shared.add(last!).add(tensor);
    if (!overlaps || tensor.offset + tensor.length > last!.offset + last!.length) last = tensor;
  }
  return shared;
}

/** The whole model anew, all of its trained weights inside it, except those that change in an external file. */
async function rewrite({ file }: NewWeights, placed: readonly Placed[], shared: ReadonlySet<Placed>): Promise<Change> {
  const { bytes, proto } = await readWholeModel(file);
  const inside = new Map(placed.filter((tensor) => tensor.file === file || isLoose(tensor, shared)).map(({ name, values }) => [name, values]));
  for (const tensor of proto.graph.initializer) {
    const values = inside.get(tensor.name);
    if (!values) continue;
    delete tensor.floatData;
    delete tensor.int32Data;
    delete tensor.externalData;
    delete tensor.dataLocation;
    tensor.rawData = values;
  }
  const encoded = encodeModel(proto);
  if (encoded.length > maxModelBytes) throw errors.modelTooLarge(file, encoded.length);
  return { offset: 0, length: bytes.length, bytes: encoded };
}
