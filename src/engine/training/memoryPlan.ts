import { freemem } from 'node:os';
import type { TrainingConfig } from '../../shared/config';
import { RavlError } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { elementCount } from '../onnx/tensor';
import { staticGraph } from '../runtime/staticGraph';
import { trainingMemory } from './errors';
import type { Tower } from './tower';
import type { TrainingStep } from './trainingStep';

export interface MemoryPlan {
  /** Images in memory at once; the whole batch where it fits. */
  readonly microBatch: number;
  /** Bytes that a step is expected to need, weights and moments included, and the most it may. */
  readonly bytes: number;
  readonly budget: number;
}

/**
 * How many images of a batch are held at once. Expected of a step: weights, moments and gradients (5 float32 a parameter),
 * and for every image the values that its forward pass leaves for the backward pass, and the gradients in flight.
 * @param tower the image tower of one image with its regions
 */
export async function planMemory(tower: Tower, parameters: number, batch: number, { microBatch, memoryBudget }: Pick<TrainingConfig, 'microBatch' | 'memoryBudget'>): Promise<MemoryPlan> {
  const budget = memoryBudget === undefined ? freemem() / 2 : memoryBudget * 2 ** 20;
  const [fixed, each] = [20 * parameters, inFlight * (await activationBytes(tower))];
  const fits = Math.floor((budget - fixed) / each);
  // A power of two, so that a little more or less of free memory gives the same sums.
  const chosen = microBatch ?? (fits >= batch ? batch : 2 ** Math.floor(Math.log2(Math.max(1, fits))));
  const size = Math.min(chosen, batch);
  return { microBatch: size, bytes: fixed + each * size, budget };
}

/** Bytes of a whole step over bytes of all forward values: 0.47 to 0.56 as measured on three ViTs (docs/performance.md), for onnxruntime frees what no gradient reads. */
const inFlight = 0.75;

/** Operators whose output is a view of their input in onnxruntime. */
const views = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity']);

async function activationBytes({ proto, folder }: Tower): Promise<number> {
  const { proto: folded, shapes } = await staticGraph({ proto, folder }, {});
  const outputs = folded.graph.node.flatMap(({ opType, output }) => (views.has(opType) ? [] : output));
  return outputs.reduce((sum, name) => sum + 4 * (elementCount(shapes.get(name) ?? [0]) ?? 0), 0);
}

/**
 * A step that halves its micro-batch where memory runs out, says so, and makes the same step again.
 * Throws `runtime-out-of-memory` where not even one image fits.
 */
export function withFallback(first: TrainingStep, reopen: (microBatch: number) => Promise<TrainingStep>, report: Report): TrainingStep {
  let step: TrainingStep | undefined = first;
  let { microBatch } = first;
  return {
    get microBatch() {
      return microBatch;
    },
    async run(batch) {
      for (;;) {
        try {
          step ??= await reopen(microBatch);
          return await step.run(batch);
        } catch (error) {
          if (!isOutOfMemory(error)) throw error;
          if (microBatch === 1) throw trainingMemory(error);
          const half = Math.ceil(microBatch / 2);
          report({ type: 'note', level: 'warning', text: `Memory ran out with ${microBatch} images at once; going on with ${half}. The loss is still that of the whole batch.` });
          microBatch = half;
          await step?.release();
          step = undefined;
        }
      }
    },
    release: async () => step?.release(),
  };
}

/** onnxruntime's refusal, or V8's for an array that is too large. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RavlError ? error.code === 'runtime-out-of-memory' : error instanceof RangeError && /allocation failed/i.test(error.message);
}
