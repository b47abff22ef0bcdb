import { describe, expect, it } from 'vitest';
import { examineMachine } from '../../../src/engine/runtime/doctor';
import { deviceUnavailable } from '../../../src/engine/runtime/errors';
import type { TensorFlow } from '../../../src/engine/runtime/tensorflow/operation';
import { RavlError } from '../../../src/shared/errors';

const noTensorFlow = () => Promise.reject(new RavlError('device-tensorflow-missing', 'It is not installed.', 'Install it.'));
const withBackend = (backend: object) => () => Promise.resolve({ backend: () => backend } as unknown as TensorFlow);

/** A machine with onnxruntime whose GPU devices all fail but one. */
const machine = (works: string) => () =>
  Promise.resolve({
    probe: (device: string) => (device === 'cpu' || device === works ? Promise.resolve() : Promise.reject(deviceUnavailable(device, 'its libraries are not installed'))),
    chooseDevice: () => Promise.resolve({ device: works as 'cuda', reason: 'the fastest device of this machine that works' }),
  });

describe('examineMachine', () => {
  it('tells this machine as it is', async () => {
    const report = await examineMachine();
    expect(report).toMatchObject({ node: process.versions.node, platform: process.platform, arch: process.arch });
    expect(report.cores).toBeGreaterThan(0);
    expect(report.memory.free).toBeGreaterThan(0);
    expect(report.memory.total).toBeGreaterThan(report.memory.free);
    expect(report.devices.map(({ name }) => name)).toEqual(['cpu', 'webgpu', 'cuda', 'dml', 'coreml', 'tensorflow']);
    expect(report.devices[0]).toMatchObject({ works: true });
    // No system has all three.
    const foreign = report.devices.filter(({ name, works }) => ['cuda', 'dml', 'coreml'].includes(name) && !works);
    expect(foreign.length).toBeGreaterThan(0);
    for (const { reason } of foreign) expect(reason).not.toMatch(/^The device|\.$|^$/);
    expect(report.devices.find(({ name }) => name === report.auto!.device)).toMatchObject({ works: true });
  });

  it('says of each device whether it works, and why not', async () => {
    const { devices, auto } = await examineMachine(machine('cuda'), noTensorFlow);
    expect(devices).toEqual([
      { name: 'cpu', works: true, reason: '', hint: '' },
      { name: 'webgpu', works: false, reason: 'its libraries are not installed', hint: '' },
      { name: 'cuda', works: true, reason: '', hint: '' },
      { name: 'dml', works: false, reason: 'its libraries are not installed', hint: '' },
      { name: 'coreml', works: false, reason: 'its libraries are not installed', hint: '' },
      { name: 'tensorflow', works: false, reason: 'It is not installed', hint: 'Install it.' },
    ]);
    expect(auto).toEqual({ device: 'cuda', reason: 'the fastest device of this machine that works' });
  });

  it('says whether TensorFlow has a GPU', async () => {
    const last = async (backend: object) => (await examineMachine(machine('cpu'), withBackend(backend))).devices.at(-1);
    expect(await last({ isUsingGpuDevice: true })).toMatchObject({ works: true, reason: 'on a GPU' });
    expect(await last({ isUsingGpuDevice: false })).toMatchObject({ works: true, reason: expect.stringContaining('on the CPU') as string });
  });

  it('reports an onnxruntime that cannot be loaded, and goes on', async () => {
    const broken = () => Promise.reject(new Error("libonnxruntime.so.1: cannot open shared object file: No such file '/home/a/x.so'"));
    const { devices, auto } = await examineMachine(broken, withBackend({ isUsingGpuDevice: true }));
    expect(auto).toBeNull();
    expect(devices.slice(0, -1).every(({ works, reason }) => !works && reason.startsWith('onnxruntime cannot be loaded: libonnxruntime.so.1') && !reason.includes('/home'))).toBe(true);
    expect(devices.at(-1)).toMatchObject({ name: 'tensorflow', works: true });
  });
});
