import { listSupportedBackends } from 'onnxruntime-node';
import type { Device } from '../../shared/config';
import { RavlError } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { model, node, valueInfo } from '../onnx/build';
import { decodeModel, encodeModel } from '../onnx/model';
import { readModel } from '../onnx/readModel';
import { deviceUnavailable, tidy } from './errors';
import { difference, tolerances } from './parity';
import { openSession, type ExecutionDevice, type Feeds, type GraphSession, type SessionOptions } from './session';
import { usesFloat16 } from './staticGraph';
import { vulkanDrivers } from './vulkan';

/** What was asked for, what runs, and why. */
export interface DeviceChoice {
  readonly requested: Device;
  readonly used: ExecutionDevice;
  readonly reason: string;
  /** Largest difference to the CPU over the first batch, as a share of the largest value; null where nothing was compared. */
  readonly maxDifference: number | null;
}

/** `openSession`, or a stand-in for it. */
export type SessionOpener = typeof openSession;

/**
 * Opens a model on the device asked for and runs its first batch there and on the CPU. Where the two differ by more than
 * `tolerances`, or the device fails, the CPU takes over, and one warning says so: providers have kernels that are wrong
 * without an error. Nothing is compared where the CPU is the choice anyway.
 *
 * Throws RavlError `device-unavailable` where a device asked for by name is not there; `auto` takes the CPU then.
 */
export async function openCheckedSession(
  source: Uint8Array | string,
  requested: Device,
  feeds: Feeds,
  report: Report,
  options: Omit<SessionOptions, 'device'> = {},
  open: SessionOpener = openSession,
): Promise<{ session: GraphSession; device: DeviceChoice }> {
  const { device, reason } = await chooseDevice(requested, open);
  const cpu = await open(source, { ...options, device: 'cpu' });
  if (device === 'cpu') return { session: cpu, device: { requested, used: 'cpu', reason, maxDifference: null } };

  const tried = await tryDevice(cpu, await isHalf(source), () => open(source, { ...options, device }), feeds).catch(async (error: unknown) => {
    await cpu.release();
    throw error;
  });
  if (tried.session) {
    await cpu.release();
    return { session: tried.session, device: { requested, used: device, reason, maxDifference: tried.maxDifference } };
  }
  report({ type: 'note', level: 'warning', text: `${options.name ?? 'The model'} runs on the CPU: ${device} ${tried.fault}.` });
  return { session: cpu, device: { requested, used: 'cpu', reason: `${device} ${tried.fault}`, maxDifference: tried.maxDifference } };
}

/**
 * The device to run on, proven by a session of one node. `auto` takes the first that works of CUDA, DirectML (Windows),
 * Core ML (macOS), WebGPU and the CPU; it passes over WebGPU on a software adapter, which is slower than the CPU.
 * Throws RavlError `device-unavailable` for a device asked for by name that does not work.
 */
export async function chooseDevice(requested: Device, open: SessionOpener = openSession): Promise<{ device: ExecutionDevice; reason: string }> {
  if (requested !== 'auto') {
    if (requested !== 'cpu') await probe(requested, open);
    return { device: requested, reason: 'asked for in the config' };
  }
  for (const device of candidates()) {
    const works = await probe(device, open).then(
      () => true,
      () => false,
    );
    if (works) return { device, reason: 'the fastest device of this machine that works' };
  }
  const slow = process.platform === 'linux' && vulkanDrivers() === 'software';
  return { device: 'cpu', reason: slow ? 'the only other device is a software adapter for WebGPU, which is slower' : 'no other device that onnxruntime can use was found' };
}

function candidates(): ExecutionDevice[] {
  const built = new Set(listSupportedBackends().map(({ name }) => name));
  const blind = process.platform === 'linux' && vulkanDrivers() !== 'hardware';
  return (['cuda', 'dml', 'coreml', 'webgpu'] as const).filter((device) => built.has(device) && !(device === 'webgpu' && blind));
}

/** Opens a session of one node on a device. Throws RavlError `device-unavailable` where that does not work. */
export async function probe(device: ExecutionDevice, open: SessionOpener = openSession): Promise<void> {
  if (!listSupportedBackends().some(({ name }) => name === device)) throw deviceUnavailable(device, 'onnxruntime was built without it for this system');
  if (device === 'webgpu' && process.platform === 'linux' && vulkanDrivers() === 'none') throw deviceUnavailable(device, 'this machine has no Vulkan driver');
  try {
    const session = await open(oneNode(), { device });
    await session.release();
  } catch (error) {
    throw deviceUnavailable(device, unavailable(error), error);
  }
}

function unavailable(error: unknown): string {
  const cause = error instanceof RavlError && error.cause instanceof Error ? error.cause.message : String(error);
  if (/adapter/i.test(cause)) return 'no GPU adapter was found';
  if (/shared library|cannot open|dlopen/i.test(cause)) return 'its libraries are not installed';
  return tidy(cause);
}

/** The session of the device if it agrees with the CPU, else what is wrong with it. */
async function tryDevice(
  cpu: GraphSession,
  half: boolean,
  open: () => Promise<GraphSession>,
  feeds: Feeds,
): Promise<{ session?: GraphSession; fault: string; maxDifference: number | null }> {
  const reference = await cpu.run(feeds);
  let session: GraphSession | undefined;
  try {
    session = await open();
    const found = difference(reference, await session.run(feeds));
    const allowed = tolerances[half ? 'float16' : 'float32'];
    if (found.relative <= allowed.relative && found.cosine <= allowed.cosine) return { session, fault: '', maxDifference: found.relative };
    await session.release();
    const size = Number.isFinite(found.relative) ? `differ from the CPU's by ${Number((100 * found.relative).toPrecision(2))}%` : 'are not finite';
    return { fault: `gives wrong results (values of "${found.output}" ${size})`, maxDifference: Number.isFinite(found.relative) ? found.relative : null };
  } catch (error) {
    await session?.release();
    return { fault: `cannot run it (${error instanceof Error ? error.message.replace(/\.$/, '') : 'unknown error'})`, maxDifference: null };
  }
}

async function isHalf(source: Uint8Array | string): Promise<boolean> {
  return usesFloat16(typeof source === 'string' ? (await readModel(source)).proto : decodeModel(source));
}

function oneNode(): Uint8Array {
  return encodeModel(model({ nodes: [node('Relu', ['x'], ['y'])], inputs: [valueInfo('x', 'float32', [1])], outputs: [valueInfo('y', 'float32', [1])] }));
}
