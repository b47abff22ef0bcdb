import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import manifest from '../../../package.json';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ravl-packages-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function install(name: string, version: string): void {
  const at = join(folder, 'node_modules', name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name, version, main: 'index.js' }));
  writeFileSync(join(at, 'index.js'), `exports.marker = 'installed';`);
}

/** What a process gets that prefers the packages of the folder before it loads one, as the worker does. */
function load(name: string): { marker?: string; log: string[] } {
  const script = `
    import { preferPackages } from ${JSON.stringify(resolve('src/engine/runtime/packages.ts'))};
    const log = [];
    preferPackages(${JSON.stringify(folder)}, (line) => log.push(line));
    const loaded = await import(${JSON.stringify(name)}).catch(() => ({ default: {} }));
    process.stdout.write(JSON.stringify({ marker: loaded.default.marker, log }));
  `;
  return JSON.parse(execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { encoding: 'utf8' })) as { marker?: string; log: string[] };
}

describe('packages that a person installed', () => {
  it("are loaded in the place of RaVL's own", () => {
    install('onnxruntime-node', manifest.dependencies['onnxruntime-node']);
    install('@tensorflow/tfjs-node-gpu', manifest.optionalDependencies['@tensorflow/tfjs-node-gpu']);
    expect(load('onnxruntime-node').marker).toBe('installed');
    expect(load('@tensorflow/tfjs-node-gpu').marker).toBe('installed');
  });

  it('are passed over in another version, which the log says', () => {
    install('onnxruntime-node', '1.0.0');
    const { marker, log } = load('onnxruntime-node');
    expect(marker).toBeUndefined();
    expect(log).toEqual([`onnxruntime-node 1.0.0 in ${folder} is passed over, as this RaVL needs ${manifest.dependencies['onnxruntime-node']}; RaVL: Set Up GPU installs it.`]);
  });

  it('are not missed where there are none', () => {
    expect(load('onnxruntime-node')).toEqual({ log: [] });
  });
});
