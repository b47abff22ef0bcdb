import { beforeEach, describe, expect, it } from 'vitest';
import type { Jobs } from '../../../../src/extension/context';
import { createJobs } from '../../../../src/extension/jobs/queue';
import { configSchema } from '../../../../src/shared/config';
import { RavlError } from '../../../../src/shared/errors';
import { emittersOf, fake, workspace } from '../../../fixtures/fakeVscode';
import { fakeClock, fakeWorkers, settled } from '../../../fixtures/fakeWorkers';

const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'v.csv' } });
const work = { config, baseDir: '/work', root: '/work' };
const analysis = { kind: 'analyze', title: 'clip', params: work } as const;
const training = { kind: 'fineTune', title: 'clip', params: { ...work, kind: 'mitigate' } } as const;
const died = new RavlError('worker-died', 'The RaVL worker process was killed by SIGKILL.', 'Resume it.');

let workers: ReturnType<typeof fakeWorkers>;
let clock: ReturnType<typeof fakeClock>;
let jobs: Jobs;
beforeEach(() => {
  fake.reset();
  workers = fakeWorkers();
  clock = fakeClock();
  jobs = createJobs(workers.start, clock);
});

const states = (): string[] => jobs.active.map(({ state }) => state);

describe('the queue', () => {
  it('runs one at a time, in the order of asking, each in a process of its own', async () => {
    const [first, second] = [jobs.start<'analyze'>(analysis), jobs.start<'fineTune'>(training)];
    await settled();
    expect(states()).toEqual(['running', 'queued']);
    expect(workers.started.map(({ call }) => call?.method)).toEqual(['analyze']);
    workers.started[0]!.answer({ flagged: 2 });
    expect(await first.done).toEqual({ flagged: 2 });
    await settled();
    expect([first.state, ...states()]).toEqual(['complete', 'running']);
    expect(workers.started[0]!.disposed).toBe(true);
    expect(workers.started.map(({ call }) => call?.method)).toEqual(['analyze', 'fineTune']);
    expect(jobs.active).toEqual([second]);
  });

  it('runs as many as the setting says, from the moment it says so', async () => {
    for (let i = 0; i < 4; i++) jobs.start<'analyze'>(analysis);
    await settled();
    expect(states()).toEqual(['running', 'queued', 'queued', 'queued']);
    await workspace.getConfiguration().update('ravl.parallelRuns', 3);
    expect(states()).toEqual(['running', 'running', 'running', 'queued']);
  });

  it('goes on after a failure and after a death, which cost their job alone', async () => {
    const all = [analysis, analysis, analysis].map((spec) => jobs.start<'analyze'>(spec));
    await settled();
    workers.started[0]!.fail(new RavlError('dataset-missing', 'There is no v.csv.', ''));
    await expect(all[0]!.done).rejects.toThrow('no v.csv');
    await settled();
    workers.started[1]!.die(died);
    await expect(all[1]!.done).rejects.toBe(died);
    await settled();
    workers.started[2]!.answer({});
    await all[2]!.done;
    expect(all.map(({ state }) => state)).toEqual(['failed', 'failed', 'complete']);
  });

  it('fails a job whose process does not start', async () => {
    workers.breakWith(new RavlError('node-missing', 'No Node.js was found.', ''));
    const job = jobs.start<'analyze'>(analysis);
    await expect(job.done).rejects.toMatchObject({ code: 'node-missing' });
    expect([job.state, jobs.active.length]).toEqual(['failed', 0]);
  });

  it('starts nothing in a workspace that is not trusted', () => {
    fake.trusted = false;
    expect(() => jobs.start<'analyze'>(analysis)).toThrow(expect.objectContaining({ code: 'workspace-untrusted' }));
    expect([jobs.active.length, workers.started.length]).toEqual([0, 0]);
  });

  it('finds the job at work on a run, and tells of every change', async () => {
    const told: string[] = [];
    jobs.onDidChange(({ id, state, run }) => told.push(`${id} ${state} ${run?.id ?? '-'}`));
    const job = jobs.start<'analyze'>(analysis);
    await settled();
    workers.started[0]!.listeners.run({ id: 'one', folder: '/work/.ravl/runs/one' });
    expect(jobs.of('/work/.ravl/runs/one/')).toBe(job);
    expect(jobs.of('/work/.ravl/runs/two')).toBeUndefined();
    workers.started[0]!.answer({});
    await job.done;
    expect(jobs.of('/work/.ravl/runs/one')).toBeUndefined();
    expect(told).toEqual(['1 queued -', '1 running -', '1 running one', '1 complete one']);
  });

  it('takes its processes along when the window closes', async () => {
    await workspace.getConfiguration().update('ravl.parallelRuns', 2);
    jobs.start<'analyze'>(analysis);
    jobs.start<'fineTune'>(training);
    jobs.start<'analyze'>(analysis);
    await settled();
    jobs.dispose();
    await settled();
    expect(workers.started.map(({ disposed }) => disposed)).toEqual([true, true]);
    expect(emittersOf().configuration).toBe(0);
  });
});

describe('cancelling', () => {
  it('a waiting job never starts it', async () => {
    jobs.start<'analyze'>(analysis);
    const waiting = jobs.start<'analyze'>(analysis);
    await settled();
    waiting.cancel();
    await expect(waiting.done).rejects.toMatchObject({ name: 'AbortError' });
    expect([waiting.state, workers.started.length, jobs.active.length]).toEqual(['cancelled', 1, 1]);
  });

  it('asks the process, and waits for it to say that it has stopped', async () => {
    const job = jobs.start<'fineTune'>(training);
    await settled();
    job.cancel();
    const [worker] = workers.started;
    expect([job.state, worker!.call!.signal.aborted, worker!.disposed]).toEqual(['stopping', true, false]);
    clock.move(5000);
    worker!.fail(new RavlError('cancelled', 'It was cancelled.', ''));
    await expect(job.done).rejects.toMatchObject({ name: 'AbortError' });
    expect(job.state).toBe('cancelled');
  });

  it('ends within two seconds an analysis that does not stop', async () => {
    const job = jobs.start<'analyze'>(analysis);
    await settled();
    job.cancel();
    clock.move(1000);
    expect(workers.started[0]!.disposed).toBe(false);
    clock.move(1000);
    expect(workers.started[0]!.disposed).toBe(true);
    await expect(job.done).rejects.toMatchObject({ name: 'AbortError' });
    expect([job.state, jobs.active.length]).toEqual(['cancelled', 0]);
  });

  it('leaves a training half a minute to save its state, unless one asks twice', async () => {
    const job = jobs.start<'fineTune'>(training);
    await settled();
    job.cancel();
    clock.move(29_000);
    expect(workers.started[0]!.disposed).toBe(false);
    job.cancel();
    expect(workers.started[0]!.disposed).toBe(true);
    await expect(job.done).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('leaves an analysis on a cluster half a minute to have its jobs cancelled', async () => {
    const job = jobs.start<'analyze'>({ ...analysis, params: { ...analysis.params, config: { ...analysis.params.config, launcher: { kind: 'slurm' } } } });
    await settled();
    job.cancel();
    clock.move(29_000);
    expect(workers.started[0]!.disposed).toBe(false);
    clock.move(1000);
    expect(workers.started[0]!.disposed).toBe(true);
    await expect(job.done).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('hides no failure on the way', async () => {
    const job = jobs.start<'fineTune'>(training);
    await settled();
    job.cancel();
    workers.started[0]!.fail(new RavlError('run-disk-full', 'The disk is full.', ''));
    await expect(job.done).rejects.toMatchObject({ code: 'run-disk-full' });
    expect(job.state).toBe('failed');
  });

  it('keeps a result that was there already', async () => {
    const job = jobs.start<'analyze'>(analysis);
    await settled();
    job.cancel();
    workers.started[0]!.answer({ flagged: 0 });
    expect(await job.done).toEqual({ flagged: 0 });
    expect(job.state).toBe('complete');
  });
});

describe('a running job', () => {
  it('finishes a training, and nothing else', async () => {
    const [analyzing, trained] = [jobs.start<'analyze'>(analysis), jobs.start<'fineTune'>(training)];
    await settled();
    analyzing.finish();
    trained.finish();
    expect(workers.started[0]!.finished).toBe(false);
    workers.started[0]!.answer({});
    await settled();
    trained.finish();
    expect(workers.started[1]!.finished).toBe(true);
  });

  it('tells how long a phase will take, from its pace', async () => {
    const job = jobs.start<'analyze'>(analysis);
    await settled();
    const embed = (done: number) => workers.started[0]!.listeners.progress({ type: 'progress', phase: 'embed', done, total: 1000, unit: 'images' });
    embed(0);
    expect(job.eta).toBeNull();
    clock.move(2000);
    embed(200);
    // 100 a second, 800 to go.
    expect(job.eta).toBe(8);
    const cluster = (done: number) => workers.started[0]!.listeners.progress({ type: 'progress', phase: 'cluster', done, total: 30, unit: 'clusterings' });
    cluster(0);
    expect(job.eta).toBeNull();
    expect(job.progress).toMatchObject({ phase: 'cluster', done: 0 });
    // The pace of the phase before does not count.
    clock.move(1000);
    cluster(10);
    expect(job.eta).toBe(2);
  });

  it('passes on all it hears, but redraws views four times a second at most', async () => {
    const job = jobs.start<'analyze'>(analysis);
    await settled();
    const heard: unknown[] = [];
    let redrawn = 0;
    job.onEvent((event) => heard.push(event));
    jobs.onDidChange(() => redrawn++);
    for (let done = 0; done < 1000; done++) {
      workers.started[0]!.listeners.progress({ type: 'progress', phase: 'embed', done, total: 1001, unit: 'images' });
      clock.move(1);
    }
    workers.started[0]!.listeners.progress({ type: 'note', level: 'info', text: 'Hello.' });
    expect(heard).toHaveLength(1001);
    expect(redrawn).toBeGreaterThan(2);
    expect(redrawn).toBeLessThanOrEqual(5);
  });
});
