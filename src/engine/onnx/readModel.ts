import { open, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { systemCode } from '../../shared/errors';
import * as errors from './errors';
import { resolveExternalData } from './externalData';
import { decodeModel, encodeModel } from './model';
import type { ModelProto } from './schema';

/** An ONNX model on disk. */
export interface Model {
  /** The path it was read by. */
  readonly file: string;
  /** Real folder that the external data references of `proto` are relative to; a session needs it as `externalFolder`. */
  readonly folder: string;
  /** The graph. Its larger weights are external data references, into the model file itself where they lie there. */
  readonly proto: ModelProto;
  /** Real paths of the external data files, sorted; without the model file. */
  readonly externalFiles: readonly string[];
}

/**
 * Reads an ONNX model without keeping its weights: every initializer of 1 KiB or more becomes a reference to where its
 * bytes lie on disk, so that a graph can be edited and run (see `externalFolder` of openSession) at the cost of its nodes
 * alone; onnxruntime maps the weights from the file. `loadTensor` fetches one when its values are needed.
 *
 * The file must stay as it is while sessions on it are open.
 * Throws RavlError `onnx-*` for a missing, empty, damaged or foreign file and for bad external data.
 */
export async function readModel(file: string): Promise<Model> {
  const { bytes, real, proto } = await readWholeModel(file);
  const folder = dirname(real);
  const externalFiles = await resolveExternalData(proto, file, folder);
  referToFile(proto, bytes, basename(real));
  // Decoded once more from its own small encoding, the proto no longer holds views that keep the whole file in memory.
  return { file, folder, proto: decodeModel(encodeModel(proto)), externalFiles };
}

/** A model as its file holds it: the bytes, the graph whose tensors are views into them, and the file's real path. Throws as `readModel`. */
export async function readWholeModel(file: string): Promise<{ bytes: Buffer; real: string; proto: ModelProto }> {
  await refuseForeign(file);
  const [bytes, real] = await Promise.all([readFile(file), realpath(file)]).catch((error: unknown) => {
    throw errors.modelUnreadable(file, systemCode(error) ?? 'unknown error', error);
  });
  return { bytes, real, proto: parseModel(bytes, file) };
}

/** Decodes ONNX bytes; `file` is for messages. Throws RavlError `onnx-file-damaged`. */
export function parseModel(bytes: Uint8Array, file: string): ModelProto {
  let proto: ModelProto;
  try {
    proto = decodeModel(bytes);
  } catch (error) {
    throw errors.modelDamaged(file, error instanceof RangeError ? 'it ends too early' : 'its bytes do not follow the format', error);
  }
  // The message types of protobufjs leave absent messages null.
  if ((proto.graph as ModelProto['graph'] | null | undefined)?.output?.length === undefined || proto.opsetImport.length === 0) {
    throw errors.modelDamaged(file, 'it holds no graph');
  }
  if (proto.graph.node.length === 0 || proto.graph.output.length === 0) throw errors.modelDamaged(file, 'its graph is empty');
  return proto;
}

/** onnxruntime and protobuf both stop at 2 GiB. */
export const maxModelBytes = 2 ** 31 - 1;

async function refuseForeign(file: string): Promise<void> {
  const info = await stat(file).catch((error: unknown) => {
    const code = systemCode(error);
    throw code === 'ENOENT' || code === 'ENOTDIR' ? errors.modelMissing(file, error) : errors.modelUnreadable(file, code ?? 'unknown error', error);
  });
  if (!info.isFile()) throw errors.modelUnreadable(file, 'it is not a file');
  if (info.size === 0) throw errors.modelEmpty(file);
  const head = await readHead(file);
  if (head.toString('latin1').startsWith('version https://git-lfs')) throw errors.lfsPointer(file);
  const kind = foreignKind(file, head);
  if (kind) throw errors.notOnnx(file, kind);
  if (info.size > maxModelBytes) throw errors.modelTooLarge(file, info.size);
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file).catch((error: unknown) => {
    throw errors.modelUnreadable(file, systemCode(error) ?? 'unknown error', error);
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** What a file is by its first bytes, else by its name: people hand over what their trainer wrote. */
function foreignKind(file: string, head: Buffer): string | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('PK\x03\x04')) return 'a zip archive, as torch.save writes';
  if (/^\x80[\x02-\x05]/.test(text)) return 'a Python pickle, as torch.save writes';
  if (head.length > 9 && text[8] === '{' && head.readBigUInt64LE(0) < 100_000_000n) return 'a safetensors file';
  if (text.startsWith('\x89HDF')) return 'an HDF5 file, as Keras writes';
  if (text.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite model';
  if (text.slice(4, 8) === 'ORTM') return 'an onnxruntime .ort model';
  if (/\.(pt|pth|bin|ckpt)$/i.test(file)) return 'a PyTorch file by its name';
  if (/\.safetensors$/i.test(file)) return 'a safetensors file by its name';
  return undefined;
}

/** Smaller initializers stay inline: onnxruntime folds shapes and axes from them. */
const inlineBytes = 1024;

function referToFile(proto: ModelProto, bytes: Uint8Array, location: string): void {
  for (const tensor of proto.graph.initializer) {
    const raw = tensor.rawData;
    if (!raw || raw.byteLength < inlineBytes || raw.buffer !== bytes.buffer) continue;
    tensor.externalData = [
      { key: 'location', value: location },
      { key: 'offset', value: String(raw.byteOffset - bytes.byteOffset) },
      { key: 'length', value: String(raw.byteLength) },
    ];
    tensor.dataLocation = 1;
    delete tensor.rawData;
  }
}
