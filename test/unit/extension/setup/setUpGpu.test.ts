import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gpuPackages } from '../../../../src/extension/setup/gpuPackages';
import { findNpm } from '../../../../src/extension/setup/installPackage';
import { setUpGpu } from '../../../../src/extension/setup/setUpGpu';
import type { ProcessExecution, Task } from '../../../fixtures/fakeVscode';
import { fake, tasks } from '../../../fixtures/fakeVscode';

const versions = { dependencies: { 'onnxruntime-node': '1.30.0' }, optionalDependencies: { '@tensorflow/tfjs-node-gpu': '4.22.0' } };
const cudaBinary = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so';
const machine = {
  node: '20.20.0', platform: 'linux', arch: 'x64', cores: 8, memory: { total: 1, free: 1 }, auto: { device: 'cpu', reason: 'no other device was found' },
  devices: [
    { name: 'cpu', works: true, reason: '', hint: '' },
    { name: 'cuda', works: false, reason: 'its libraries are not installed', hint: '' },
    { name: 'tensorflow', works: false, reason: 'it is not installed', hint: '' },
  ],
};

let root: string;
let gpu: string;
let searchPath: string | undefined;
let report: typeof machine;
beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-gpu-'));
  gpu = join(`${root}/extension-storage`, 'gpu');
  report = machine;
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin/npm'), '');
  searchPath = process.env['PATH'];
  process.env['PATH'] = `${join(root, 'nowhere')}${delimiter}${join(root, 'bin')}`;
});
afterEach(() => {
  process.env['PATH'] = searchPath;
  rmSync(root, { recursive: true });
});

function run(): Promise<void> {
  const extension = { ...fake.extensionContext(`${root}/extension`), extension: { id: 'ravl.ravl', packageJSON: versions } };
  return setUpGpu({ viewer: { api: { doctor: () => Promise.resolve(report) } }, extension } as never);
}

/** npm, which leaves these files and ends with this exit code (undefined: its process never started) once its task was started. */
function npm(code: number | undefined, ...files: string[]): void {
  const execute = tasks.executeTask;
  tasks.executeTask = async (task: Task) => {
    tasks.executeTask = execute;
    const execution = await execute(task);
    for (const file of files) {
      mkdirSync(dirname(join(gpu, file)), { recursive: true });
      writeFileSync(join(gpu, file), '');
    }
    if (code !== undefined) fake.emitters.endTaskProcess.fire({ execution, exitCode: code });
    fake.emitters.endTask.fire({ execution });
    return execution;
  };
}

const offered = () => fake.picks[0]!.items.map((item) => item as { label: string; description?: string; detail?: string });
const offers = (name: string) => offered().find(({ label }) => label.includes(name))!;

describe('what is offered', () => {
  it('is what this machine can use, beside what works already', async () => {
    await run();
    expect(offers('CUDA for onnxruntime')).toMatchObject({ label: '$(cloud-download) CUDA for onnxruntime…', description: 'about 1 GB', detail: expect.stringContaining('CUDA 12') as string });
    expect(offers('TensorFlow').detail).toContain('CUDA 11.2');
    expect(offered().find(({ label }) => label === '$(circle-slash) cuda')!.description).toBe('its libraries are not installed');
    expect(offered().some(({ label }) => label === '$(check) cpu')).toBe(true);
    expect(fake.tasks).toEqual([]);
  });

  it('is nothing to install where it works', async () => {
    report = { ...machine, devices: machine.devices.map((device) => ({ ...device, works: true })) };
    await run();
    expect(offers('CUDA for onnxruntime').label).toBe('$(check) CUDA for onnxruntime');
  });

  it.each([
    ['win32', 'x64', '20.1.0', 'DirectML', undefined],
    ['darwin', 'arm64', '20.1.0', 'Core ML', 'not for darwin arm64'],
    ['linux', 'arm64', '20.1.0', 'not for linux arm64', 'not for linux arm64'],
    ['linux', 'x64', '24.1.0', undefined, 'Node.js 20 or 22, not 24.1.0'],
  ])('says why not on %s %s with Node.js %s', (platform, arch, node, cuda, tensorflow) => {
    const [onnxruntime, tf] = gpuPackages({ platform, arch, node }, versions);
    for (const [{ unfit }, expected] of [[onnxruntime!, cuda], [tf!, tensorflow]] as const) {
      if (expected === undefined) expect(unfit).toBeUndefined();
      else expect(unfit).toContain(expected);
    }
  });
});

describe('installing', () => {
  it('needs a second click, which says what is downloaded, from where and where to', async () => {
    fake.choices.push('$(cloud-download) CUDA for onnxruntime…');
    await run();
    expect(fake.shown[0]).toMatchObject({ text: 'Install CUDA for onnxruntime?', modal: true, buttons: ['Install'] });
    expect(fake.tasks).toEqual([]);
    expect(existsSync(gpu)).toBe(false);
  });

  it('runs npm in a folder of its own, seen in a terminal, without a shell', async () => {
    fake.choices.push('$(cloud-download) CUDA for onnxruntime…');
    fake.clicks.push('Install');
    npm(0, cudaBinary);
    await run();
    const execution = fake.tasks[0]!.execution as ProcessExecution;
    expect(execution).toMatchObject({ process: join(root, 'bin/npm'), args: ['install', '--no-audit', '--no-fund', '--foreground-scripts'], options: { cwd: gpu, env: { ONNXRUNTIME_NODE_INSTALL: 'cuda12' } } });
    expect(JSON.parse(readFileSync(join(gpu, 'package.json'), 'utf8'))).toEqual({ private: true, dependencies: { 'onnxruntime-node': '1.30.0' }, allowScripts: { 'onnxruntime-node': true } });
    expect(fake.shown.at(-1)!.text).toContain('CUDA for onnxruntime is installed.');
    expect(fake.shown.at(-1)!.buttons).toEqual(['Reload Window']);
  });

  it.each([
    [1, [], 'gpu-not-installed', 'npm ended with exit code 1'],
    [undefined, [], 'gpu-not-installed', 'it was stopped'],
    [0, ['node_modules/onnxruntime-node/package.json'], 'gpu-incomplete', 'without its native part'],
  ] as const)('that ends with %s is one sentence, and leaves nothing behind', async (code, files, error, message) => {
    fake.choices.push('$(cloud-download) CUDA for onnxruntime…');
    fake.clicks.push('Install');
    npm(code, ...files);
    const failure = (await run().catch((cause: unknown) => cause)) as { code: string; message: string; hint: string };
    expect(failure).toMatchObject({ code: error, message: expect.stringContaining(message) as string });
    expect(failure.message).not.toContain('\n');
    expect(existsSync(gpu)).toBe(false);
  });

  it('that fails keeps what was installed before', async () => {
    mkdirSync(gpu, { recursive: true });
    const before = JSON.stringify({ private: true, dependencies: { 'onnxruntime-node': '1.30.0' }, allowScripts: { 'onnxruntime-node': true } });
    writeFileSync(join(gpu, 'package.json'), before);
    fake.choices.push('$(cloud-download) TensorFlow…');
    fake.clicks.push('Install');
    npm(1);
    await expect(run()).rejects.toMatchObject({ code: 'gpu-not-installed', hint: expect.stringContaining('storage.googleapis.com') as string });
    expect(readFileSync(join(gpu, 'package.json'), 'utf8')).toBe(before);
  });

  it('says so where there is no npm, before it writes anything', async () => {
    process.env['PATH'] = join(root, 'nowhere');
    fake.choices.push('$(cloud-download) CUDA for onnxruntime…');
    fake.clicks.push('Install');
    await expect(run()).rejects.toMatchObject({ code: 'gpu-npm-missing', hint: expect.stringContaining('Node.js') as string });
    expect(existsSync(gpu)).toBe(false);
  });

  it('says so where its folder cannot be written', async () => {
    mkdirSync(dirname(gpu), { recursive: true });
    writeFileSync(gpu, 'a file');
    fake.choices.push('$(cloud-download) CUDA for onnxruntime…');
    fake.clicks.push('Install');
    await expect(run()).rejects.toMatchObject({ code: 'gpu-folder-unusable' });
    expect(fake.tasks).toEqual([]);
  });

  it('can be undone', async () => {
    mkdirSync(gpu, { recursive: true });
    fake.choices.push('$(trash) Remove what was installed');
    await run();
    expect(existsSync(gpu)).toBe(false);
  });
});

it('finds npm on Windows through the command processor, which alone starts a .cmd', () => {
  writeFileSync(join(root, 'bin/npm.cmd'), '');
  expect(findNpm(join(root, 'bin'), 'win32')).toEqual(['cmd.exe', '/d', '/s', '/c', join(root, 'bin', 'npm.cmd')]);
});
