import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { node } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import { chooseDevice, openCheckedSession, type SessionOpener } from '../../../src/engine/runtime/device';
import { deviceUnavailable, nodeFailed } from '../../../src/engine/runtime/errors';
import { difference } from '../../../src/engine/runtime/parity';
import { openSession, Tensor, type GraphSession } from '../../../src/engine/runtime/session';
import { vulkanDrivers } from '../../../src/engine/runtime/vulkan';
import type { ProgressEvent } from '../../../src/shared/progress';
import { convNet, values } from './nets';

const model = encodeModel(convNet());
const feeds = { x: new Tensor('float32', values(2 * 3 * 16 * 16, 5), [2, 3, 16, 16]) };

/** Stands in for onnxruntime on a machine with WebGPU: the CPU computes, and `change` is what the device does to it. */
function opener(change: (values: Float32Array) => void) {
  const open = new Set<GraphSession>();
  const fake: SessionOpener = async (source, options = {}) => {
    const session = await openSession(source, { ...options, device: 'cpu' });
    const device = options.device ?? 'cpu';
    const wrapped: GraphSession = {
      ...session,
      device,
      async run(given) {
        const outputs = await session.run(given);
        if (device !== 'cpu') for (const { data } of Object.values(outputs)) change(data as Float32Array);
        return outputs;
      },
      async release() {
        open.delete(wrapped);
        await session.release();
      },
    };
    open.add(wrapped);
    return wrapped;
  };
  return { fake, open };
}

async function checked(change: (values: Float32Array) => void) {
  const notes: ProgressEvent[] = [];
  const { fake, open } = opener(change);
  process.env.VK_DRIVER_FILES = '/nowhere/vk_swiftshader_icd.json';
  const opened = await openCheckedSession(model, 'webgpu', feeds, (event) => notes.push(event), { name: 'The image encoder' }, fake);
  expect([...open]).toEqual([opened.session]);
  await opened.session.release();
  return { ...opened, notes };
}

const named = process.env.VK_DRIVER_FILES;
afterEach(() => {
  if (named === undefined) delete process.env.VK_DRIVER_FILES;
  else process.env.VK_DRIVER_FILES = named;
});

// WebGPU is asked for by name here, and its driver is looked for on Linux only.
describe.skipIf(process.platform !== 'linux')('openCheckedSession', () => {
  it('keeps a device that rounds differently', async () => {
    const { session, device, notes } = await checked((data) => data.forEach((value, i) => (data[i] = value * (1 + 1e-5))));
    expect(session.device).toBe('webgpu');
    expect(device).toMatchObject({ requested: 'webgpu', used: 'webgpu' });
    expect(device.maxDifference).toBeGreaterThan(5e-6);
    expect(device.maxDifference).toBeLessThan(2e-5);
    expect(notes).toEqual([]);
  });

  it.each<[string, (data: Float32Array) => void, RegExp]>([
    ['wrong values', (data) => data.reverse(), /wrong results.*"y" differ from the CPU's by \d/],
    ['one wrong value', (data) => (data[3]! += 1), /wrong results/],
    ['values that are not finite', (data) => (data[0] = NaN), /"y" are not finite/],
    ['all zeros', (data) => data.fill(0), /differ from the CPU's by 100%/],
  ])('falls back to the CPU with one sentence for %s', async (_, change, words) => {
    const { session, device, notes } = await checked((data) => void change(data));
    expect(session.device).toBe('cpu');
    expect(device).toMatchObject({ requested: 'webgpu', used: 'cpu', reason: expect.stringMatching(words) });
    expect(notes).toEqual([{ type: 'note', level: 'warning', text: expect.stringMatching(/^The image encoder runs on the CPU: webgpu [^\n]*\.$/) }]);
  });

  it('falls back when the device fails at its first batch', async () => {
    const { device } = await checked(() => {
      throw nodeFailed('the model', 'Conv', 'c1', 'the device was lost', undefined);
    });
    expect(device).toMatchObject({ used: 'cpu', reason: expect.stringContaining('the device was lost'), maxDifference: null });
  });

  it('reports the error of the model itself, not of the device', async () => {
    const broken = convNet();
    broken.graph.node.push(node('Swirl', ['y'], ['z']));
    const { fake } = opener(() => undefined);
    process.env.VK_DRIVER_FILES = '/nowhere/vk_swiftshader_icd.json';
    await expect(openCheckedSession(encodeModel(broken), 'webgpu', feeds, () => undefined, {}, fake)).rejects.toThrow(
      expect.objectContaining({ code: 'runtime-operator-unknown' }),
    );
  });

  it('compares nothing where the CPU is asked for', async () => {
    const { session, device } = await openCheckedSession(model, 'cpu', feeds, () => undefined);
    expect(device).toEqual({ requested: 'cpu', used: 'cpu', reason: 'asked for in the config', maxDifference: null });
    await session.release();
  });
});

describe('chooseDevice', () => {
  it('takes the CPU where nothing else works, and refuses what was asked for by name', async () => {
    const none: SessionOpener = (_, { device } = {}) => Promise.reject(deviceUnavailable(device!, 'there is none'));
    expect(await chooseDevice('auto', none)).toMatchObject({ device: 'cpu' });
    await expect(chooseDevice('cuda', none)).rejects.toThrow(expect.objectContaining({ code: 'device-unavailable' }));
    const other = process.platform === 'win32' ? 'coreml' : 'dml';
    await expect(chooseDevice(other)).rejects.toThrow(expect.objectContaining({ code: 'device-unavailable', message: expect.stringContaining(other) }));
  });
});

describe('vulkanDrivers', () => {
  it('tells no driver and software drivers from a GPU', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ravl-vulkan-'));
    await mkdir(join(folder, 'vulkan/icd.d'), { recursive: true });
    await writeFile(join(folder, 'vulkan/icd.d/lvp_icd.x86_64.json'), '{}');
    expect(vulkanDrivers({ VK_DRIVER_FILES: join(folder, 'nothing') })).toBe('none');
    expect(vulkanDrivers({ VK_DRIVER_FILES: '/a/vk_swiftshader_icd.json:/b/lvp_icd.json' })).toBe('software');
    expect(vulkanDrivers({ XDG_DATA_HOME: folder, XDG_DATA_DIRS: '/nowhere' })).not.toBe('none');
    await rm(folder, { recursive: true });
  });
});

describe('difference', () => {
  const float = (...data: number[]) => new Tensor('float32', Float32Array.from(data), [1, data.length]);

  it('measures against the largest value, and rows by their angle', () => {
    expect(difference({ y: float(0, 10) }, { y: float(1, 10) })).toEqual({ output: 'y', relative: 0.1, cosine: expect.closeTo(1 - 10 / Math.sqrt(101), 7) });
    expect(difference({ y: float(3, 4) }, { y: float(6, 8) }).cosine).toBeCloseTo(0, 7);
    expect(difference({ y: float(0, 0) }, { y: float(0, 0) })).toMatchObject({ relative: 0, cosine: 0 });
    expect(difference({ y: float(0, 0) }, { y: float(0, 1) })).toMatchObject({ relative: Infinity, cosine: 1 });
  });

  it('reads half precision and compares integers exactly', () => {
    const half = (...bits: number[]) => new Tensor('float16', Uint16Array.from(bits), [1, bits.length]);
    expect(difference({ y: half(0x3c00, 0x4000) }, { y: half(0x3c00, 0x3c00) }).relative).toBe(0.5);
    const whole = (value: number) => new Tensor('int32', Int32Array.of(value), [1]);
    expect(difference({ y: whole(3) }, { y: whole(3) }).relative).toBe(0);
    expect(difference({ y: whole(3) }, { y: whole(4) }).relative).toBe(Infinity);
  });

  it('takes a missing or misshapen output as wrong, and what is not finite on both sides as equal', () => {
    expect(difference({ y: float(1) }, {}).relative).toBe(Infinity);
    expect(difference({ y: float(1) }, { y: float(1, 2) }).relative).toBe(Infinity);
    expect(difference({ y: float(NaN, 1) }, { y: float(NaN, 1) })).toMatchObject({ relative: 0, cosine: 0 });
  });
});
