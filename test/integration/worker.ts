/** The worker as the editor has it: the bundle in a process of its own. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll } from 'vitest';
import { startWorker, type WorkerOptions, type WorkerProcess } from '../../src/extension/worker/workerProcess';
import { parseConfig } from '../../src/shared/configFile';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const node = { path: process.execPath, version: process.versions.node, env: {} };
export const fixture = (name: string) => join(root, 'test/fixtures', name);

/** Builds the engine's bundle into a folder of the repository, where native packages are found; it is removed when the file's tests have ended. */
export function bundledWorker(): string {
  mkdirSync(join(root, 'build'), { recursive: true });
  const folder = mkdtempSync(join(root, 'build/worker-'));
  folders.add(folder);
  execFileSync(process.execPath, ['--input-type=module', '-e', `import { engine } from './esbuild.mjs'; await engine(${JSON.stringify(folder)})`], { cwd: root, stdio: 'inherit' });
  return join(folder, 'worker.js');
}

/** One fixture as a script that Node.js runs. */
export async function bundledFixture(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ravl-fixture-'));
  folders.add(folder);
  const outfile = join(folder, 'fixture.mjs');
  await build({ entryPoints: [fixture(name)], bundle: true, platform: 'node', format: 'esm', outfile });
  return outfile;
}

/** A worker that ends with the test file, whatever happens in it; its lines are kept. */
export function started(options: Partial<WorkerOptions> & Pick<WorkerOptions, 'file'>): WorkerProcess & { readonly lines: string[] } {
  const lines: string[] = [];
  const worker = startWorker({ node, log: (line) => lines.push(line), ...options });
  living.add(worker);
  return Object.assign(worker, { lines });
}
const living = new Set<WorkerProcess>();
export const children = new Set<ChildProcess>();
const folders = new Set<string>();
afterAll(async () => {
  for (const worker of living) worker.dispose();
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** The sample in a folder of its own, and what is asked about it. */
export function sampleIn(folder: string) {
  cpSync(join(root, 'media/sample'), folder, { recursive: true, filter: (path) => !path.endsWith('.ravl') });
  const { config } = parseConfig(readFileSync(join(folder, 'ravl.yaml'), 'utf8'), 'ravl.yaml');
  return { config: config!, baseDir: folder, root: folder };
}

/** Waits until a process is gone; throws where it lives on. One that nobody has fetched yet counts as gone. */
export async function gone(pid: number, seconds = 20): Promise<void> {
  for (let i = 0; i < seconds * 20; i++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    const state = stat?.slice(stat.lastIndexOf(')') + 2)[0];
    if (process.platform === 'linux' ? state === undefined || state === 'Z' : !signalled(pid)) return;
    await pause(50);
  }
  throw new Error(`The process ${pid} lives on.`);
}

function signalled(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** An event that resolves a promise: `heard(…)` as a listener, `happened` to await. */
export function moment<T>(when: (event: T) => boolean = () => true): { heard(event: T): void; readonly happened: Promise<T> } {
  let resolve: (event: T) => void = () => undefined;
  const happened = new Promise<T>((done) => (resolve = done));
  return { happened, heard: (event) => when(event) && resolve(event) };
}
