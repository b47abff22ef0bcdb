import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchJobs } from '../../../src/engine/launcher/cluster';
import type { ProgressEvent } from '../../../src/shared/progress';
import { fakeSlurm, type FakeSlurm } from '../../fixtures/fakeSlurm';

// Looks follow each other at once.
vi.mock('../../../src/engine/launcher/pause', () => ({ growingPauses: () => () => Promise.resolve() }));

let folder: string;
let slurm: FakeSlurm;
let notes: string[];
const report = (event: ProgressEvent) => event.type === 'note' && notes.push(event.text);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ravl-cluster-'));
  mkdirSync(join(folder, 'logs'));
  slurm = fakeSlurm(folder);
  notes = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const jobs = [{ stage: 'embed', id: '7', tasks: 2 }, { stage: 'merge', id: '8', tasks: 1 }];
const task = (array_task_id: number, job_state: string, more = {}) => ({ job_id: 20 + array_task_id, array_job_id: 7, array_task_id, job_state, nodes: 'n1', ...more });
const merge = (job_state: string, more = {}) => ({ job_id: 8, array_job_id: 8, array_task_id: 0, job_state, ...more });
const watch = (signal = new AbortController().signal) => watchJobs(folder, jobs, { report, signal });

describe('who watches jobs', () => {
  it('returns when all have ended well, and tells of what was lost on the way', async () => {
    slurm.knows(
      [task(0, 'RUNNING'), task(1, 'PENDING'), merge('PENDING', { state_reason: 'Dependency' })],
      [task(0, 'RUNNING', { restart_cnt: 1, nodes: 'n2' }), task(1, 'PENDING', { state_reason: 'PartitionDown' }), merge('PENDING', { state_reason: 'Dependency' })],
      [task(0, 'COMPLETED', { restart_cnt: 1, nodes: 'n2' }), task(1, 'COMPLETED'), merge('RUNNING', { nodes: 'n3' })],
      [task(0, 'COMPLETED', { restart_cnt: 1, nodes: 'n2' }), task(1, 'COMPLETED'), merge('COMPLETED', { nodes: 'n3' })],
    );
    await watch();
    expect(notes).toEqual(['Task 7_0 was lost, and Slurm starts it again, on n2.', 'Slurm lets job 7 wait: PartitionDown.', 'The stage merge has begun on n3.']);
    expect(slurm.calls('scancel')).toEqual([]);
  });

  it('asks again where the controller is silent, and says so once', async () => {
    slurm.knows(null, null, [task(0, 'RUNNING')], null, [task(0, 'COMPLETED'), task(1, 'COMPLETED'), merge('COMPLETED')]);
    await watch();
    expect(notes).toEqual(Array(2).fill('Slurm does not answer; its jobs go on without it, and RaVL asks again.'));
  });

  it('stops everything and throws what a task has said', async () => {
    writeFileSync(join(folder, 'failed-embed-1.json'), JSON.stringify({ code: 'dataset-image-unreadable', message: 'a.png is no image.', hint: 'Replace it.' }));
    slurm.knows([task(0, 'RUNNING'), task(1, 'FAILED'), merge('PENDING')], [task(0, 'CANCELLED'), task(1, 'FAILED'), merge('CANCELLED')]);
    await expect(watch()).rejects.toMatchObject({ code: 'dataset-image-unreadable', message: 'a.png is no image.', hint: `Replace it. The log of that task: ${join(folder, 'logs', 'embed-7_1.log')}` });
    expect(slurm.calls('scancel')).toEqual([['--quiet', '7', '8']]);
  });

  it.each([
    ['TIMEOUT', /ended as TIMEOUT on n1; the last line of its log, \S+embed-7_1\.log, is: embed: 12 of 64 images\.$/, /^Give tasks more time/],
    ['OUT_OF_MEMORY', /ended as OUT_OF_MEMORY on n1/, /--mem=16G/],
    ['NODE_FAIL', /ended as NODE_FAIL on n1/, /--exclude/],
    ['CANCELLED', /ended as CANCELLED on n1/, /cancelled it/],
  ])('says how a task ended that said nothing: %s', async (state, message, hint) => {
    writeFileSync(join(folder, 'logs', 'embed-7_1.log'), 'embed: 0 of 64 images\nembed: 12 of 64 images\n\n');
    slurm.knows([task(0, 'COMPLETED'), task(1, state), merge('CANCELLED')]);
    await expect(watch()).rejects.toMatchObject({ code: 'launcher-task-lost', message: expect.stringMatching(message) as string, hint: expect.stringMatching(hint) as string });
    await expect(watch()).rejects.toThrow(/^Task 1 of embed \(Slurm job 7_1\) /);
  });

  it('waits for a task to end that has said why it fails', async () => {
    writeFileSync(join(folder, 'failed-embed-0.json'), JSON.stringify({ code: 'a-b', message: 'No.', hint: 'Do.' }));
    slurm.knows([task(0, 'RUNNING'), task(1, 'COMPLETED'), merge('PENDING')], [task(0, 'FAILED'), task(1, 'COMPLETED'), merge('CANCELLED')]);
    await expect(watch()).rejects.toMatchObject({ message: 'No.' });
    // Two looks, and one whether all are gone.
    expect(slurm.calls('squeue')).toHaveLength(3);
  });

  it('cancels the jobs when it is stopped, and returns once they are gone', async () => {
    const controller = new AbortController();
    controller.abort();
    slurm.knows([task(0, 'RUNNING')], [task(0, 'COMPLETING')], [task(0, 'CANCELLED'), merge('CANCELLED')]);
    await expect(watch(controller.signal)).rejects.toBe(controller.signal.reason);
    expect(slurm.calls('scancel')).toEqual([['--quiet', '7', '8']]);
    expect(slurm.calls('squeue')).toHaveLength(3);
  });
});
