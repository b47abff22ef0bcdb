/**
 * The arithmetic of the optimizers. Weights and moments lie in one WebAssembly memory, where SIMD instructions update four
 * values at a time; JavaScript has no SIMD, and its loop takes several times as long. Gradients come from outside that
 * memory and are copied through a block at its start, small enough for the processor's cache.
 *
 * The plain kernel does the same with ordinary loops. It is the reference that tests compare the fast one with, takes the
 * last one to three values of a parameter, and stands in where a memory of 4 GiB, WebAssembly's limit, does not suffice.
 */
import { instantiate, type Memory, type SimdFunctions } from './optimizerSimd';

export interface OptimizerKernel {
  /** [values] all parameters, one after the other. */
  readonly weights: Float32Array;
  /** [values] first moments, or the momentum of SGD. */
  readonly m: Float32Array;
  /** [values] second moments; empty for SGD. */
  readonly v: Float32Array;
  /** Sum of the squares of a gradient, in float64. */
  squares(gradient: Float32Array): number;
  /** Updates the values from `at` on, as many as the gradient has. */
  adamw(at: number, gradient: Float32Array, factors: AdamWFactors): void;
  sgd(at: number, gradient: Float32Array, factors: SgdFactors): void;
}

export interface AdamWFactors {
  /** On the gradient, from clipping. */
  readonly scale: number;
  readonly beta1: number;
  readonly beta2: number;
  /** What the decay leaves of a weight: 1 - learning rate · weight decay. */
  readonly keep: number;
  /** Learning rate over the bias correction of the first moment. */
  readonly stepSize: number;
  /** On the root of the second moment: its bias correction. */
  readonly correction: number;
  readonly epsilon: number;
}

export interface SgdFactors {
  readonly scale: number;
  readonly weightDecay: number;
  readonly momentum: number;
  readonly learningRate: number;
}

/** A kernel for so many values, fast where they fit, with zeros in all columns; `moments` 2 for AdamW, 1 for SGD. */
export function openKernel(values: number, moments: 1 | 2): OptimizerKernel {
  const memory = wasmMemory(scratchBytes + (1 + moments) * columnBytes(values));
  return memory ? wasmKernel(memory.buffer, instantiate(memory), values, moments) : plainKernel(values, moments);
}

/** The same with ordinary loops, over arrays of its own. */
export function plainKernel(values: number, moments: 1 | 2): OptimizerKernel {
  const columns = { weights: new Float32Array(values), m: new Float32Array(values), v: new Float32Array(moments === 2 ? values : 0) };
  return { ...columns, ...plainLoops(columns) };
}

function plainLoops({ weights, m, v }: Pick<OptimizerKernel, 'weights' | 'm' | 'v'>): Pick<OptimizerKernel, 'squares' | 'adamw' | 'sgd'> {
  return {
    squares(gradient) {
      let sum = 0;
      for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
      return sum;
    },
    adamw(at, gradient, { scale, beta1, beta2, keep, stepSize, correction, epsilon }) {
      for (let i = 0, j = at; i < gradient.length; i++, j++) {
        const g = scale * gradient[i]!;
        m[j] = beta1 * m[j]! + (1 - beta1) * g;
        v[j] = beta2 * v[j]! + (1 - beta2) * g * g;
        weights[j] = keep * weights[j]! - (stepSize * m[j]!) / (Math.sqrt(v[j]!) * correction + epsilon);
      }
    },
    sgd(at, gradient, { scale, weightDecay, momentum, learningRate }) {
      for (let i = 0, j = at; i < gradient.length; i++, j++) {
        m[j] = momentum * m[j]! + (scale * gradient[i]! + weightDecay * weights[j]!);
        weights[j] = weights[j]! - learningRate * m[j]!;
      }
    },
  };
}

/** Gradient values in one block. */
const blockValues = 16_384;
const scratchBytes = blockValues * 4;

/** Columns start at multiples of 16 bytes. */
const columnBytes = (values: number) => Math.ceil(values / 4) * 16;

/** undefined where so much does not fit into one memory, or the system does not give it. */
function wasmMemory(bytes: number): Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / 65_536) });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function wasmKernel(buffer: ArrayBuffer, kernel: SimdFunctions, values: number, moments: 1 | 2): OptimizerKernel {
  const column = (index: number) => new Float32Array(buffer, scratchBytes + index * columnBytes(values), values);
  const columns = { weights: column(0), m: column(1), v: moments === 2 ? column(2) : new Float32Array(0) };
  const scratch = new Float32Array(buffer, 0, blockValues);
  const address = (data: Float32Array, at: number) => data.byteOffset + 4 * at;
  const plain = plainLoops(columns);

  /** Whole fours of a gradient block by block; what is left over is handed back. */
  const inBlocks = (gradient: Float32Array, update: (first: number, bytes: number) => void): number => {
    const whole = gradient.length - (gradient.length % 4);
    for (let first = 0; first < whole; first += blockValues) {
      const end = Math.min(whole, first + blockValues);
      scratch.set(gradient.subarray(first, end));
      update(first, 4 * (end - first));
    }
    return whole;
  };
  return {
    ...columns,
    squares(gradient) {
      let sum = 0;
      const done = inBlocks(gradient, (_, bytes) => (sum += kernel.squares(bytes)));
      return sum + plain.squares(gradient.subarray(done));
    },
    adamw(at, gradient, factors) {
      const { scale, beta1, beta2, keep, stepSize, correction, epsilon } = factors;
      const done = inBlocks(gradient, (first, bytes) => {
        const [w, m, v] = [address(columns.weights, at + first), address(columns.m, at + first), address(columns.v, at + first)];
        kernel.adamw(bytes, w, m, v, scale, beta1, 1 - beta1, beta2, 1 - beta2, keep, stepSize, correction, epsilon);
      });
      plain.adamw(at + done, gradient.subarray(done), factors);
    },
    sgd(at, gradient, factors) {
      const { scale, weightDecay, momentum, learningRate } = factors;
      const done = inBlocks(gradient, (first, bytes) => {
        kernel.sgd(bytes, address(columns.weights, at + first), address(columns.m, at + first), scale, weightDecay, momentum, learningRate);
      });
      plain.sgd(at + done, gradient.subarray(done), factors);
    },
  };
}

/** The one name of the WebAssembly JavaScript interface used here; TypeScript keeps them with the browser's. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => Memory };
