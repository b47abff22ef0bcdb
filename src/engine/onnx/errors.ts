import { RavlError } from '../../shared/errors';

const reexport = 'The file is damaged or was written by a faulty exporter; export the model again.';

export const modelMissing = (file: string, cause?: unknown) =>
  new RavlError('onnx-file-missing', `There is no file ${file}.`, 'Check the path of the checkpoint.', { cause });

export const modelUnreadable = (file: string, what: string, cause?: unknown) =>
  new RavlError('onnx-file-unreadable', `${file} cannot be read: ${what}.`, 'Check the path of the checkpoint and its permissions.', { cause });

export const modelEmpty = (file: string) =>
  new RavlError('onnx-file-empty', `${file} is empty.`, 'Copy or download the model again; the transfer did not finish.');

export const modelTooLarge = (file: string, bytes: number) =>
  new RavlError(
    'onnx-file-too-large',
    `${file} would hold ${(bytes / 2 ** 30).toFixed(1)} GiB in one file, and an ONNX file ends at 2 GiB.`,
    'Export the model with external data (torch.onnx.export does so above 2 GiB), or in float16.',
  );

export const modelDamaged = (file: string, what: string, cause?: unknown) =>
  new RavlError('onnx-file-damaged', `${file} is no whole ONNX model: ${what}.`, 'Copy, download or export the model again.', { cause });

export const lfsPointer = (file: string) =>
  new RavlError('onnx-lfs-pointer', `${file} is a Git LFS pointer, not the model itself.`, 'Run git lfs install and git lfs pull in the repository of the checkpoint.');

export const notOnnx = (file: string, kind: string) =>
  new RavlError(
    'onnx-other-format',
    `${file} is ${kind}, and RaVL reads ONNX.`,
    'Export it: optimum-cli export onnx --model <checkpoint folder> <output folder>, or torch.onnx.export(model, inputs, "model.onnx") in the training code.',
  );

export const externalMissing = (file: string, location: string, tensor: string, cause?: unknown) =>
  new RavlError(
    'onnx-external-missing',
    `${file} keeps the tensor "${tensor}" in ${location}, which is not beside it.`,
    'Copy the external data file into the folder of the model, under that name.',
    { cause },
  );

export const externalShort = (file: string, location: string, tensor: string, needs: number, size: number) =>
  new RavlError(
    'onnx-external-short',
    `${file} keeps the tensor "${tensor}" in ${location} up to byte ${needs}, but that file ends at ${size}.`,
    'Copy or download the external data file again; it is not whole, or belongs to another model.',
  );

export const externalOutside = (file: string, location: string, tensor: string) =>
  new RavlError(
    'onnx-external-outside',
    `${file} keeps the tensor "${tensor}" in ${location}, outside its own folder.`,
    'Put the model and its external data into one folder (cp -RL resolves symbolic links) and use that.',
  );

/** A tensor whose declared shape, element type and stored bytes do not fit together. */
export const malformedTensor = (name: string, what: string) =>
  new RavlError('onnx-tensor-malformed', `The tensor "${name}" of the ONNX model ${what}.`, reexport);

export const weightMissing = (file: string, name: string, values: number) =>
  new RavlError(
    'onnx-weight-missing',
    `${file} has no weight "${name}" of ${values} values.`,
    'The file is not the one that was trained, or was changed since; put that one back in its place.',
  );

export const weightType = (file: string, name: string, dtype: string) =>
  new RavlError(
    'onnx-weight-type',
    `${file} keeps the weight "${name}" as ${dtype}, and RaVL trains weights in float32 and float16.`,
    'Export the model in float32: model.float() before torch.onnx.export.',
  );

export const float32TooLarge = (file: string, bytes: number) =>
  new RavlError(
    'onnx-float32-too-large',
    `The float16 weights of ${file} take ${(bytes / 2 ** 30).toFixed(1)} GiB in float32, and one graph ends at 2 GiB.`,
    'Export the model in float32 with external data, and train fewer of its blocks.',
  );

export const weightOverflow = (file: string, name: string) =>
  new RavlError(
    'onnx-weight-overflow',
    `${file} keeps the weight "${name}" in float16, which ends at 65504, and its values have grown beyond that.`,
    'Fine-tune the float32 model, or with a lower learning rate.',
  );

export const valueMissing = (name: string, near: readonly string[]) =>
  new RavlError(
    'onnx-value-missing',
    `The ONNX graph has no value named "${name}".`,
    near.length ? `Its outputs are ${near.map((value) => `"${value}"`).join(', ')}.` : 'Check the name in the config.',
  );

export const subgraphOpen = (output: string, input: string) =>
  new RavlError(
    'onnx-subgraph-open',
    `The value "${output}" of the ONNX graph cannot be computed on its own: it also depends on the input "${input}".`,
    'Export the two encoders as separate ONNX files.',
  );

export const graphCyclic = () => new RavlError('onnx-graph-cyclic', 'The nodes of the ONNX graph form a circle.', reexport);
