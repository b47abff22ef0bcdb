import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lockHolder } from '../../../src/engine/run/lock';
import { readRunFile } from '../../../src/engine/run/runFile';
import { listRuns, openRun, withRun, type RunOptions } from '../../../src/engine/run/runFolder';
import { RavlError } from '../../../src/shared/errors';
import type { ProgressEvent } from '../../../src/shared/progress';

let root: string;
let texts: string[];
const report = (event: ProgressEvent) => void (event.type === 'note' && texts.push(event.text));
const options = (fingerprint = 'aaaaaa00', more: Partial<RunOptions> = {}): RunOptions => ({
  root,
  fingerprint,
  describe: { versions: { ravl: '0.1.0' }, seed: 3, config: { data: 'x' }, inputs: { model: 'hash' } },
  ...more,
});
const runFile = async (id: string) => JSON.parse(await readFile(join(root, id, 'run.json'), 'utf8')) as Record<string, unknown>;
const never = new AbortController().signal;

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'ravl-runs-')), '.ravl', 'runs');
  texts = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(join(root, '..', '..'), { recursive: true, force: true });
});

/** A run left behind by a process that was killed: running, with the lock that `holder` describes. */
async function killedRun(holder: object): Promise<string> {
  const run = await openRun(options(), report);
  const lock = (await readdir(join(run.folder, 'locks')))[0]!;
  const own = JSON.parse(await readFile(join(run.folder, 'locks', lock), 'utf8')) as object;
  await writeFile(join(run.folder, 'locks', lock), JSON.stringify({ ...own, ...holder }));
  return run.id;
}
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;

describe('openRun', () => {
  it('creates a run named by date, time and fingerprint, with all it was told in run.json', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-04T05:06:07.890Z') });
    const run = await openRun(options(), report);
    expect(run).toMatchObject({ id: '20260304-050607-aaaaaa', resumed: false, folder: join(root, '20260304-050607-aaaaaa') });
    expect(await runFile(run.id)).toMatchObject({ state: 'running', seed: 3, config: { data: 'x' }, inputs: { model: 'hash' }, created: '2026-03-04T05:06:07.890Z' });
    const second = await openRun(options('aaaaaa11'), report);
    expect(second.id).toBe('20260304-050607-aaaaaa-2');
    expect(texts).toEqual([]);
  });

  it('records what kind of run it is; a run from before there were kinds is an analysis', async () => {
    const analysis = await openRun(options(), report);
    const tuning = await openRun(options('bbbbbb00', { describe: { ...options().describe, kind: 'mitigate' } }), report);
    expect([await runFile(analysis.id), await runFile(tuning.id)]).toMatchObject([{ kind: 'analyze' }, { kind: 'mitigate' }]);
    const file = join(analysis.folder, 'run.json');
    const old = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    delete old['kind'];
    await writeFile(file, JSON.stringify(old));
    expect(await readRunFile(analysis.folder)).toMatchObject({ kind: 'analyze', id: analysis.id });
  });

  it('resumes an interrupted and a failed run and says so; starts anew after a complete one', async () => {
    const first = await openRun(options(), report);
    await first.close({ state: 'interrupted' });
    const second = await openRun(options(), report);
    expect(second).toMatchObject({ id: first.id, resumed: true });
    expect(texts).toEqual([`Resuming run ${first.id}, which was interrupted.`]);
    await second.close({ state: 'failed', error: new RavlError('run-disk-full', 'The disk is full.', 'Free some.') });
    expect(await runFile(first.id)).toMatchObject({ state: 'failed', error: { code: 'run-disk-full', message: 'The disk is full.', hint: 'Free some.' } });
    const third = await openRun(options(), report);
    expect(third.id).toBe(first.id);
    expect(await runFile(first.id)).toMatchObject({ state: 'running', error: null });
    await third.close({ state: 'complete' });
    expect((await openRun(options(), report)).resumed).toBe(false);
  });

  it('does not resume under another fingerprint, nor when told to start fresh', async () => {
    const first = await openRun(options(), report);
    await first.close({ state: 'interrupted' });
    expect((await openRun(options('bbbbbb00'), report)).resumed).toBe(false);
    expect((await openRun(options('aaaaaa00', { fresh: true }), report)).resumed).toBe(false);
  });

  it('takes the newest by order of creation, also when the clock has gone back', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2030-01-01T00:00:00Z') });
    const early = await openRun(options(), report);
    await early.close({ state: 'interrupted' });
    vi.setSystemTime(new Date('2020-01-01T00:00:00Z'));
    const late = await openRun(options('aaaaaa00', { fresh: true }), report);
    await late.close({ state: 'interrupted' });
    expect((await listRuns(root)).map((entry) => entry.id)).toEqual([late.id, early.id]);
    expect((await openRun(options(), report)).id).toBe(late.id);
  });

  it('refuses a second opener while the first works, and names its pid', async () => {
    const run = await openRun(options(), report);
    await expect(openRun(options(), report)).rejects.toMatchObject({
      code: 'run-busy',
      message: `Another RaVL process (pid ${process.pid}) is working on run ${run.id}.`,
    });
    expect(await lockHolder(run.folder)).toMatchObject({ pid: process.pid });
    await run.close({ state: 'interrupted' });
    expect(await lockHolder(run.folder)).toBeNull();
    expect((await openRun(options(), report)).id).toBe(run.id);
  });

  it('lets at most one of many simultaneous openers in', async () => {
    await (await openRun(options(), report)).close({ state: 'interrupted' });
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => openRun(options(), report)));
    const opened = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(opened.length).toBeLessThanOrEqual(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'run-busy' });
  });

  it.each([
    ['of a dead process', () => ({ pid: deadPid() })],
    ['of a process whose pid another one has now', () => ({ startTime: '1' })],
    ['of another boot', () => ({ bootId: 'another' })],
    ['that is garbled', () => ({ pid: 'x' })],
  ])('takes over the lock %s with a note', async (_, holder) => {
    const id = await killedRun(holder());
    expect(await listRuns(root)).toMatchObject([{ id, file: { state: 'interrupted' } }]);
    expect((await openRun(options(), report)).id).toBe(id);
    expect(texts[0]).toMatch(/ended without closing it; this one takes over/);
    expect(await readdir(join(root, id, 'locks'))).toHaveLength(1);
  });

  it('respects a lock of another machine, and says which file to delete', async () => {
    await killedRun({ host: `not-${hostname()}`, pid: 7 });
    await expect(openRun(options(), report)).rejects.toMatchObject({ message: expect.stringContaining(`pid 7 on not-${hostname()}`), hint: expect.stringMatching(/locks.*\.json/) });
    expect(await listRuns(root)).toMatchObject([{ file: { state: 'running' } }]);
  });

  it('passes over a run of a newer version and a damaged one, with a note each', async () => {
    for (const [name, text] of [['newer', '{"version": 2}'], ['broken', '{"version": 1, "id"']] as const) {
      await mkdir(join(root, name), { recursive: true });
      await writeFile(join(root, name, 'run.json'), text);
    }
    expect((await openRun(options(), report)).resumed).toBe(false);
    expect(texts.sort()).toEqual([expect.stringMatching(/broken.*damaged: it is not JSON/), expect.stringMatching(/newer.*newer version of RaVL \(format 2\)/)]);
    expect((await listRuns(root)).filter((entry) => 'problem' in entry).map((entry) => entry.id).sort()).toEqual(['broken', 'newer']);
  });
});

describe('withRun', () => {
  it('closes as complete, interrupted or failed, and always releases the lock', async () => {
    const states: unknown[] = [];
    const id = await withRun(options('c00000'), report, never, (run) => Promise.resolve(run.id));
    states.push(await runFile(id));

    const controller = new AbortController();
    let folderId = '';
    const interrupted = withRun(options('d00000'), report, controller.signal, (run) => {
      folderId = run.id;
      controller.abort();
      return Promise.reject(controller.signal.reason as Error);
    });
    await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
    states.push(await runFile(folderId));

    const failed = withRun(options('e00000'), report, never, (run) => {
      folderId = run.id;
      return Promise.reject(new RangeError('oops'));
    });
    await expect(failed).rejects.toBeInstanceOf(RangeError);
    states.push(await runFile(folderId));

    expect(states).toMatchObject([{ state: 'complete' }, { state: 'interrupted', error: null }, { state: 'failed', error: { code: 'internal', message: 'oops' } }]);
    for (const entry of await listRuns(root)) expect(await readdir(join(entry.folder, 'locks'))).toEqual([]);
  });

  it('sums the seconds of a phase over resumes and keeps the device', async () => {
    const device = { requested: 'auto', used: 'cpu', reason: 'no GPU', maxDifference: null };
    const first = await openRun(options(), report);
    await first.update({ device, timings: { embed: 100 } });
    await first.close({ state: 'interrupted' });
    await withRun(options(), report, never, (run) => run.timed('embed', () => Promise.resolve()));
    const [entry] = await listRuns(root);
    expect(entry).toMatchObject({ file: { device, state: 'complete' } });
    const embed = entry && 'file' in entry ? entry.file.timings.embed! : NaN;
    expect(embed).toBeGreaterThanOrEqual(100);
    expect(embed).toBeLessThan(101);
  });
});
