import { RavlError } from '../../shared/errors';

export const unknownOperator = (file: string, operator: string, node: string, opset: string, cause: unknown) =>
  new RavlError(
    'runtime-operator-unknown',
    `${node ? `The node "${node}"` : 'A node'} of ${file} uses the operator ${operator}, which onnxruntime does not know${opset && ` at opset ${opset}`}.`,
    'Export the model with standard ONNX operators only; RaVL never loads custom operators from a checkpoint.',
    { cause },
  );

export const missingKernel = (file: string, operator: string, node: string, device: string, cause: unknown) =>
  new RavlError(
    'runtime-kernel-missing',
    `onnxruntime has no implementation of ${operator} for the node "${node}" of ${file} on ${device}.`,
    'Export the model again with opset 17, in float32, and run it on the CPU (device: cpu).',
    { cause },
  );

export const unsupportedOpset = (file: string, what: string, cause: unknown) =>
  new RavlError('runtime-opset-unsupported', `${file} uses ${what} than this onnxruntime reads.`, 'Export the model again with opset 17.', { cause });

export const invalidModel = (file: string, what: string, cause: unknown) =>
  new RavlError('runtime-model-invalid', `onnxruntime refuses ${file}: ${what}.`, 'Export the model again and check it with the onnx package (onnx.checker).', { cause });

export const externalData = (file: string, what: string, cause: unknown) =>
  new RavlError('runtime-external-data', `${file} cannot be loaded: ${what}.`, 'Put the external data files of the export beside the model file, whole.', { cause });

export const inputMismatch = (file: string, what: string, cause: unknown) =>
  new RavlError('runtime-input-mismatch', `${file} is given an input it does not take: ${what}.`, 'Check the image size, the token length and the input names named in the config.', { cause });

export const nodeFailed = (file: string, operator: string, node: string, what: string, cause: unknown) =>
  new RavlError(
    'runtime-node-failed',
    `The node "${node}" (${operator}) of ${file} failed: ${what}.`,
    'Check that the inputs have the sizes that the model was exported for.',
    { cause },
  );

export const outOfMemory = (file: string, cause: unknown) =>
  new RavlError('runtime-out-of-memory', `There is not enough memory to run ${file}.`, 'Use a smaller batch (embedding.batch) or close other programs.', { cause });

export const deviceUnavailable = (device: string, what: string, cause?: unknown) =>
  new RavlError('device-unavailable', `The device ${device} cannot be used: ${what}.`, 'Use device: auto or device: cpu.', { cause });

/**
 * The RavlError that says what an onnxruntime error means. Its own messages carry C++ source lines and absolute paths;
 * the patterns are those of onnxruntime 1.30, and anything else ends in one of the two general errors, tidied.
 */
export function translateError(error: unknown, file: string, device: string, stage: 'load' | 'run'): RavlError {
  if (error instanceof RavlError) return error;
  const text = error instanceof Error ? error.message : String(error);
  let m: RegExpMatchArray | null;
  if (/bad_alloc|failed to allocate memory|out of memory|OutOfMemory|Array buffer allocation failed/i.test(text)) return outOfMemory(file, error);
  if ((m = /In Node, \("?(.*?)"?, (\w+), .*No Op registered for \S+ with domain_version of (\d+)/s.exec(text))) {
    return unknownOperator(file, m[2]!, m[1]!, m[3]!, error);
  }
  if ((m = /In Node, \("?(.*?)"?, (\w+), "(.*?)".*No opset import for domain/s.exec(text))) return unknownOperator(file, `${m[3]}:${m[2]}`, m[1]!, '', error);
  if ((m = /(?:Fatal error: )?(\S+?)\(-?\d+\) is not a registered function\/op/.exec(text))) return unknownOperator(file, m[1]!, '', '', error);
  if ((m = /Could not find an implementation for (\S+?)\(\d+\) node with name '(.*?)'/.exec(text))) return missingKernel(file, m[1]!, m[2]!, device, error);
  if ((m = /Opset (\d+) is under development.*till opset (\d+)/s.exec(text))) return unsupportedOpset(file, `a newer opset (${m[1]}, not up to ${m[2]})`, error);
  if ((m = /Unsupported model IR version: (\d+), max supported IR version: (\d+)/.exec(text))) {
    return unsupportedOpset(file, `a newer ONNX format (IR version ${m[1]}, not up to ${m[2]})`, error);
  }
  if (/external.?data/i.test(text)) return externalData(file, externalProblem(text), error);
  if ((m = /Node \((.*?)\) Op \((\w+)\) \[(?:Shape|Type)InferenceError\] (.*)/s.exec(text))) return nodeFailed(file, m[2]!, m[1]!, tidy(m[3]!), error);
  if ((m = /while running (\w+) node\. Name:'(.*?)' Status Message: (.*)/s.exec(text))) return nodeFailed(file, m[1]!, m[2]!, tidy(m[3]!), error);
  if ((m = /Got invalid dimensions for input: (\S+) .*?index: (\d+) Got: (\d+) Expected: (\d+)/s.exec(text))) {
    return inputMismatch(file, `axis ${m[2]} of "${m[1]}" has length ${m[3]} where the model takes ${m[4]}`, error);
  }
  if ((m = /Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)/.exec(text))) return inputMismatch(file, `"${m[1]}" has ${m[2]} axes where the model takes ${m[3]}`, error);
  if ((m = /Unexpected input data type.*?\((tensor\(\w+\)).*?\((tensor\(\w+\))/s.exec(text))) return inputMismatch(file, `${m[1]} where the model takes ${m[2]}`, error);
  if ((m = /input '(.*?)' is missing/.exec(text))) return inputMismatch(file, `nothing is fed to "${m[1]}"`, error);
  if (/protobuf parsing failed/i.test(text)) return invalidModel(file, 'it is no ONNX file, or a damaged one', error);
  if (stage === 'run') return nodeFailed(file, 'unknown operator', 'unknown', tidy(text), error);
  return invalidModel(file, tidy(text), error);
}

function externalProblem(text: string): string {
  const name = /initializer: (\S+?)\./.exec(text)?.[1] ?? /TensorProto: (\S+)/.exec(text)?.[1];
  const of = name ? ` of the tensor "${name}"` : '';
  if (/does not exist|no such file/i.test(text)) return `the file with the external data${of} is missing`;
  if (/escapes/i.test(text)) return `the external data${of} lies outside the model's folder`;
  if (/mismatch|out of bounds|exceeds|too short/i.test(text)) return `the external data${of} has the wrong length`;
  return tidy(text);
}

/** One sentence of an onnxruntime message: no C++ locations or signatures, no absolute paths, no line breaks. */
export function tidy(text: string): string {
  return text
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : /g, '')
    .replace(/\S+\.(?:cc|h|cpp|cu|hpp):\d+ (?:.*\) )?/g, '')
    .replace(/(["']?)(?:\/|[A-Za-z]:\\)[^\s"']*[/\\]([^\s"']+)/g, '$1$2')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '');
}
