import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { convNet, groupedConv, transformer, values } from './nets';

/** SwiftShader computes Vulkan on the CPU; Debian's chromium-common ships it with the loader that finds it. */
const driver = ['/usr/lib/chromium/libvk_swiftshader.so', '/opt/google/chrome/libvk_swiftshader.so'].find((file) => existsSync(file));
if (!driver) console.warn('Skipped: WebGPU is not tested, as SwiftShader is not here (Debian: apt-get install chromium-common).');

interface Result {
  readonly requested: string;
  readonly used: string;
  readonly reason: string;
  readonly maxDifference: number;
  readonly notes: readonly string[];
  readonly values: readonly number[];
}

describe.skipIf(!driver)('WebGPU', () => {
  let results: { auto: string } & Record<'convNet' | 'transformer' | 'groupedConv', Result>;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ravl-webgpu-'));
    const manifest = join(folder, 'vk_swiftshader_icd.json');
    await writeFile(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: driver, api_version: '1.1' } }));
    const child = fileURLToPath(new URL('./webgpuChild.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child], {
      env: { ...process.env, LD_LIBRARY_PATH: dirname(driver!), VK_DRIVER_FILES: manifest },
    });
    results = JSON.parse(stdout) as typeof results;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each<['convNet' | 'transformer', () => ModelProto, number[]]>([
    ['convNet', convNet, [2, 3, 16, 16]],
    ['transformer', transformer, [2, 6, 16]],
  ])('gives a %s the values of the CPU', async (name, build, dims) => {
    const { used, maxDifference, notes, values: found } = results[name];
    expect({ used, notes }).toEqual({ used: 'webgpu', notes: [] });
    expect(maxDifference).toBeLessThan(1e-3);
    const session = await openSession(encodeModel(build()));
    const { y } = await session.run({ x: new Tensor('float32', values(dims.reduce((a, b) => a * b), 5), dims) });
    await session.release();
    expect(found).toHaveLength(y!.data.length);
    found.forEach((value, i) => expect(Math.abs(value - (y!.data as Float32Array)[i]!)).toBeLessThan(1e-3));
  });

  it('falls back to the CPU for a convolution that it computes wrongly', async () => {
    const { used, notes, values: found } = results.groupedConv;
    // Where a later onnxruntime mends the kernel, WebGPU may stay; the values have to be right either way.
    if (used === 'cpu') expect(notes).toEqual([expect.stringMatching(/^The model runs on the CPU: webgpu gives wrong results/)]);
    const input = values(4 * 8 * 8, 5);
    const weights = groupedConv().graph.initializer[0]!.rawData!;
    const w = new Float32Array(weights.buffer, weights.byteOffset, 36 * 9);
    const pixel = (c: number, i: number, j: number) => (i < 0 || j < 0 || i > 7 || j > 7 ? 0 : input[c * 64 + i * 8 + j]!);
    found.forEach((value, at) => {
      const [channel, i, j] = [Math.floor(at / 64), Math.floor((at % 64) / 8), at % 8];
      let expected = 0;
      for (let k = 0; k < 9; k++) expected += w[channel * 9 + k]! * pixel(Math.floor(channel / 9), i + Math.floor(k / 3) - 1, j + (k % 3) - 1);
      expect(value).toBeCloseTo(expected, 4);
    });
  });

  it('is passed over by auto, as a software adapter is slower than the CPU', () => {
    expect(results.auto).toBe('cpu');
  });
});
