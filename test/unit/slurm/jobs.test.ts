import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cancelJobs, idsAlive, jobsAlive, jobsFile, jobsText, ownJob, submittedJobs } from '../../../src/engine/slurm/jobs';
import { fakeSlurm } from '../../fixtures/fakeSlurm';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ravl-jobs-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const jobs = [{ stage: 'embed', id: '7', tasks: 3 }, { stage: 'merge', id: '8', tasks: 1 }];
const task = (index: number, job_state: string) => ({ job_id: 20 + index, array_job_id: 7, array_task_id: index, job_state });

describe('the jobs of a folder', () => {
  it('are alive while Slurm has one that waits or runs', async () => {
    const slurm = fakeSlurm(folder);
    writeFileSync(jobsFile(folder), jobsText(jobs));
    expect(await submittedJobs(folder)).toEqual(jobs);
    slurm.knows([task(0, 'COMPLETED'), task(1, 'RUNNING')], [task(0, 'COMPLETED'), task(1, 'CANCELLED')], [{ ...task(1, 'RUNNING'), array_job_id: 70 }], null);
    expect([await jobsAlive(folder), await jobsAlive(folder), await jobsAlive(folder), await jobsAlive(folder)]).toEqual([true, false, false, null]);
    expect(slurm.calls('squeue')[0]).toEqual(['--json', '--jobs=7,8', '--states=all']);
  });

  it('are none without a file that can be read, and nobody is asked', async () => {
    const slurm = fakeSlurm(folder);
    expect(await jobsAlive(folder)).toBe(false);
    for (const text of ['', '{', 'null', '{"version":2,"jobs":[]}', '{"version":1,"jobs":[{"stage":"embed","id":"7; reboot","tasks":1}]}']) {
      writeFileSync(jobsFile(folder), text);
      expect(await jobsAlive(folder)).toBe(false);
    }
    expect(slurm.calls('squeue')).toEqual([]);
  });

  it('cannot be told of on a machine without Slurm', async () => {
    vi.stubEnv('PATH', folder);
    writeFileSync(jobsFile(folder), jobsText(jobs));
    expect(await jobsAlive(folder)).toBeNull();
    await expect(cancelJobs(['7'])).rejects.toMatchObject({ code: 'launcher-slurm-missing' });
  });

  it('are single tasks too', async () => {
    fakeSlurm(folder).knows([task(0, 'COMPLETED'), task(1, 'RUNNING')]);
    expect([await idsAlive(['7_0']), await idsAlive(['7_1'])]).toEqual([false, true]);
  });
});

it('a process knows the job that it is part of by what Slurm sets', () => {
  expect(ownJob({})).toBeNull();
  expect(ownJob({ SLURM_JOB_ID: '12' })).toEqual({ id: '12', restarts: 0 });
  expect(ownJob({ SLURM_JOB_ID: '12', SLURM_ARRAY_JOB_ID: '9', SLURM_ARRAY_TASK_ID: '3', SLURM_RESTART_COUNT: '2' })).toEqual({ id: '9_3', restarts: 2 });
});
