/** The process behind the viewer: when it is started, and when it ends. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { WorkerOptions, WorkerProcess } from '../../../src/extension/worker/workerProcess';
import type { Launch } from '../../../src/extension/worker/launcher';
import { createViewer } from '../../../src/extension/worker/viewer';
import { RavlError } from '../../../src/shared/errors';
import { fake } from '../../fixtures/fakeVscode';

interface FakeProcess {
  readonly options: Partial<WorkerOptions>;
  readonly asked: unknown[];
  disposed: boolean;
  /** Answers the oldest open question. */
  answer(value: unknown): void;
  die(error: RavlError): void;
}

const died = new RavlError('worker-died', 'It was killed.', '');

function setUp() {
  const processes: FakeProcess[] = [];
  const timers: { work(): void; milliseconds: number; on: boolean }[] = [];
  const launch: Launch = (options = {}) => {
    const open: { resolve(value: unknown): void; reject(error: unknown): void }[] = [];
    let end: (error: RavlError) => void = () => undefined;
    const ended = new Promise<RavlError>((resolve) => (end = resolve));
    const process: FakeProcess = {
      options, asked: [], disposed: false,
      answer: (value) => open.shift()!.resolve(value),
      die(error) {
        end(error);
        for (const call of open) call.reject(error);
      },
    };
    processes.push(process);
    const ask = (params: unknown) => {
      process.asked.push(params);
      return new Promise((resolve, reject) => open.push({ resolve, reject }));
    };
    return Promise.resolve({ api: { view: ask, listRuns: ask }, pid: 1, ended, dispose: () => (process.disposed = true) } as unknown as WorkerProcess);
  };
  const after = (work: () => void, milliseconds: number) => {
    const timer = { work, milliseconds, on: true };
    timers.push(timer);
    return () => (timer.on = false);
  };
  const started = vi.fn(launch);
  const log = { info: vi.fn(), warn: vi.fn() };
  const viewer = createViewer(started, log, after as never);
  /** So much time passes that whatever waits comes. */
  const pass = () => timers.filter(({ on }) => on).forEach((timer) => ((timer.on = false), timer.work()));
  return { viewer, processes, timers, started, log, pass };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => fake.reset());

describe('the viewer', () => {
  it('starts a process with the first question, and asks that one the others', async () => {
    const { viewer, processes, started } = setUp();
    expect(started).not.toHaveBeenCalled();
    const overview = viewer.view('/run', 'overview', {});
    const runs = viewer.api.listRuns({ root: '/' });
    await settled();
    expect(processes).toHaveLength(1);
    expect(processes[0]!.asked).toEqual([{ folder: '/run', query: 'overview', params: {} }, { root: '/' }]);
    processes[0]!.answer({ seed: 5 });
    processes[0]!.answer([]);
    expect([await overview, await runs]).toEqual([{ seed: 5 }, []]);
  });

  it('gives the process the size of its cache in bytes', async () => {
    const { viewer, processes } = setUp();
    void viewer.api.listRuns({ root: '/' });
    await settled();
    expect(processes[0]!.options.args).toEqual([String(512 * 1024 * 1024)]);
  });

  it('passes on how far a slow answer is', async () => {
    const { viewer, processes } = setUp();
    const heard: unknown[] = [];
    viewer.onProgress((event) => heard.push(event));
    void viewer.view('/run', 'projection', {});
    await settled();
    processes[0]!.options.events!.viewProgress!({ folder: '/run', query: 'projection', done: 1, total: 2 });
    expect(heard).toEqual([{ folder: '/run', query: 'projection', done: 1, total: 2 }]);
  });

  it('tells what a process died of, and starts another for the next question', async () => {
    const { viewer, processes } = setUp();
    const first = viewer.view('/run', 'overview', {});
    await settled();
    processes[0]!.die(died);
    await expect(first).rejects.toBe(died);
    const second = viewer.view('/run', 'overview', {});
    await settled();
    expect(processes).toHaveLength(2);
    processes[1]!.answer('again');
    expect(await second).toBe('again');
  });

  it('tries again after a start that failed', async () => {
    const { viewer, processes, started } = setUp();
    started.mockRejectedValueOnce(new RavlError('node-missing', 'There is none.', ''));
    await expect(viewer.api.listRuns({ root: '/' })).rejects.toMatchObject({ code: 'node-missing' });
    void viewer.api.listRuns({ root: '/' });
    await settled();
    expect(processes).toHaveLength(1);
  });

  it('ends the process when nobody asked for some minutes, not while one waits, and starts it again', async () => {
    const { viewer, processes, timers, pass } = setUp();
    const slow = viewer.view('/run', 'projection', {});
    const quick = viewer.api.listRuns({ root: '/' });
    await settled();
    pass();
    processes[0]!.answer('first');
    await slow;
    pass();
    await settled();
    expect(processes[0]!.disposed).toBe(false);
    processes[0]!.answer([]);
    await quick;
    expect(timers.at(-1)!.milliseconds).toBeGreaterThanOrEqual(60_000);
    // Another question in time keeps it.
    const third = viewer.api.listRuns({ root: '/' });
    await settled();
    pass();
    processes[0]!.answer([]);
    await third;
    expect(processes[0]!.disposed).toBe(false);
    pass();
    await settled();
    expect(processes[0]!.disposed).toBe(true);
    void viewer.api.listRuns({ root: '/' });
    await settled();
    expect(processes).toHaveLength(2);
  });

  it('does not start for a question that was cancelled before', async () => {
    const { viewer, started } = setUp();
    await expect(viewer.view('/run', 'overview', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(started).not.toHaveBeenCalled();
  });

  it('disposed, ends its process, also one that is being started, and answers nothing more', async () => {
    const { viewer, processes } = setUp();
    const asked = viewer.api.listRuns({ root: '/' });
    viewer.dispose();
    await expect(asked).rejects.toMatchObject({ code: 'worker-stopped' });
    await settled();
    expect(processes.map(({ disposed }) => disposed)).toEqual([true]);
    await expect(viewer.api.listRuns({ root: '/' })).rejects.toMatchObject({ code: 'worker-stopped' });
  });

  it('writes into the log that a process stands still, and that it goes on', async () => {
    const { viewer, processes, log } = setUp();
    void viewer.api.listRuns({ root: '/' });
    await settled();
    processes[0]!.options.unresponsive!(60);
    processes[0]!.options.unresponsive!(0);
    expect(log.warn.mock.calls).toEqual([[expect.stringContaining('60 seconds')], [expect.stringContaining('again')]]);
  });
});
