import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lockHolder } from '../../../src/engine/run/lock';
import { launchFolder, openRun, readRun, settleRun, withRun, type RunOptions } from '../../../src/engine/run/runFolder';
import { runSummaries } from '../../../src/engine/run/summaries';
import { jobsFile, jobsText } from '../../../src/engine/slurm/jobs';
import type { ProgressEvent } from '../../../src/shared/progress';
import { fakeSlurm, type FakeSlurm } from '../../fixtures/fakeSlurm';

let folder: string;
let texts: string[];
let slurm: FakeSlurm;
const report = (event: ProgressEvent) => void (event.type === 'note' && texts.push(event.text));
const never = new AbortController().signal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-on-cluster-'));
  texts = [];
  slurm = fakeSlurm(folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const options = (more: Partial<RunOptions> = {}): RunOptions => ({
  root: join(folder, '.ravl', 'runs'), fingerprint: 'aaaaaa00', describe: { versions: {}, seed: 0, config: {}, inputs: {} }, ...more,
});
const job = (job_state: string) => ({ job_id: 7, array_job_id: 7, array_task_id: 0, job_state });
const state = async (run: string) => {
  const entry = await readRun(run);
  return entry && 'file' in entry ? entry.file.state : null;
};

/** A run whose process has left it to a Slurm job. */
async function handedOver(): Promise<string> {
  const run = await openRun(options(), report);
  await mkdir(launchFolder(run.folder));
  await writeFile(jobsFile(launchFolder(run.folder)), jobsText([{ stage: 'embed', id: '7', tasks: 1 }]));
  await run.handOver();
  return run.folder;
}

describe('a run that was left to Slurm jobs', () => {
  it('is running while they are, and interrupted once they are gone', async () => {
    const run = await handedOver();
    expect(await readdir(join(run, 'locks'))).toEqual([]);
    slurm.knows([job('PENDING')], [job('RUNNING')], [job('FAILED')], []);
    expect([await state(run), await state(run), await state(run), await state(run)]).toEqual(['running', 'running', 'interrupted', 'interrupted']);
  });

  it('is listed with its jobs while they are', async () => {
    await handedOver();
    slurm.knows([job('RUNNING')], [job('FAILED')]);
    expect([await runSummaries(folder), await runSummaries(folder)]).toMatchObject([[{ state: 'running', jobs: ['7'] }], [{ state: 'interrupted', jobs: [] }]]);
  });

  it('is running as far as anyone can tell where Slurm does not answer', async () => {
    const run = await handedOver();
    slurm.knows(null);
    expect(await state(run)).toBe('running');
  });

  it('is no one else to go on with, while they are alive', async () => {
    const run = await handedOver();
    slurm.knows([job('RUNNING')]);
    await expect(openRun(options(), report)).rejects.toMatchObject({ code: 'run-busy', message: expect.stringContaining('Slurm jobs (7) are at work') as string });
    expect(await lockHolder(run)).toBeNull();
    slurm.knows([job('CANCELLED')]);
    const again = await openRun(options(), report);
    expect(again).toMatchObject({ folder: run, resumed: true });
  });

  it('is finished by the job itself', async () => {
    const run = await handedOver();
    slurm.knows([job('RUNNING')]);
    await withRun(options({ only: run }), report, never, () => Promise.resolve());
    expect(await state(run)).toBe('complete');
  });

  it('is not finished with other inputs', async () => {
    const run = await handedOver();
    slurm.knows([job('RUNNING')]);
    await expect(openRun(options({ only: run, fingerprint: 'bbbbbb00' }), report)).rejects.toMatchObject({ code: 'run-inputs-changed' });
    expect(await readdir(join(run, 'locks'))).toEqual([]);
  });

  it('gets its end from who watched, unless a job has written it', async () => {
    const run = await handedOver();
    slurm.knows([]);
    await settleRun(run, { state: 'failed', error: new Error('no') }, report);
    expect(await state(run)).toBe('failed');
    await settleRun(run, { state: 'interrupted' }, report);
    expect(await state(run)).toBe('failed');
    expect(await readdir(join(run, 'locks'))).toEqual([]);
  });
});

describe('a lock of a job on another node', () => {
  /** As a process there would have left it. */
  async function lockedElsewhere(job: object | null): Promise<string> {
    const run = await openRun(options(), report);
    const [lock] = (await readdir(join(run.folder, 'locks'))) as [string];
    const file = join(run.folder, 'locks', lock);
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), host: `not-${hostname()}`, job }));
    return run.folder;
  }

  it('holds while the job lives', async () => {
    const run = await lockedElsewhere({ id: '7_0', restarts: 0 });
    slurm.knows([job('RUNNING')], [job('COMPLETED')]);
    expect(await lockHolder(run)).toMatchObject({ job: { id: '7_0' } });
    expect(await lockHolder(run)).toBeNull();
  });

  it('does not hold up the same task that was started again', async () => {
    const run = await lockedElsewhere({ id: '7_0', restarts: 0 });
    slurm.knows([job('RUNNING')]);
    for (const [name, value] of Object.entries({ SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '0', SLURM_RESTART_COUNT: '1' })) vi.stubEnv(name, value);
    expect(await lockHolder(run)).toBeNull();
    // A process beside it, in the same start of the task.
    vi.stubEnv('SLURM_RESTART_COUNT', '0');
    expect(await lockHolder(run)).not.toBeNull();
  });

  it('holds where nobody can tell', async () => {
    const run = await lockedElsewhere({ id: '7_0', restarts: 0 });
    slurm.knows(null);
    expect(await lockHolder(run)).not.toBeNull();
  });
});
