/** Where training runs: onnxruntime on the device asked for, or TensorFlow; anything but the CPU has to prove itself first. */
import type { Device, TrainingConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { chooseDevice } from '../runtime/device';
import { difference, tolerances } from '../runtime/parity';
import { openSession, Tensor } from '../runtime/session';
import type { StepBatch, StepRuntime, TrainingStep, Weight } from './trainingStep';

export interface ChosenRuntime extends StepRuntime {
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string; readonly maxDifference: number | null };
}

export const cpuRuntime: StepRuntime = { lowering: 'cpu', open: (model, options) => openSession(model, { ...options, device: 'cpu' }) };

/** Throws RavlError `device-unavailable` where what was asked for by name is not there. */
export async function chooseRuntime({ runtime }: Pick<TrainingConfig, 'runtime'>, requested: Device): Promise<ChosenRuntime> {
  if (runtime === 'tensorflow') {
    const [{ loadTensorFlow }, { openTensorFlowSession }] = await Promise.all([import('../runtime/tensorflow/backend'), import('../runtime/tensorflow/session')]);
    const tf = await loadTensorFlow();
    return {
      lowering: 'webgpu',
      open: (model, options) => openTensorFlowSession(model, tf, options),
      device: { requested: 'tensorflow', used: 'tensorflow', reason: 'asked for in the config', maxDifference: null },
    };
  }
  const { device, reason } = await chooseDevice(requested);
  return {
    lowering: device === 'cpu' ? 'cpu' : 'webgpu',
    open: (model, options) => openSession(model, { ...options, device }),
    device: { requested, used: device, reason, maxDifference: null },
  };
}

/**
 * The parity gate: one step on the CPU and one where training is to run, on the same batch. Where the gradients differ by more than
 * `tolerances`, or the step fails there, the CPU takes over and a warning says why: providers have kernels that are wrong without
 * an error. Nothing is compared on the CPU itself.
 */
export async function openProven(
  chosen: ChosenRuntime,
  open: (runtime: StepRuntime) => Promise<TrainingStep>,
  first: () => Promise<StepBatch>,
  weights: readonly Weight[],
  report: Report,
): Promise<{ step: TrainingStep; runtime: ChosenRuntime }> {
  if (chosen.device.used === 'cpu') return { step: await open(chosen), runtime: chosen };
  const reference = await open(cpuRuntime);
  const batch = await first();
  const expected = asTensors(await reference.run(batch), weights);
  let step: TrainingStep | undefined;
  let fault: string;
  try {
    step = await open(chosen);
    const found = difference(expected, asTensors(await step.run(batch), weights));
    if (found.relative <= tolerances.float32.relative) {
      await reference.release();
      return { step, runtime: { ...chosen, device: { ...chosen.device, maxDifference: found.relative } } };
    }
    fault = `computes other gradients than the CPU (those of "${found.output}" are off by ${Number((100 * found.relative).toPrecision(2))}%)`;
  } catch (error) {
    fault = `cannot run it (${error instanceof Error ? error.message.replace(/\.$/, '') : 'unknown error'})`;
  }
  await step?.release();
  report({ type: 'note', level: 'warning', text: `Training runs on the CPU: ${chosen.device.used} ${fault}.` });
  return { step: reference, runtime: { ...cpuRuntime, device: { ...chosen.device, used: 'cpu', reason: `${chosen.device.used} ${fault}` } } };
}

function asTensors({ gradients, loss }: Awaited<ReturnType<TrainingStep['run']>>, weights: readonly Weight[]): Record<string, Tensor> {
  const entries = weights.map(({ name, dims }, i) => [name, new Tensor('float32', gradients[i]!, dims)] as const);
  return { ...Object.fromEntries(entries), loss: new Tensor('float32', Float32Array.of(loss), [1]) };
}
