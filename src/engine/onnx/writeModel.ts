import { rename, rm, writeFile } from 'node:fs/promises';
import * as errors from './errors';
import { readExternal, reference, tensors } from './externalData';
import { decodeModel, encodeModel } from './model';
import { maxModelBytes, type Model } from './readModel';

/**
 * Writes a model as one self-contained .onnx file, weights included, wherever they lay; written beside the target and
 * renamed, so that the target is either whole or untouched.
 *
 * Throws RavlError `onnx-file-too-large` where that would pass 2 GiB.
 */
export async function writeModel(model: Pick<Model, 'proto' | 'folder'>, file: string): Promise<void> {
  const bytes = encodeModel(await inlineWeights(model, file));
  const part = `${file}.part`;
  try {
    await writeFile(part, bytes, { flush: true });
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

async function inlineWeights({ proto, folder }: Pick<Model, 'proto' | 'folder'>, file: string): Promise<Model['proto']> {
  const external = [...tensors(proto.graph)].filter((tensor) => tensor.dataLocation === 1);
  const total = external.reduce((sum, tensor) => sum + reference(tensor).length, 0);
  if (total > maxModelBytes) throw errors.modelTooLarge(file, total);
  if (external.length === 0) return proto;
  const copy = decodeModel(encodeModel(proto));
  for (const tensor of tensors(copy.graph)) {
    if (tensor.dataLocation !== 1) continue;
    tensor.rawData = await readExternal(folder, tensor);
    delete tensor.externalData;
    delete tensor.dataLocation;
  }
  return copy;
}
