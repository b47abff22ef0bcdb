import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { comparisonSummary, evaluationSummary } from '../../../src/cli/comparisonSummary';
import type { CompareRequest, CompareResult, Engine, EvaluateRequest, Evaluation, KnownRun } from '../../../src/cli/engine';
import { runCommandLine } from '../../../src/cli/program';
import { displayWidth } from '../../../src/cli/text';
import { comparisonSchema } from '../../../src/shared/comparison';
import { configSchema } from '../../../src/shared/config';
import { exampleComparison, mendedCells, red } from '../../fixtures/exampleComparison';
import { fakeEngine } from '../../fixtures/fakeEngine';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ravl-compare-'));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

const device = { requested: 'auto', used: 'cpu', reason: 'nothing else is here', maxDifference: null } as const;
const result: CompareResult = { before: 'clip', after: 'mended', run: 'run-1', device, comparison: exampleComparison(), reportFile: null };
const evaluation: Evaluation = {
  classes: ['nine', 'one'], table: undefined as unknown as Evaluation['table'], rows: new Int32Array(3), images: ['a', 'b', 'c'], labels: new Int32Array(3), predictions: new Int32Array(3),
  loss: 0.71234, overall: 2 / 3, perClass: [{ label: 'nine', n: 1, accuracy: 0 }, { label: 'one', n: 2, accuracy: 1 }], worstClass: { label: 'nine', n: 1, accuracy: 0 },
  features: [{ ...red }], groups: [{ label: 'one', rank: 1, feature: 'absent', n: 2, accuracy: 1 }, { label: 'nine', rank: 1, feature: 'present', n: 1, accuracy: 0 }],
  worstGroup: { label: 'nine', rank: 1, feature: 'present', n: 1, accuracy: 0 }, device,
};

/** A run as the engine would find it: of a project beside the current folder. */
const run = (id: string, kind: KnownRun['kind'], complete = true): KnownRun => ({
  id, kind, complete, folder: join(cwd, 'project', '.ravl', 'runs', id), baseDir: join(cwd, 'project'),
  config: configSchema.parse({ checkpoint: 'clip', data: { validation: `${id}.csv` }, seed: 4 }),
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly compared?: CompareRequest;
  readonly evaluated?: EvaluateRequest;
}

/** `ravl …` with an engine that knows these runs and takes everything else for a checkpoint. */
async function ravl(argv: readonly string[], runs: readonly KnownRun[] = [], engine: Partial<Engine> = {}): Promise<Outcome> {
  const [out, err]: [string[], string[]] = [[], []];
  let [compared, evaluated]: [CompareRequest | undefined, EvaluateRequest | undefined] = [undefined, undefined];
  const find = (named: string) => runs.find(({ id }) => id === named) ?? null;
  const fake = fakeEngine({
    findRun: (named) => Promise.resolve(find(named)),
    resolveSide: (named, base) => Promise.resolve({ name: named, checkpoint: named, baseDir: base, run: find(named) }),
    compare: (request, ...rest) => engine.compare?.(request, ...rest) ?? ((compared = request), Promise.resolve(result)),
    evaluate: (request, ...rest) => engine.evaluate?.(request, ...rest) ?? ((evaluated = request), Promise.resolve(evaluation)),
  });
  const terminal = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd, now: () => 0 };
  const code = await runCommandLine(argv, '1.2.3', terminal, fake, new EventEmitter());
  return { code, out: out.join(''), err: err.join(''), ...(compared ? { compared } : {}), ...(evaluated ? { evaluated } : {}) };
}

const file = (name: string, text: string): void => {
  mkdirSync(join(cwd, name, '..'), { recursive: true });
  writeFileSync(join(cwd, name), text);
};

describe('compare', () => {
  it('takes data and prompts from --config, and paths from where they are typed', async () => {
    file('project/ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\nseed: 3\n');
    const { code, compared } = await ravl(['compare', 'a', 'b', '--config', 'project/ravl.yaml', '--validation', 'w.csv', '--seed', '9', '--device', 'cpu', '--out', 'result', '--skip-unreadable']);
    expect(code).toBe(0);
    expect(compared).toMatchObject({
      before: { checkpoint: 'a', baseDir: cwd }, after: { checkpoint: 'b' }, baseDir: join(cwd, 'project'), out: join(cwd, 'result'), skipUnreadable: true, run: null,
      config: { data: { validation: join('..', 'w.csv') }, seed: 9, device: 'cpu' },
    });
  });

  it('takes them from --run, else from a side that is a run, else from ravl.yaml here', async () => {
    file('ravl.yaml', 'checkpoint: clip\ndata: { validation: here.csv }\n');
    const runs = [run('first', 'analyze'), run('tuned', 'mitigate'), run('named', 'analyze')];
    const validation = async (...argv: string[]) => {
      const { compared } = await ravl(['compare', ...argv], runs);
      return [compared!.config.data.validation, compared!.run?.id ?? null, compared!.baseDir === cwd ? 'here' : 'project'];
    };
    expect(await validation('first', 'tuned', '--run', 'named')).toEqual(['named.csv', 'named', 'project']);
    expect(await validation('first', 'tuned')).toEqual(['first.csv', 'first', 'project']);
    expect(await validation('a', 'tuned')).toEqual(['tuned.csv', null, 'project']);
    expect(await validation('a', 'b')).toEqual(['here.csv', null, 'here']);
    expect(await validation('first', 'tuned', '--config', 'ravl.yaml')).toEqual(['here.csv', 'first', 'here']);
    // An analysis that is not finished has no findings to make groups of.
    expect((await ravl(['compare', 'half', 'b'], [run('half', 'analyze', false)])).compared!.run).toBeNull();
  });

  it('writes nothing unless told where', async () => {
    file('ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\n');
    expect((await ravl(['compare', 'a', 'b'])).compared).not.toHaveProperty('out');
  });

  it.each([
    [['compare', 'a', 'b'], 'Nothing says which images to compare on; name a ravl.yaml with --config, or an analysis with --run.'],
    [['compare', 'a', 'b', '--run', 'no-such-run'], 'There is no run "no-such-run".'],
    [['compare', 'a', 'b', '--config', 'no.yaml'], 'no.yaml does not exist.'],
    [['compare', 'a'], "Missing required argument 'after'."],
    [['compare', 'known', 'b', '--seed', 'x'], '--seed must be a number, not "x".'],
    [['evaluate', 'a'], '--validation is missing; add it.'],
    [['evaluate', 'a', '--run', 'no-such-run'], 'There is no run "no-such-run".'],
  ])('%j is a usage error in one sentence', async (argv, sentence) => {
    const { code, out, err, compared } = await ravl(argv, [run('known', 'analyze')]);
    expect([code, out, compared]).toEqual([2, '', undefined]);
    expect(err.split('\n')[0]).toBe(`Error: ${sentence}`);
  });

  it('prints the comparison as one JSON object', async () => {
    const { code, out, err } = await ravl(['compare', 'known', 'b', '--json'], [run('known', 'analyze')], {
      compare: (_, report) => {
        report({ type: 'note', level: 'info', text: 'Evaluating b.' });
        return Promise.resolve(result);
      },
    });
    const json = JSON.parse(out) as CompareResult;
    expect(code).toBe(0);
    expect(Object.keys(json)).toEqual(['before', 'after', 'run', 'device', 'comparison', 'reportFile']);
    expect(comparisonSchema.parse(json.comparison)).toEqual(result.comparison);
    expect(err).toBe('Evaluating b.\n');
  });

  it('stops at an interrupt', async () => {
    const signals = new EventEmitter();
    const engine = fakeEngine({
      findRun: () => Promise.resolve(null),
      resolveSide: (named) => Promise.resolve({ name: named, checkpoint: named, baseDir: cwd, run: run('r', 'analyze') }),
      compare: (_, __, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          signals.emit('SIGINT');
        }),
    });
    const err: string[] = [];
    const terminal = { stdout: { write: () => true }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd, now: () => 0 };
    expect(await runCommandLine(['compare', 'a', 'b'], '0', terminal, engine, signals)).toBe(130);
    expect(err.join('')).toMatch(/^Stopping after this batch\.\nInterrupted\./);
    expect(signals.eventNames()).toEqual([]);
  });
});

describe('evaluate', () => {
  it('takes a config, a run, or a checkpoint with options', async () => {
    file('project/ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\n');
    const runs = [run('first', 'analyze'), run('tuned', 'finetune')];
    const asked = async (...argv: string[]) => (await ravl(['evaluate', ...argv], runs)).evaluated!;
    expect(await asked('project/ravl.yaml')).toMatchObject({ side: { checkpoint: 'clip', baseDir: join(cwd, 'project') }, baseDir: join(cwd, 'project'), run: null, config: { data: { validation: 'v.csv' } } });
    expect(await asked('project/ravl.yaml', '--run', 'first')).toMatchObject({ run: { id: 'first' }, config: { data: { validation: 'v.csv' } } });
    expect(await asked('first')).toMatchObject({ side: { run: { id: 'first' } }, run: { id: 'first' }, config: { data: { validation: 'first.csv' } } });
    expect(await asked('tuned')).toMatchObject({ run: null, config: { data: { validation: 'tuned.csv' } } });
    expect(await asked('other', '--run', 'first')).toMatchObject({ side: { checkpoint: 'other', baseDir: cwd }, run: { id: 'first' }, baseDir: join(cwd, 'project'), config: { data: { validation: 'first.csv' } } });
    expect(await asked('other', '--validation', 'w.csv', '--class', 'a', '--class', 'b')).toMatchObject({ baseDir: cwd, run: null, config: { data: { validation: 'w.csv' }, classes: ['a', 'b'] } });
  });

  it('looks for the run beside the config', async () => {
    file('project/ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\n');
    const looked: (readonly string[])[] = [];
    const engine = fakeEngine({ findRun: (_, __, roots) => (looked.push(roots), Promise.resolve(run('first', 'analyze'))), evaluate: () => Promise.resolve(evaluation) });
    const terminal = { stdout: { write: () => true }, stderr: { write: () => true }, env: {}, cwd, now: () => 0 };
    expect(await runCommandLine(['evaluate', 'project/ravl.yaml', '--run', 'first'], '0', terminal, engine, new EventEmitter())).toBe(0);
    expect(looked).toEqual([[join(cwd, 'project')]]);
  });

  it('prints one JSON object without a line for every image', async () => {
    const { out } = await ravl(['evaluate', 'first', '--json'], [run('first', 'analyze')]);
    const json = JSON.parse(out) as Record<string, unknown>;
    expect(Object.keys(json)).toEqual(['checkpoint', 'run', 'device', 'images', 'loss', 'overall', 'worstGroup', 'worstClass', 'perClass', 'features', 'groups']);
    expect(json).toMatchObject({ checkpoint: 'first', run: 'first', images: 3, overall: 2 / 3 });
  });

  it('prints classes and groups, the weakest first', () => {
    const text = evaluationSummary('clip', 'run-1', evaluation);
    expect(text).toContain('Zero-shot accuracy 66.7%; worst class nine, 0.0%; cross-entropy 0.712');
    expect(text).toContain('Worst group nine with #1, 0.0% (groups by the analysis run-1)');
    expect(text.indexOf('nine with #1  ')).toBeLessThan(text.indexOf('one without #1'));
    expect(text).toContain('#1 red, crimson');
    expect(evaluationSummary('clip', null, { ...evaluation, features: [], groups: [], worstGroup: null })).not.toMatch(/roup/);
  });
});

describe('the summary of a comparison', () => {
  const shown = comparisonSummary({ ...result, reportFile: '/home/me/out/report.html' }, '/home/me');

  it('has what got worse first, then the whole, the classes and the findings', () => {
    const order = ['Before  clip', 'The accuracy of the weakest group rose', 'Got worse beyond chance:', 'overall', 'class, worst change first', '#1 red, crimson', 'Report      out/report.html', 'Comparison  out/comparison.json'].map((text) => shown.indexOf(text));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBe(0);
    // 0 and 20 flips of 40 images.
    expect(shown).toMatch(/^one without #1 +40 +100\.0% +50\.0% +-50\.0 \[-64\.1, -31\.1\] +<\.001$/m);
    expect(shown).toMatch(/^overall +160 +58\.8% +73\.8% +\+15\.0 \[.*\] +\.005$/m);
    expect(shown).toMatch(/^worst group +15\.0% +50\.0% +\+35\.0 \[/m);
    expect(shown).toMatch(/^gap G_c of #1 +1\.550 +0\.450 +-1\.10 \[/m);
    expect(shown).toMatch(/class, worst change first.*\none .*\nnine .*\n\n/);
    expect(shown).toMatch(/^nine without +40 +15\.0% +75\.0% +\+60\.0/m);
  });

  it('says so where nothing got worse, or where chance could explain it', () => {
    const fine = exampleComparison([{ label: 0, red: 1, kept: 9, gained: 9, lost: 0, wrong: 0 }, { label: 1, red: 0, kept: 9, gained: 0, lost: 1, wrong: 0 }]);
    const text = comparisonSummary({ ...result, run: null, comparison: fine }, '/');
    expect(text).toContain('Nothing got worse beyond chance.\n1 class or group lower by what chance could explain');
    expect(text).not.toMatch(/Report|analysis/);
  });

  it('fits 100 columns and one line a row, whatever the labels are', () => {
    const hostile = ['\x1b[2J\x1b]0;title\x07evil', `${'漢字'.repeat(50)}\n\u202E${'x'.repeat(100_000)}`];
    const features = [{ ...red, name: hostile, present: Uint8Array.from({ length: 160 }, (_, i) => i % 2) }];
    const comparison = exampleComparison(mendedCells, { classes: hostile, features });
    const text = comparisonSummary({ ...result, before: hostile[1]!, after: hostile[0]!, comparison }, '/');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(100);
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]/);
    expect(evaluationSummary(hostile[1]!, hostile[0]!, { ...evaluation, perClass: hostile.map((label) => ({ label, n: 1, accuracy: 0 })) }).split('\n').every((line) => displayWidth(line) <= 100)).toBe(true);
  });
});
