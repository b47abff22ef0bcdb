import { RavlError } from '../../../shared/errors';
import type { NodeProto } from '../../onnx/schema';

const named = ({ opType, domain, name, output }: NodeProto) => `${domain ? `${domain}.` : ''}${opType} (node "${name || output[0]}")`;

const useOnnxruntime = 'Use runtime: onnxruntime, which runs every ONNX operator.';

export const operatorMissing = (file: string, node: NodeProto) =>
  new RavlError('runtime-kernel-missing', `The tensorflow runtime has no implementation of the operator ${named(node)} of ${file}.`, useOnnxruntime);

/** The operator is there, but not in this form. */
export const formUnsupported = (file: string, node: NodeProto, what: string) =>
  new RavlError('runtime-kernel-missing', `The tensorflow runtime cannot run the operator ${named(node)} of ${file} with ${what}.`, useOnnxruntime);

export const typeUnsupported = (file: string, value: string, dtype: string) =>
  new RavlError('runtime-kernel-missing', `The tensorflow runtime cannot hold "${value}" of ${file}, which is ${dtype}.`, useOnnxruntime);

const install = 'npm install --no-save @tensorflow/tfjs-node-gpu@4.22.0';
const needs = 'It needs Linux or Windows, Node.js below 23 and, to use the GPU, CUDA 11.2 with cuDNN 8.1.';

export const notInstalled = (cause: unknown) =>
  new RavlError(
    'device-tensorflow-missing',
    'The tensorflow runtime needs @tensorflow/tfjs-node-gpu, which is not installed.',
    `In RaVL's folder, run: ${install}. ${needs}`,
    { cause },
  );

export const bindingMissing = (cause: unknown) =>
  new RavlError(
    'device-tensorflow-incomplete',
    '@tensorflow/tfjs-node-gpu is installed without its native part, which its install script downloads.',
    `In RaVL's folder, run: npm rebuild @tensorflow/tfjs-node-gpu. ${needs}`,
    { cause },
  );

export const nodeTooNew = (version: string) =>
  new RavlError(
    'device-tensorflow-node',
    `@tensorflow/tfjs-node-gpu calls util.isNullOrUndefined, which Node.js ${version} no longer has.`,
    'Run RaVL with Node.js 20 or 22 to use the tensorflow runtime.',
  );

export const notLoadable = (what: string, cause: unknown) =>
  new RavlError(
    'device-tensorflow-failed',
    `@tensorflow/tfjs-node-gpu cannot be loaded: ${what}.`,
    `In RaVL's folder, install it anew: ${install}. ${needs}`,
    { cause },
  );
