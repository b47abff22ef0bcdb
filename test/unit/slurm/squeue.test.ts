import { describe, expect, it } from 'vitest';
import { parseJobs } from '../../../src/engine/slurm/squeue';

/** As Slurm 22.05 prints them: plain numbers and texts, null where there is none. */
const old = {
  meta: { Slurm: { release: '22.05.8' } },
  errors: [],
  jobs: [
    { job_id: 9, array_job_id: 7, array_task_id: 0, array_task_string: '', job_state: 'COMPLETED', exit_code: 0, nodes: 'n1', restart_cnt: 0, state_reason: 'None' },
    { job_id: 10, array_job_id: 7, array_task_id: 1, array_task_string: '', job_state: 'RUNNING', exit_code: 0, nodes: 'n2', restart_cnt: 1, state_reason: 'None' },
    { job_id: 7, array_job_id: 7, array_task_id: null, array_task_string: '2-4', job_state: 'PENDING', exit_code: 0, nodes: '', restart_cnt: 0, state_reason: 'Resources' },
    { job_id: 8, array_job_id: 0, array_task_id: null, array_task_string: '', job_state: 'OUT_OF_MEMORY', exit_code: 32000, nodes: 'n3', restart_cnt: 0, state_reason: 'OutOfMemory' },
  ],
};

const number = (value: number | null) => ({ set: value !== null, infinite: false, number: value ?? 0 });
/** As 23.11 and later do: numbers that may be unset, and a list of states. */
const recent = {
  ...old,
  jobs: old.jobs.map((job) => ({
    ...job,
    array_job_id: number(job.array_job_id),
    array_task_id: number(job.array_task_id),
    job_state: [job.job_state],
    exit_code: { status: ['SUCCESS'], return_code: number(0), signal: { id: number(null), name: '' } },
  })),
  last_backfill: number(0),
  warnings: [],
};

describe('jobs in what squeue prints', () => {
  it.each([['an old version', old], ['a recent version', recent]])('are read from %s', (_, answer) => {
    expect(parseJobs(JSON.stringify(answer))).toEqual([
      { id: '7_0', array: '7', index: 0, outcome: 'done', state: 'COMPLETED', reason: 'None', nodes: 'n1', restarts: 0 },
      { id: '7_1', array: '7', index: 1, outcome: 'active', state: 'RUNNING', reason: 'None', nodes: 'n2', restarts: 1 },
      { id: '7', array: '7', index: null, outcome: 'active', state: 'PENDING', reason: 'Resources', nodes: '', restarts: 0 },
      { id: '8', array: '8', index: null, outcome: 'failed', state: 'OUT_OF_MEMORY', reason: 'OutOfMemory', nodes: 'n3', restarts: 0 },
    ]);
  });

  it.each([
    ['PENDING', 'active'], ['CONFIGURING', 'active'], ['SUSPENDED', 'active'], ['COMPLETING', 'active'], ['REQUEUED', 'active'], [['NODE_FAIL', 'REQUEUED'], 'active'],
    [['CANCELLED', 'COMPLETING'], 'active'], ['FAILED+COMPLETING', 'active'], ['COMPLETED', 'done'], ['FAILED', 'failed'], ['TIMEOUT', 'failed'], ['CANCELLED', 'failed'], ['NODE_FAIL', 'failed'],
    ['DEADLINE', 'failed'], ['BOOT_FAIL', 'failed'], [['PREEMPTED'], 'failed'],
  ])('in state %s are %s', (job_state, outcome) => {
    expect(parseJobs(JSON.stringify({ errors: [], jobs: [{ job_id: 3, job_state }] }))).toMatchObject([{ id: '3', outcome }]);
  });

  it('are unknown where the controller did not answer, which old versions tell in the JSON alone', () => {
    expect(parseJobs(JSON.stringify({ meta: {}, errors: [{ error: 'Unable to contact slurm controller', source: 'slurm_load_jobs' }], jobs: [] }))).toBeNull();
    expect(parseJobs('')).toBeNull();
    expect(parseJobs('slurm_load_jobs error: Unable to contact slurm controller')).toBeNull();
    expect(parseJobs('{"jobs": 3}')).toBeNull();
  });
});
