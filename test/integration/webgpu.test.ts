/** The same findings on another device, and plain words where there is none. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePlantedClip, writePlantedDataset } from '../fixtures/plantedClip';
import { newestFindings, ravl, runFolders, runJson, temporaryFolder } from './ravl';

/** SwiftShader computes Vulkan on the CPU; Debian's chromium-common ships it with the loader that finds it. */
const driver = ['/usr/lib/chromium/libvk_swiftshader.so', '/opt/google/chrome/libvk_swiftshader.so'].find((file) => existsSync(file));
if (!driver) console.warn('Skipped: WebGPU is not tested, as SwiftShader is not here (Debian: apt-get install chromium-common).');

const folder = temporaryFolder();

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  await writePlantedDataset(join(folder, 'data'), { images: 96, seed: 17 });
  await writeFile(join(folder, 'words.txt'), 'red\ngreen\nblue\nblack\n');
  await writeFile(join(folder, 'ravl.yaml'), 'checkpoint: clip\ndata: { validation: data/validation.csv }\ndiscovery: { vocabulary: words.txt }\n');
});

async function analyzed(device: string, env: NodeJS.ProcessEnv, ...args: string[]) {
  const root = join(folder, [device, ...args].join(' '));
  const { code, stdout, stderr } = await ravl(['analyze', 'ravl.yaml', '--device', device, '--out', root, ...args], folder, env);
  expect({ code, error: code === 0 ? '' : stderr }).toEqual({ code: 0, error: '' });
  const run = await runJson((await runFolders(root))[0]!);
  return { stdout, stderr, run, findings: (await newestFindings(root)).findings };
}

describe.skipIf(!driver)('SwiftShader', () => {
  const env: NodeJS.ProcessEnv = {};
  beforeAll(async () => {
    const manifest = join(folder, 'vk_swiftshader_icd.json');
    await writeFile(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: driver, api_version: '1.1' } }));
    Object.assign(env, { LD_LIBRARY_PATH: dirname(driver!), VK_DRIVER_FILES: manifest });
  });

  it.each(['crop', 'roi-align'])('runs %s on WebGPU with the findings of the CPU', async (mode) => {
    const cpu = await analyzed('cpu', {}, '--mode', mode);
    const webgpu = await analyzed('webgpu', env, '--mode', mode);
    expect(webgpu.stderr).not.toContain('Warning');
    expect(webgpu.stdout).toContain('on webgpu');
    expect(webgpu.run.device).toEqual({ requested: 'webgpu', used: 'webgpu', reason: expect.any(String) as string, maxDifference: expect.any(Number) as number });
    expect((webgpu.run.device as { maxDifference: number }).maxDifference).toBeLessThan(1e-2);
    expect(cpu.run.device).toMatchObject({ used: 'cpu', maxDifference: null });

    const facts = ({ findings }: typeof cpu) => findings.findings.filter(({ flagged }) => flagged).map(({ name, attribute, classes, support, size }) => ({ name, attribute, classes, support, size }));
    expect(facts(webgpu)).toEqual(facts(cpu));
    expect(facts(cpu)).toMatchObject([{ name: ['red', expect.any(String), expect.any(String)], attribute: 'nine' }]);
    expect(webgpu.findings.accuracy).toEqual(cpu.findings.accuracy);
  });

  it("makes the same training step as the CPU, through WebGPU's own lowerings", async () => {
    const child = join(import.meta.dirname, '..', 'fixtures', 'stepChild.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child], { env: { ...process.env, ...env } });
    const results = JSON.parse(stdout) as Record<'sample' | 'vit', { device: unknown; notes: string[]; worst: number; loss: number; expected: number }>;
    for (const { device, notes, worst, loss, expected } of Object.values(results)) {
      expect(notes).toEqual([]);
      expect(device).toMatchObject({ requested: 'webgpu', used: 'webgpu' });
      expect(worst).toBeLessThan(1e-4);
      expect(loss).toBeCloseTo(expected, 4);
    }
  });

  it('is passed over by auto, which says what it runs on and why', async () => {
    const { run, stdout } = await analyzed('auto', { ...env, CUDA_VISIBLE_DEVICES: '' });
    expect(run.device).toMatchObject({ requested: 'auto', used: 'cpu', reason: expect.stringMatching(/software adapter/) as string });
    expect(stdout).toContain('on cpu');
  });
});

describe('a device that is not there', () => {
  // No manifest, no card: as on a machine without any Vulkan driver or NVIDIA device.
  const none = { VK_DRIVER_FILES: '/nowhere', CUDA_VISIBLE_DEVICES: '' };
  const foreign = process.platform === 'darwin' ? 'dml' : 'coreml';

  it.each(process.platform === 'linux' ? ['cuda', 'webgpu', foreign] : ['cuda', foreign])('%s is refused in one sentence', async (device) => {
    const { code, stdout, stderr } = await ravl(['analyze', 'ravl.yaml', '--device', device, '--out', 'none'], folder, none);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^Error: The device ${device} cannot be used: .{5,120}\\.\\n {2}Use device: auto or device: cpu\\.\\n$`));
  });
});
