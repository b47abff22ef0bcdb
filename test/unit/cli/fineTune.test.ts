import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FineTunePlan, FineTuneRequest, FineTuneResult } from '../../../src/cli/engine';
import { runCommandLine } from '../../../src/cli/program';
import { comparePredictions } from '../../../src/engine/evaluation/compare';
import { fakeEngine } from '../../fixtures/fakeEngine';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ravl-cli-'));
  writeFileSync(join(cwd, 'ravl.yaml'), 'checkpoint: clip\ndata: { validation: v.csv, train: t.csv }\ntraining: { epochs: 7 }\n');
});
afterAll(() => rmSync(cwd, { recursive: true }));

const plan: FineTunePlan = {
  kind: 'mitigate', device: { requested: 'auto', used: 'cpu', reason: 'no other device' }, images: 6240, regions: 4, findings: [2],
  trainable: { weights: 101, parameters: 87_900_000, names: [] }, batch: 128, microBatch: 32, stepsPerEpoch: 48, steps: 4800,
  secondsPerStep: 2.5, memory: { bytes: 3 * 2 ** 30, budget: 8 * 2 ** 30 },
};

const result = (bestEpoch: number): FineTuneResult => ({
  run: { id: 'r1', folder: join(cwd, '.ravl/runs/r1'), resumed: false }, kind: 'mitigate', device: plan.device,
  checkpoint: join(cwd, '.ravl/runs/r1/checkpoint'), lastCheckpoint: bestEpoch === 3 ? null : join(cwd, '.ravl/runs/r1/last-checkpoint'),
  training: { epochs: 3, steps: 36, bestEpoch, ended: 'all 36 steps were made' },
  comparison: comparePredictions({ classes: ['cat', 'dog'], labels: Int32Array.of(0, 1, 0, 1), images: ['a', 'b', 'c', 'd'], before: Int32Array.of(1, 1, 1, 1), after: Int32Array.of(0, 1, 0, 1), features: [], minSupport: 1, seed: 0 }),
  reportFile: join(cwd, '.ravl/runs/r1/report.html'),
});

async function ravl(argv: readonly string[], bestEpoch = 3) {
  const [out, err]: [string[], string[]] = [[], []];
  let request: FineTuneRequest | undefined;
  const engine = fakeEngine({
    fineTune: (given) => {
      request = given;
      return Promise.resolve(result(bestEpoch));
    },
    planFineTune: (given) => {
      request = given;
      return Promise.resolve(plan);
    },
  });
  const terminal = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd, now: () => 0 };
  const code = await runCommandLine(argv, '1.2.3', terminal, engine, new EventEmitter());
  return { code, out: out.join(''), err: err.join(''), request };
}

describe.each(['mitigate', 'finetune'] as const)('ravl %s', (kind) => {
  it('hands the config on, options first', async () => {
    const { code, request } = await ravl([kind, 'ravl.yaml', '--steps', '20', '--batch', '64', '--learning-rate', '1e-4', '--seed', '5', '--run', 'a1', '--out', 'elsewhere']);
    expect(code).toBe(0);
    expect(request).toMatchObject({ kind, baseDir: cwd, root: join(cwd, 'elsewhere'), run: 'a1', fresh: false, skipUnreadable: false });
    expect(request!.config).toMatchObject({ seed: 5, training: { epochs: 7, steps: 20, batch: 64, learningRate: 1e-4 } });
    expect(request).not.toHaveProperty('resume');
  });

  it.each([[['ravl.yaml', '--resume'], true], [['--resume', 'ravl.yaml'], true], [['ravl.yaml', '--resume', 'r7'], 'r7'], [['--resume', 'r7', 'ravl.yaml'], 'r7']])('understands %j', async (args, resume) => {
    expect((await ravl([kind, ...args])).request).toMatchObject({ kind, resume });
  });

  it.each([
    [[], `ravl ${kind} needs a ravl.yaml.`],
    [['clip'], `ravl ${kind} takes a ravl.yaml, which names the training data; clip is none.`],
    [['ravl.yaml', '--fresh', '--resume'], '--resume and --fresh contradict each other.'],
    [['ravl.yaml', '--batch', 'many'], '--batch must be a number, not "many".'],
  ])('refuses %j', async (args, sentence) => {
    const { code, err, request } = await ravl([kind, ...args]);
    expect({ code, request }).toEqual({ code: 2, request: undefined });
    expect(err).toContain(`Error: ${sentence}`);
  });
});

it('takes the ranks of findings for mitigation only', async () => {
  expect((await ravl(['mitigate', 'ravl.yaml', '--finding', '2', '--finding', '5'])).request!.config.mitigation.findings).toEqual([2, 5]);
  expect((await ravl(['finetune', 'ravl.yaml', '--finding', '2'])).code).toBe(2);
});

it('prints what changed, where the checkpoint is, and which epoch is kept', async () => {
  const { out } = await ravl(['mitigate', 'ravl.yaml']);
  expect(out).toMatch(/^Region-aware fine-tuning: 36 steps in 3 epochs \(all 36 steps were made\); the last one is kept\.\n/);
  expect(out).toMatch(/overall +4 +50\.0% +100\.0%/);
  expect(out).toContain('Checkpoint  .ravl/runs/r1/checkpoint\n');
  expect(out).not.toContain('Last epoch');
  expect((await ravl(['mitigate', 'ravl.yaml'], 2)).out).toMatch(/epoch 2 is kept\.[^]*Last epoch {2}\.ravl\/runs\/r1\/last-checkpoint\n$/);
  expect((await ravl(['mitigate', 'ravl.yaml'], 0)).out).toContain('none was better than the start, which is kept.');
});

it('prints a plan without starting', async () => {
  const { out, request } = await ravl(['mitigate', 'ravl.yaml', '--plan']);
  expect(request!.kind).toBe('mitigate');
  expect(out).toContain('pushes away finding 2');
  expect(out).toMatch(/Trainable +87,900,000 parameters in 101 weights\n/);
  expect(out).toMatch(/Batch +128 images, 32 at a time\n/);
  expect(out).toMatch(/Memory +about 3\.0 GiB of at most 8\.0 GiB\n/);
  // 48 steps of 2.5 s are 2 minutes, 4,800 of them 3.3 hours.
  expect(out).toMatch(/2\.50 s a step \(measured\), 2 min an epoch of 48 steps\n/);
  expect(out).toMatch(/At most +4,800 steps, 3\.3 h;/);
});

it('prints one object with --json', async () => {
  expect(JSON.parse((await ravl(['mitigate', 'ravl.yaml', '--json'])).out)).toMatchObject({ kind: 'mitigate', training: { bestEpoch: 3 }, comparison: { version: 1 } });
  expect(JSON.parse((await ravl(['finetune', 'ravl.yaml', '--plan', '--json'])).out)).toEqual(plan);
});
