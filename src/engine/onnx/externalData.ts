import { open, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep, win32 } from 'node:path';
import { dtypeName } from './dtypes';
import * as errors from './errors';
import type { GraphProto, ModelProto, TensorProto } from './schema';
import { elementCount, elementSize, readTensor, type DenseTensor } from './tensor';

/**
 * Checks every external data reference of a model and rewrites its location relative to `folder`, the real folder of the
 * model file. Returns the real paths of the files referred to, sorted.
 *
 * A file counts as inside where its real path lies in the model's folder or in the real folder of the model file: the
 * download cache of Hugging Face links both the model and its data into one other folder.
 * Throws RavlError `onnx-external-*`, and `onnx-tensor-malformed` for references that make no sense.
 */
export async function resolveExternalData(proto: ModelProto, file: string, folder: string): Promise<string[]> {
  const files = new Map<string, { path: string; size: number }>();
  for (const tensor of tensors(proto.graph)) {
    if (tensor.dataLocation !== 1) continue;
    const { location, offset, length } = reference(tensor);
    let target = files.get(location);
    if (!target) files.set(location, (target = await resolveLocation(location, tensor.name, file, folder)));
    if (offset + length > target.size) throw errors.externalShort(file, location, tensor.name, offset + length, target.size);
    tensor.externalData = [
      { key: 'location', value: relative(folder, target.path).split(sep).join('/') },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ];
  }
  return [...new Set([...files.values()].map(({ path }) => path))].sort();
}

/** The values of a tensor of a model that `readModel` gave, from disk where they lie there. */
export async function loadTensor(model: { readonly folder: string }, proto: TensorProto): Promise<DenseTensor> {
  return readTensor(proto, proto.dataLocation === 1 ? await readExternal(model.folder, proto) : proto.rawData);
}

/** The bytes of a tensor in external data, read from the part of the file they lie in. */
export async function readExternal(folder: string, proto: TensorProto): Promise<Uint8Array> {
  const { location, offset, length } = reference(proto);
  const path = join(folder, location);
  const handle = await open(path).catch((error: unknown) => {
    throw errors.externalMissing('The model', location, proto.name, error);
  });
  try {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw errors.externalShort('The model', location, proto.name, offset + length, offset + done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Every tensor of a graph: initializers, node attributes, and those of nested graphs. */
export function* tensors(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (attribute.t) yield attribute.t;
      yield* attribute.tensors ?? [];
      for (const nested of [...(attribute.g ? [attribute.g] : []), ...(attribute.graphs ?? [])]) yield* tensors(nested);
    }
  }
}

/** The reference of a tensor in external data; a missing offset is 0, a missing length what its shape needs (ONNX, "External Data"). */
export function reference(tensor: TensorProto): { location: string; offset: number; length: number } {
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) throw errors.malformedTensor(tensor.name, 'lies in an external file that is not named');
  const dtype = dtypeName(tensor.dataType);
  const count = elementCount(tensor.dims.map(Number));
  const size = dtype && elementSize(dtype);
  const needs = count !== undefined && size !== undefined ? count * size : undefined;
  const offset = wholeNumber(entries.get('offset') ?? '0');
  const length = wholeNumber(entries.get('length') ?? String(needs));
  if (offset === undefined || length === undefined || (needs !== undefined && length !== needs)) {
    throw errors.malformedTensor(tensor.name, `has the shape [${tensor.dims.join(', ')}], which does not fit its place in ${location}`);
  }
  return { location, offset, length };
}

function wholeNumber(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

async function resolveLocation(location: string, tensor: string, file: string, folder: string): Promise<{ path: string; size: number }> {
  const own = dirname(resolve(file));
  if (isAbsolute(location) || win32.isAbsolute(location) || !inside(own, resolve(own, location))) throw errors.externalOutside(file, location, tensor);
  try {
    const path = await realpath(resolve(own, location));
    // A session finds all data relative to one folder, the real one of the model file.
    if (!inside(folder, path)) throw errors.externalOutside(file, location, tensor);
    const info = await stat(path);
    if (!info.isFile()) throw errors.externalMissing(file, location, tensor);
    return { path, size: info.size };
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('onnx-') ? error : errors.externalMissing(file, location, tensor, error);
  }
}

function inside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
