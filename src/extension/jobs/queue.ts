import { resolve } from 'node:path';
import * as vscode from 'vscode';
import type { Job, Jobs, JobSpec } from '../context';
import { settings } from '../names';
import { readSettings } from '../settings';
import { requireTrust } from '../trust';
import { type Clock, QueuedJob, type StartWorker } from './job';

/**
 * The queue of jobs, each with a process of its own from `start`. As many work at a time as the setting says; the others wait.
 * `start` of the queue throws RavlError `workspace-untrusted` where nothing may be started.
 */
export function createJobs(start: StartWorker, clock: Clock = systemClock): Jobs {
  const changes = new vscode.EventEmitter<Job>();
  const active: QueuedJob[] = [];
  let last = 0;

  const pump = (): void => {
    const working = active.filter(({ state }) => state !== 'queued').length;
    const waiting = active.filter(({ state }) => state === 'queued').slice(0, Math.max(0, readSettings().parallelRuns - working));
    for (const job of waiting) void job.work(start);
  };
  const changed = (job: QueuedJob): void => {
    const ended = job.state === 'complete' || job.state === 'failed' || job.state === 'cancelled';
    const index = active.indexOf(job);
    if (ended && index >= 0) active.splice(index, 1);
    changes.fire(job);
    if (ended) pump();
  };
  const settingChanges = vscode.workspace.onDidChangeConfiguration((change) => {
    if (change.affectsConfiguration(settings.parallelRuns)) pump();
  });

  return {
    start<K extends JobSpec['kind']>(spec: Extract<JobSpec, { kind: K }>): Job<K> {
      requireTrust();
      const job: QueuedJob = new QueuedJob(++last, spec as JobSpec, clock, () => changed(job));
      active.push(job);
      changes.fire(job);
      pump();
      return job as unknown as Job<K>;
    },
    get active() {
      return active;
    },
    of: (folder) => active.find(({ run }) => run !== null && resolve(run.folder) === resolve(folder)),
    onDidChange: changes.event,
    dispose: () => {
      settingChanges.dispose();
      changes.dispose();
      for (const job of active.splice(0)) job.kill();
    },
  };
}

const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    return { dispose: () => clearTimeout(timer) };
  },
};
