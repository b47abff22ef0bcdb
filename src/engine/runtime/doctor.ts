/** What this machine can run, and why not the rest: one trial a device, nothing is kept. */
import { arch, availableParallelism, totalmem } from 'node:os';
import { RavlError } from '../../shared/errors';
import type * as device from './device';
import { tidy } from './errors';
import { loadTensorFlow, usesGpu } from './tensorflow/backend';
import { vulkanDrivers } from './vulkan';

export interface DeviceFinding {
  /** A device of onnxruntime, or `tensorflow`, the other runtime for training. */
  readonly name: string;
  readonly works: boolean;
  /** Why it does not work, or what to know of it where it does; empty where there is nothing to say. */
  readonly reason: string;
  /** What would make it work; empty where nothing is known to. */
  readonly hint: string;
}

export interface MachineReport {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cores: number;
  /** Bytes that this process may use in all, and that are free. */
  readonly memory: { readonly total: number; readonly free: number };
  readonly devices: readonly DeviceFinding[];
  /** What `device: auto` takes, and why; null where onnxruntime does not work at all. */
  readonly auto: { readonly device: string; readonly reason: string } | null;
}

/** What is asked of device.ts. It loads onnxruntime, and whether that works is the first question. */
type Devices = Pick<typeof device, 'chooseDevice' | 'probe'>;

/** Tries every device. What does not work is no error here but what it reports. */
export async function examineMachine(
  loadDevices: () => Promise<Devices> = () => import('./device'),
  load: typeof loadTensorFlow = loadTensorFlow,
): Promise<MachineReport> {
  const onnxruntime = await examineOnnxruntime(loadDevices);
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: arch(),
    cores: availableParallelism(),
    // A container may have less than the machine.
    memory: { total: Math.min(totalmem(), process.constrainedMemory() || Infinity), free: process.availableMemory() },
    devices: [...onnxruntime.devices, await examineTensorFlow(load)],
    auto: onnxruntime.auto,
  };
}

const devices = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;

async function examineOnnxruntime(load: () => Promise<Devices>): Promise<Pick<MachineReport, 'devices' | 'auto'>> {
  let loaded: Devices;
  try {
    loaded = await load();
  } catch (error) {
    const reason = `onnxruntime cannot be loaded: ${told(error)}`;
    return { devices: devices.map((name) => ({ name, works: false, reason, hint: '' })), auto: null };
  }
  const findings: DeviceFinding[] = [];
  for (const name of devices) {
    const fault = await loaded.probe(name).then(() => undefined, told);
    const reason = fault?.replace(`The device ${name} cannot be used: `, '') ?? remark(name);
    findings.push({ name, works: fault === undefined, reason, hint: '' });
  }
  return { devices: findings, auto: await loaded.chooseDevice('auto') };
}

/** The adapter of SwiftShader or Mesa's lavapipe computes on the CPU. */
function remark(device: string): string {
  const software = device === 'webgpu' && process.platform === 'linux' && vulkanDrivers() === 'software';
  return software ? 'on a software adapter, which is slower than the CPU' : '';
}

async function examineTensorFlow(load: typeof loadTensorFlow): Promise<DeviceFinding> {
  try {
    const tf = await load();
    const where = usesGpu(tf) ? 'on a GPU' : 'on the CPU: it found no GPU with CUDA 11.2 and cuDNN 8.1';
    return { name: 'tensorflow', works: true, reason: where, hint: '' };
  } catch (error) {
    return { name: 'tensorflow', works: false, reason: told(error), hint: error instanceof RavlError ? error.hint : '' };
  }
}

/** The sentence of an error, without its full stop. */
function told(error: unknown): string {
  return tidy(error instanceof Error ? error.message : String(error));
}
