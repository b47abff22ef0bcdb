import { EventEmitter } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { BenchmarkRequest } from '../../../src/cli/engine';
import { runCommandLine } from '../../../src/cli/program';
import { tablesOf } from '../../../src/engine/benchmark/tables';
import { fakeEngine } from '../../fixtures/fakeEngine';

const cwd = await mkdtemp(join(tmpdir(), 'ravl-cli-benchmark-'));
afterAll(() => rm(cwd, { recursive: true, force: true }));
await writeFile(join(cwd, 'benchmark.md'), '# tables\n');
await writeFile(join(cwd, 'ravl.yaml'), "checkpoint: clip\ndata: { validation: photos }\nprompts: ['a {}']\ntraining: { epochs: 99, learningRate: 0.5 }\nlauncher: { kind: pool, processes: 3 }\n");

/** What the engine was asked, and what was printed. */
async function run(...args: string[]): Promise<{ code: number; request?: BenchmarkRequest; stdout: string; stderr: string }> {
  const printed = { stdout: '', stderr: '' };
  let request: BenchmarkRequest | undefined;
  const engine = fakeEngine({
    benchmark(asked) {
      request = asked;
      return Promise.resolve({ tables: tablesOf([], []), markdownFile: join(cwd, 'benchmark.md') });
    },
  });
  const terminal = {
    stdout: { write: (text: string) => (printed.stdout += text) },
    stderr: { write: (text: string) => (printed.stderr += text) },
    cwd, env: {}, now: () => 0,
  };
  const code = await runCommandLine(['benchmark', ...args], '1', terminal, engine, new EventEmitter());
  return { code, ...(request ? { request } : {}), ...printed };
}

describe('ravl benchmark', () => {
  it('is the quick suite, here', async () => {
    const { code, request, stdout } = await run();
    expect(code).toBe(0);
    expect(request).toEqual({ of: { suite: 'quick', data: { 'fashion-mnist': '/usr/share/datasets/fashion-mnist' } }, out: join(cwd, 'benchmark'), skipMitigation: false, launcher: { kind: 'local' } });
    expect(stdout).toBe('# tables\n\nTables  benchmark.md\n');
  });

  it('takes a suite with its data, a part of it, and a cluster', async () => {
    const { request } = await run('--suite', 'paper', '--mnist', 'digits', '--fashion-mnist', '/garments', '--settings', '6', '--skip-mitigation', '--out', 'there', '--launcher', 'slurm', '--sbatch', '--partition=long');
    expect(request).toEqual({
      of: { suite: 'paper', data: { mnist: join(cwd, 'digits'), 'fashion-mnist': '/garments' } }, out: join(cwd, 'there'), settings: 6, skipMitigation: true,
      launcher: { kind: 'slurm', lines: ['--partition=long'] },
    });
  });

  it('plants an object in photos by a ravl.yaml, whose epochs are not its', async () => {
    const { request } = await run('ravl.yaml', '--object', 'logo.png', '--tied', 'dog', '--strength', '0.8', '--batch', '16');
    expect(request).toMatchObject({
      of: {
        baseDir: cwd, object: join(cwd, 'logo.png'), tied: 'dog', cramersV: 0.8, photos: 2000, epochs: 10,
        config: { checkpoint: 'clip', prompts: ['a {}'], training: { batch: 16, learningRate: 0.5 } },
      },
      launcher: { kind: 'pool', processes: 3 },
    });
  });

  it('or by a checkpoint and options', async () => {
    const { request } = await run('clip', '--validation', 'photos', '--prompt', 'one {}', '--class', 'dog', '--class', 'cat', '--object', 'logo.png', '--tied', 'dog', '--epochs', '3', '--photos', '100');
    expect(request!.of).toMatchObject({ tied: 'dog', cramersV: 0.95, photos: 100, epochs: 3, config: { checkpoint: 'clip', data: { validation: 'photos' }, prompts: ['one {}'], classes: ['dog', 'cat'] } });
  });

  it.each([
    [['--settings', '0'], '--settings must be a whole number above 0, not "0".'],
    [['ravl.yaml', '--object', 'a.png', '--tied', 'dog', '--photos', 'many'], '--photos must be a whole number above 0, not "many".'],
    [['ravl.yaml', '--object', 'a.png', '--tied', 'dog', '--fashion-mnist', 'x'], '--fashion-mnist has no meaning where a ravl.yaml or a checkpoint is named.'],
    [['--learning-rate', '1'], '--learning-rate is for a benchmark on photos: name a ravl.yaml or a checkpoint first.'],
  ])('%j is refused in a sentence', async (args, sentence) => {
    const { code, request, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
    expect(request).toBeUndefined();
  });
});
