import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnalyzeRequest, Engine } from '../../../src/cli/engine';
import { exitCodeOf } from '../../../src/cli/exitCodes';
import { runCommandLine } from '../../../src/cli/program';
import { RavlError } from '../../../src/shared/errors';
import { analyzeResult } from '../../fixtures/analyzeResult';
import { fakeEngine } from '../../fixtures/fakeEngine';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ravl-cli-'));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly request?: AnalyzeRequest;
}

async function ravl(argv: readonly string[], engine: Partial<Engine> = {}, signals = new EventEmitter()): Promise<Outcome> {
  const [out, err]: [string[], string[]] = [[], []];
  let request: AnalyzeRequest | undefined;
  const fake = fakeEngine({
    ...engine,
    analyze: (given, report, signal) => {
      request = given;
      return engine.analyze?.(given, report, signal) ?? Promise.resolve(analyzeResult());
    },
  });
  const terminal = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd, now: () => 0 };
  const code = await runCommandLine(argv, '1.2.3', terminal, fake, signals);
  return { code, out: out.join(''), err: err.join(''), ...(request ? { request } : {}) };
}

const file = (name: string, text: string): void => {
  writeFileSync(join(cwd, name), text);
};

describe('analyze', () => {
  it('needs no config: a checkpoint and a table will do', async () => {
    const { code, out, request } = await ravl(['analyze', 'clip', '--validation', 'v.csv']);
    expect(code).toBe(0);
    expect(request).toMatchObject({ baseDir: cwd, root: cwd, skipUnreadable: false, fresh: false });
    expect(request!.config).toMatchObject({ checkpoint: 'clip', data: { validation: 'v.csv' }, seed: 0 });
    expect(out).toContain('Zero-shot accuracy 72.9%');
  });

  it('puts options over the config, with paths from where they are typed', async () => {
    mkdirSync(join(cwd, 'project'));
    file('project/ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\nseed: 3\nregions: { kind: sliding }\n');
    const options = ['--validation', 'w.csv', '--prompt', '{}', '--prompt', 'a {}', '--class', 'cat', '--class', 'dog', '--device', 'cpu', '--seed', '9', '--mode', 'crop', '--grid', '3x4', '--out', 'runs'];
    const { code, request } = await ravl(['analyze', 'project/ravl.yaml', ...options, '--skip-unreadable', '--fresh']);
    expect(code).toBe(0);
    expect(request).toMatchObject({ baseDir: join(cwd, 'project'), root: join(cwd, 'runs'), skipUnreadable: true, fresh: true });
    expect(request!.config).toMatchObject({
      checkpoint: 'clip',
      data: { validation: join('..', 'w.csv') },
      prompts: ['{}', 'a {}'],
      classes: ['cat', 'dog'],
      device: 'cpu',
      seed: 9,
      embedding: { mode: 'crop' },
      regions: { kind: 'grid', rows: 3, cols: 4 },
    });
  });

  it.each([
    ['kind: slurm, partition: gpu, lines: [--mem=1G]', ['--launcher', 'slurm', '--sbatch', '--qos=a', '--sbatch=--nice=5'], { kind: 'slurm', partition: 'gpu', lines: ['--mem=1G', '--qos=a', '--nice=5'] }],
    ['kind: slurm, partition: gpu', ['--launcher', 'local'], { kind: 'local' }],
    ['kind: slurm, partition: gpu', ['--launcher', 'pool'], { kind: 'pool' }],
    ['kind: pool, processes: 3', ['--launcher', 'pool'], { kind: 'pool', processes: 3 }],
    ['kind: pool, processes: 3', [], { kind: 'pool', processes: 3 }],
    [null, ['--sbatch', '--mem=1G'], { kind: 'slurm', lines: ['--mem=1G'] }],
    [null, [], { kind: 'local' }],
  ])('launches as the config says (%s) where options (%j) do not say otherwise', async (launcher, options, expected) => {
    file('ravl.yaml', `checkpoint: clip\ndata: { validation: v.csv }\n${launcher === null ? '' : `launcher: { ${launcher} }\n`}`);
    const { err, request } = await ravl(['analyze', 'ravl.yaml', ...options]);
    expect(err).toBe('');
    expect(request!.config.launcher).toEqual(expected);
  });

  it('makes .ravl beside the config unless told otherwise', async () => {
    mkdirSync(join(cwd, 'project'));
    file('project/ravl.yaml', 'checkpoint: clip\ndata: { validation: v.csv }\n');
    expect((await ravl(['analyze', 'project/ravl.yaml'])).request!.root).toBe(join(cwd, 'project'));
  });

  it('does not use a ravl.yaml that merely lies there, and says so', async () => {
    mkdirSync(join(cwd, 'clip'));
    file('clip/ravl.yaml', 'seed: 5\n');
    const { code, err, request } = await ravl(['analyze', 'clip', '--validation', 'v.csv']);
    expect(code).toBe(0);
    expect(request!.config.seed).toBe(0);
    expect(err).toContain(`${join('clip', 'ravl.yaml')} is not used here`);
  });

  it.each([
    [['analyze', 'clip'], '--validation is missing; add it.'],
    [['analyze', 'clip', '--validation', ''], '--validation is empty; write a value.'],
    [['analyze', 'clip', '--validation', 'v', '--seed', 'x'], '--seed must be a number, not "x".'],
    [['analyze', 'clip', '--validation', 'v', '--seed', ''], '--seed must be a number, not "".'],
    [['analyze', 'clip', '--validation', 'v', '--seed=-1'], '--seed must be at least 0, not -1.'],
    [['analyze', 'clip', '--validation', 'v', '--device', 'gpu'], '--device must be one of auto, cpu, webgpu, cuda, dml or coreml, not "gpu".'],
    [['analyze', 'clip', '--validation', 'v', '--launcher', 'sge'], '--launcher kind must be one of local, pool or slurm, not "sge".'],
    [['analyze', 'clip', '--validation', 'v', '--launcher', 'pool', '--sbatch', '--mem=1G'], 'Unknown key "lines" in --sbatch; the keys there are kind and processes.'],
    [['analyze', 'clip', '--validation', 'v', '--sbatch', '--wrap=ls'], '--sbatch lines is "--wrap=ls"; it is an option that RaVL sets itself; leave it out.'],
    [['analyze', 'clip', '--validation', 'v', '--mode', 'fast'], '--mode must be one of auto, roi-align, tokens or crop, not "fast".'],
    [['analyze', 'clip', '--validation', 'v', '--prompt', 'photo'], '--prompt is "photo"; a prompt needs {} where the class name goes.'],
    [['analyze', 'clip', '--validation', 'v', '--grid', '0x2'], '--grid rows must be at least 1, not 0.'],
    [['analyze', 'clip', '--validation', 'v', '--grid', '2'], '--grid must be rows x columns, such as 2x2, not "2".'],
    [['analyze', 'clip', '--validatoin', 'v'], "Unknown option '--validatoin'. (Did you mean --validation?)"],
    [['analyze'], "Missing required argument 'checkpoint|config'."],
    [['analyse'], "Unknown command 'analyse'. (Did you mean analyze?)"],
    [['analyze', 'no.yaml'], 'no.yaml does not exist.'],
  ])('%j is a usage error in one sentence', async (argv, sentence) => {
    const { code, out, err, request } = await ravl(argv);
    expect([code, out, request]).toEqual([2, '', undefined]);
    expect(err.split('\n')[0]).toBe(`Error: ${sentence}`);
    // The same as JSON: one object, nothing else.
    const json = await ravl([...argv, '--json']);
    expect([json.code, json.err]).toEqual([2, '']);
    expect((JSON.parse(json.out) as { error: { message: string } }).error.message).toContain(sentence);
  });

  it('points into the config', async () => {
    file('ravl.yaml', 'checkpoint: clip\ndata:\n  validaton: v.csv\n');
    const { code, err } = await ravl(['analyze', 'ravl.yaml']);
    expect(code).toBe(2);
    expect(err).toContain('ravl.yaml:3:3: Unknown key "validaton" in data; did you mean "validation"?');
  });

  it('refuses a config that is a folder or no text', async () => {
    mkdirSync(join(cwd, 'folder.yaml'));
    writeFileSync(join(cwd, 'utf16.yaml'), Buffer.from('\uFEFFcheckpoint: é', 'utf16le'));
    expect(await ravl(['analyze', 'folder.yaml'])).toMatchObject({ code: 2, err: expect.stringContaining('it is a folder') as string });
    expect(await ravl(['analyze', 'utf16.yaml'])).toMatchObject({ code: 2, err: expect.stringContaining('not UTF-8 text') as string });
  });

  it('prints one JSON object with --json, whatever happens meanwhile', async () => {
    const { code, out, err } = await ravl(['analyze', 'clip', '--validation', 'v', '--json'], {
      analyze: (_, report) => {
        report({ type: 'progress', phase: 'embed', done: 1, total: 2, unit: 'images' });
        report({ type: 'note', level: 'info', text: 'a note' });
        return Promise.resolve(analyzeResult());
      },
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ images: 1000, accuracy: { overall: 0.729 } });
    expect(err).toContain('embed: 1 of 2 images');
    expect(err).toContain('a note');
  });
});

describe('failures', () => {
  const failing = (error: unknown) => ({ analyze: () => Promise.reject(error as Error) });
  const argv = ['analyze', 'clip', '--validation', 'v'];

  it.each([
    ['config-invalid', 2],
    ['checkpoint-missing', 3],
    ['onnx-garbage', 3],
    ['dataset-image-missing', 3],
    ['runtime-model-invalid', 3],
    ['runtime-out-of-memory', 4],
    ['run-disk-full', 4],
    ['device-unavailable', 4],
    ['launcher-slurm-missing', 4],
    ['run-interrupted', 130],
  ])('%s exits with %i', (code, expected) => {
    expect(exitCodeOf(new RavlError(code, 'm', 'h'))).toBe(expected);
  });

  it('say what is wrong and what to do, without terminal tricks from file names', async () => {
    const { code, out, err } = await ravl(argv, failing(new RavlError('dataset-image-missing', 'Row 3: \x1b[2Jcat.png is missing.', 'Restore it.')));
    expect([code, out]).toEqual([3, '']);
    expect(err).toBe('Error: Row 3: cat.png is missing.\n  Restore it.\n');
  });

  it('are one JSON object with --json', async () => {
    const { code, out, err } = await ravl([...argv, '--json'], failing(new RavlError('run-disk-full', 'The disk is full.', 'Free some space.')));
    expect([code, err]).toEqual([4, '']);
    expect(JSON.parse(out)).toEqual({ error: { code: 'run-disk-full', message: 'The disk is full.', hint: 'Free some space.' } });
  });

  it('of RaVL itself keep the stack trace in a log', async () => {
    const { code, err } = await ravl(argv, failing(new TypeError('x is not a function')));
    expect(code).toBe(1);
    expect(err).toContain('Internal error, a defect in RaVL: x is not a function');
    expect(err).not.toMatch(/^\s+at /m);
    const log = /log (\S+\.log)\./.exec(err)![1]!;
    expect(readFileSync(log, 'utf8')).toMatch(/TypeError: x is not a function\n\s+at /);
    rmSync(log);
  });
});

describe('an interrupt', () => {
  it.each(['SIGINT', 'SIGTERM'])('%s stops the engine, and the next one is left to the system', async (name) => {
    const signals = new EventEmitter();
    let listening: number | undefined;
    const { code, out, err } = await ravl(['analyze', 'clip', '--validation', 'v'], {
      analyze: (_, report, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            report({ type: 'progress', phase: 'embed', done: 2, total: 9, unit: 'images' });
            reject(signal.reason as Error);
          });
          signals.emit(name);
          listening = signals.listenerCount(name);
        }),
    }, signals);
    expect([code, out]).toEqual([130, '']);
    expect(err).toBe('Stopping after this batch; run again to resume.\nInterrupted.\n  Run the same command again to resume.\n');
    expect(listening).toBe(0);
  });

  it('that comes too late changes nothing', async () => {
    const signals = new EventEmitter();
    const analyze = (): Promise<ReturnType<typeof analyzeResult>> => {
      signals.emit('SIGINT');
      return Promise.resolve(analyzeResult());
    };
    const { code, out } = await ravl(['analyze', 'clip', '--validation', 'v'], { analyze }, signals);
    expect(code).toBe(0);
    expect(out).toContain('Zero-shot accuracy');
  });

  it('during which the disk fills is a full disk', async () => {
    const signals = new EventEmitter();
    const analyze = (): Promise<never> => {
      signals.emit('SIGINT');
      return Promise.reject(new RavlError('run-disk-full', 'The disk is full.', 'Free some space.'));
    };
    expect((await ravl(['analyze', 'clip', '--validation', 'v'], { analyze }, signals)).code).toBe(4);
  });

  it('leaves no handler behind after a normal end', async () => {
    const signals = new EventEmitter();
    await ravl(['analyze', 'clip', '--validation', 'v'], {}, signals);
    expect(signals.eventNames()).toEqual([]);
  });
});

describe('help', () => {
  it('documents the exit codes and is no failure', async () => {
    for (const argv of [['--help'], ['analyze', '--help'], ['help', 'analyze']]) {
      const { code, out, err } = await ravl(argv);
      expect([code, err]).toEqual([0, '']);
      for (const exit of [0, 1, 2, 3, 4, 130]) expect(out).toMatch(new RegExp(`^  ${exit} `, 'm'));
    }
  });

  it('is what comes for no command at all, as a usage error', async () => {
    const { code, out, err } = await ravl([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: ravl');
    const json = await ravl(['--json']);
    expect([json.code, json.err]).toEqual([2, '']);
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'usage-invalid' } });
  });

  it('prints the version', async () => {
    expect(await ravl(['--version'])).toMatchObject({ code: 0, out: '1.2.3\n' });
  });
});
