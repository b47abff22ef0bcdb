/**
 * AdamW and SGD over all trained weights. The weights live in the kernel's memory, which onnxruntime reads directly, so a
 * step moves nothing but the gradients.
 *
 * AdamW as in Loshchilov & Hutter (2019, arXiv 1711.05101), with decoupled weight decay and bias correction; SGD as PyTorch's,
 * where the decay is part of the gradient and the momentum is not damped.
 */
import type { TrainingConfig } from '../../shared/config';
import { openKernel, type OptimizerKernel } from './optimizerKernel';

interface Parameter {
  readonly name: string;
  /** The values to start from; copied. */
  readonly data: Float32Array;
  /** Whether weight decay applies. */
  readonly decay: boolean;
}

/** What a step depends on beside the gradients. The columns hold all parameters one after the other, in the order given. */
export interface OptimizerState {
  readonly steps: number;
  readonly weights: Float32Array;
  /** First moments; the momentum of SGD. */
  readonly m: Float32Array;
  /** Second moments; empty for SGD. */
  readonly v: Float32Array;
}

export interface Optimizer {
  /** The current values of the parameters: views into the kernel's memory, the same for the optimizer's life. */
  readonly weights: readonly Float32Array[];
  /**
   * One step. `norm` is that of all gradients together, before clipping; where it is not finite, nothing has changed.
   * @param gradients in the order of the parameters, each as long as its parameter
   */
  step(gradients: readonly Float32Array[], learningRate: number): { readonly norm: number };
  /** Views, not copies: the next step changes them. */
  snapshot(): OptimizerState;
  restore(state: OptimizerState): void;
}

export type OptimizerConfig = Pick<TrainingConfig, 'optimizer' | 'weightDecay' | 'betas' | 'momentum' | 'clipNorm'>;

/** @param open the kernel; the fast one unless told */
export function openOptimizer(config: OptimizerConfig, parameters: readonly Parameter[], open = openKernel): Optimizer {
  const starts: number[] = [];
  // The values as they were read are not kept: a second copy of all weights.
  const decays = parameters.map(({ decay }) => decay);
  let values = 0;
  for (const { data } of parameters) {
    starts.push(values);
    values += data.length;
  }
  const kernel = open(values, config.optimizer === 'adamw' ? 2 : 1);
  const update = config.optimizer === 'adamw' ? adamw(config, kernel) : sgd(config, kernel);
  parameters.forEach(({ data }, index) => kernel.weights.set(data, starts[index]));
  let steps = 0;
  return {
    weights: parameters.map(({ data }, index) => kernel.weights.subarray(starts[index]!, starts[index]! + data.length)),
    step(gradients, learningRate) {
      const norm = Math.sqrt(gradients.reduce((sum, gradient) => sum + kernel.squares(gradient), 0));
      if (!Number.isFinite(norm)) return { norm };
      steps += 1;
      const { clipNorm } = config;
      const scale = clipNorm !== undefined && norm > clipNorm ? clipNorm / norm : 1;
      const one = update(steps, learningRate, scale);
      gradients.forEach((gradient, index) => one(starts[index]!, gradient, decays[index]!));
      return { norm };
    },
    snapshot: () => ({ steps, weights: kernel.weights, m: kernel.m, v: kernel.v }),
    restore(state) {
      for (const column of ['weights', 'm', 'v'] as const) kernel[column].set(state[column]);
      steps = state.steps;
    },
  };
}

type Update = (step: number, learningRate: number, scale: number) => (at: number, gradient: Float32Array, decay: boolean) => void;

function adamw({ weightDecay, betas: [beta1, beta2] }: OptimizerConfig, kernel: OptimizerKernel): Update {
  return (step, learningRate, scale) => {
    const stepSize = learningRate / (1 - beta1 ** step);
    const correction = 1 / Math.sqrt(1 - beta2 ** step);
    const factors = { scale, beta1, beta2, stepSize, correction, epsilon: 1e-8 };
    return (at, gradient, decay) => kernel.adamw(at, gradient, { ...factors, keep: decay ? 1 - learningRate * weightDecay : 1 });
  };
}

function sgd({ weightDecay, momentum }: OptimizerConfig, kernel: OptimizerKernel): Update {
  return (_, learningRate, scale) => (at, gradient, decay) =>
    kernel.sgd(at, gradient, { scale, momentum, learningRate, weightDecay: decay ? weightDecay : 0 });
}
