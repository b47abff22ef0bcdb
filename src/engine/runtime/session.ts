import { basename } from 'node:path';
import { env, InferenceSession, type Tensor } from 'onnxruntime-node';
import type { Device } from '../../shared/config';
import { translateError } from './errors';

export { Tensor } from 'onnxruntime-node';

// onnxruntime's own builds send usage to Microsoft and keep an identifier on disk unless this is set before its first
// session (docs/Privacy.md of onnxruntime): what a person analyses stays on their machine.
process.env.ORT_DISABLE_TELEMETRY = '1';

// Keeps onnxruntime's own log off stderr: what matters comes as an error, and a terminal shows progress there.
env.logLevel = 'fatal';

/** A device onnxruntime can run on, as opposed to what a person asks for (`auto`). */
export type ExecutionDevice = Exclude<Device, 'auto'>;

export interface SessionOptions {
  readonly device?: ExecutionDevice;
  /** Threads inside an operator; RAVL_THREADS, or else onnxruntime's choice (the physical cores), when left out. */
  readonly threads?: number;
  /** Folder that the external data of a model given as bytes lies in. */
  readonly externalFolder?: string;
  /** What messages call a model given as bytes. */
  readonly name?: string;
}

/** An input or output: dims are numbers or names of symbolic dimensions ('' where unnamed). */
export interface SessionValue {
  readonly name: string;
  readonly dtype: Tensor.Type;
  readonly dims: readonly (number | string)[];
}

export type Feeds = Readonly<Record<string, Tensor>>;

export interface GraphSession {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  readonly device: ExecutionDevice | 'tensorflow';
  /** Runs the whole graph and returns all outputs, in CPU memory. Blocks the thread while it computes. */
  run(feeds: Feeds): Promise<Record<string, Tensor>>;
  /** Frees native memory; further calls do nothing. */
  release(): Promise<void>;
}

/**
 * Opens an ONNX model, from its file or its bytes, on one device.
 * Throws RavlError `runtime-*` in place of whatever onnxruntime throws, here and in `run`.
 */
export async function openSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<GraphSession> {
  const { device = 'cpu', name = typeof model === 'string' ? basename(model) : 'the model' } = options;
  const session = await createSession(model, sessionOptions(options)).catch((error: unknown) => {
    throw translateError(error, name, device, 'load');
  });
  let open = true;
  return {
    inputs: session.inputMetadata.filter((value) => value.isTensor).map(sessionValue),
    outputs: session.outputMetadata.filter((value) => value.isTensor).map(sessionValue),
    device,
    async run(feeds) {
      try {
        return (await session.run(feeds)) as Record<string, Tensor>;
      } catch (error) {
        throw translateError(error, name, device, 'run');
      }
    },
    async release() {
      if (open) await session.release();
      open = false;
    },
  };
}

/**
 * Measured on two cores: no memory pattern saves 26-44% of peak memory for at most 6% of time, spinning threads only
 * heat the editor, and without the CPU arena everything is 45% slower, so it stays.
 */
export function sessionOptions({ device = 'cpu', threads = threadsGiven(), externalFolder }: SessionOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    enableMemPattern: false,
    logSeverityLevel: 4,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    extra: {
      session: {
        intra_op: { allow_spinning: '0' },
        ...(externalFolder === undefined ? {} : { model_external_initializers_file_folder_path: externalFolder }),
      },
    },
  };
}

/**
 * The share of a process that others work beside, as launchers set it. It decides no result: a real CLIP's embeddings of 256 photos
 * and their regions came out the same, byte for byte, with 1, 2, 3, 4 and 7 threads.
 */
function threadsGiven(): number | undefined {
  const threads = Number(process.env['RAVL_THREADS'] || NaN);
  return Number.isSafeInteger(threads) && threads > 0 ? threads : undefined;
}

function createSession(model: Uint8Array | string, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  return typeof model === 'string' ? InferenceSession.create(model, options) : InferenceSession.create(model, options);
}

function sessionValue(value: InferenceSession.TensorValueMetadata): SessionValue {
  return { name: value.name, dtype: value.type, dims: value.shape };
}
