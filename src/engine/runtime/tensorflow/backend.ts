import util from 'node:util';
import { systemCode } from '../../../shared/errors';
import { tidy } from '../errors';
import { bindingMissing, nodeTooNew, notInstalled, notLoadable } from './errors';
import type { TensorFlow } from './operation';

/**
 * TensorFlow for Node.js on the GPU; without CUDA it computes on the CPU. It is an optional dependency: its install script
 * fetches libtensorflow, and where it cannot, npm leaves the package out and goes on.
 *
 * Throws RavlError `device-tensorflow-missing`, `device-tensorflow-incomplete` (its install script has not run),
 * `device-tensorflow-node` (Node.js 23 and later), `device-tensorflow-failed`; each says what to do.
 */
export async function loadTensorFlow(load: () => Promise<unknown> = importTensorFlow): Promise<TensorFlow> {
  // TensorFlow reports every library that it finds or misses to stderr unless told otherwise.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  const loaded = await load().catch((error: unknown) => {
    throw explained(error);
  });
  if (!('isNullOrUndefined' in util)) throw nodeTooNew(process.versions.node);
  // A CommonJS module: all that it exports is the default export.
  const tf = (loaded as { default: TensorFlow }).default;
  await tf.ready();
  return tf;
}

/** Whether TensorFlow found a GPU that it can use. */
export function usesGpu(tf: TensorFlow): boolean {
  return (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
}

/** Named so that neither the compiler nor the bundler looks for it. */
const packageName: string = '@tensorflow/tfjs-node-gpu';

function importTensorFlow(): Promise<unknown> {
  return import(packageName);
}

function explained(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  const missing = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(systemCode(error) ?? '');
  if (missing && text.includes(packageName)) return notInstalled(error);
  if (/tfjs_binding\.node\) can not be found/.test(text)) return bindingMissing(error);
  return notLoadable(tidy(text.split('\n')[0]!), error);
}
