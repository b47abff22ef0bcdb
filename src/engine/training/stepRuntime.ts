/** Where training runs: onnxruntime on the device asked for, or TensorFlow; anything but the CPU has to prove itself first. */
import type { Device, TrainingConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { chooseDevice } from '../runtime/device';
import { tolerances } from '../runtime/parity';
import { openSession } from '../runtime/session';
import type { StepBatch, StepResult, StepRuntime, TrainingStep, Weight } from './trainingStep';

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
  const expected = await reference.run(batch);
  let step: TrainingStep | undefined;
  let fault: string;
  try {
    step = await open(chosen);
    const found = gradientDifference(expected, await step.run(batch), weights);
    if (found.relative <= tolerances.float32.relative) {
      await reference.release();
      return { step, runtime: { ...chosen, device: { ...chosen.device, maxDifference: found.relative } } };
    }
    fault = `computes other gradients than the CPU (those of "${found.name}" are off by ${Number((100 * found.relative).toPrecision(2))}%)`;
  } catch (error) {
    fault = `cannot run it (${error instanceof Error ? error.message.replace(/\.$/, '') : 'unknown error'})`;
  }
  await step?.release();
  report({ type: 'note', level: 'warning', text: `Training runs on the CPU: ${chosen.device.used} ${fault}.` });
  return { step: reference, runtime: { ...cpuRuntime, device: { ...chosen.device, used: 'cpu', reason: `${chosen.device.used} ${fault}` } } };
}

/**
 * Largest difference of a gradient, as a share of its tensor's largest value. Some gradients are 0 but for rounding (that of the
 * bias of a key, which softmax does not see): below a thousandth of the largest of all, differences count as shares of that.
 */
function gradientDifference(expected: StepResult, found: StepResult, weights: readonly Weight[]): { relative: number; name: string } {
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const floor = 1e-3 * Math.max(...expected.gradients.map(largest));
  let worst = { relative: 0, name: weights[0]?.name ?? '' };
  expected.gradients.forEach((gradient, w) => {
    const other = found.gradients[w]!;
    let apart = 0;
    for (let i = 0; i < gradient.length; i++) apart = Math.max(apart, Number.isFinite(other[i]!) ? Math.abs(gradient[i]! - other[i]!) : Infinity);
    const relative = apart === 0 ? 0 : apart / Math.max(largest(gradient), floor);
    if (relative > worst.relative) worst = { relative, name: weights[w]!.name };
  });
  return worst;
}
