/** Runs the built command line, dist/cli.js, as a person does: in a process of its own, in a folder of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { findingsSchema, type Findings } from '../../src/shared/findings';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Outcome {
  /** null where a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves as soon as stderr matches; rejects where the process ends before it does. */
  says(pattern: RegExp): Promise<void>;
}

/** Starts `ravl <args>` in the folder `cwd`, with `env` on top of this process's environment. */
export function startRavl(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [cli, ...args], { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  alive.add(child);
  child.on('close', () => alive.delete(child));
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      listeners.forEach((listener) => listener());
    });
  }
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
  return {
    process: child,
    outcome,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => pattern.test(output.stderr) && resolve();
        listeners.add(look);
        look();
        outcome.then(() => reject(new Error(`The process ended without saying ${pattern}: ${output.stderr}`)), reject);
      }),
  };
}

/** A test that fails halfway leaves no process behind. */
const alive = new Set<ChildProcess>();

/** Runs `ravl <args>` to its end. */
export function ravl(args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): Promise<Outcome> {
  return startRavl(args, cwd, env).outcome;
}

/** A new folder, removed when the test file has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ravl-integration-'));
  afterAll(async () => {
    for (const child of alive) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The run folders under `root`/.ravl/runs, in the order of their creation. */
export async function runFolders(root: string): Promise<string[]> {
  const folder = join(root, '.ravl', 'runs');
  const runs = await Promise.all((await readdir(folder)).map(async (id) => ({ path: join(folder, id), sequence: (await runJson(join(folder, id))).sequence })));
  return runs.sort((a, b) => a.sequence - b.sequence).map(({ path }) => path);
}

export async function runJson(folder: string): Promise<{ sequence: number; state: string } & Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as { sequence: number; state: string };
}

/** findings.json of the newest run under `root`, as text and checked against its schema. */
export async function newestFindings(root: string): Promise<{ text: string; findings: Findings }> {
  const text = await readFile(join((await runFolders(root)).at(-1)!, 'findings.json'), 'utf8');
  return { text, findings: findingsSchema.parse(JSON.parse(text)) };
}

/** The one line that `--json` may print on stdout. */
export function onlyJson(stdout: string): unknown {
  const lines = stdout.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`stdout is not one line: ${stdout.slice(0, 500)}`);
  return JSON.parse(lines[0]!);
}

/** A float32 .npy file, format version 1: magic, header length in bytes 8 and 9, header, values. */
export async function readNpy(file: string): Promise<{ header: string; values: Float32Array }> {
  const bytes = await readFile(file);
  const start = 10 + bytes.readUInt16LE(8);
  return { header: bytes.toString('latin1', 10, start), values: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer) };
}

/** Whether this user may mount a small disk of its own at `folder`, which is made; says so loudly where not. */
export function mayMount(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    console.warn('Skipped: full and read-only disks are not tested, as this user may not mount one.');
    return false;
  }
}
