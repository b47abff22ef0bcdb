/** Tasks in processes of this machine, several at once. */
import { spawn, type ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { PoolConfig } from '../../shared/config';
import { taskCommand, threadsEach } from './command';
import { taskLost } from './errors';
import type { Launch, Watch } from './launch';
import { growingPauses } from './pause';
import { lastLineOf, prepareLaunch, readFailure } from './task';

/** A task that a signal ended is started again this often, as Slurm's are. */
const restarts = 2;
/** Each has a model in memory. */
const mostByDefault = 4;

/** How many tasks are at work at once. */
export const processesOf = ({ processes }: PoolConfig): number => processes ?? Math.min(mostByDefault, availableParallelism());

/** Runs a launch to its end. Errors as `runLaunch`; no task is left when it returns or throws, nor once this process has ended. */
export async function runInPool(launch: Launch, config: PoolConfig, { report, signal, looked }: Watch): Promise<void> {
  signal.throwIfAborted();
  await prepareLaunch(launch);
  const processes = processesOf(config);
  // The first that fails stops the others.
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const looking = look(stop, looked);
  try {
    for (const { name: stage, tasks } of launch.stages) {
      const queue = Array.from({ length: tasks }, (_, index) => index);
      const work = async () => {
        for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
          await runOne(launch, stage, index, threadsEach(Math.min(processes, tasks)), report, stop);
        }
      };
      const outcomes = await Promise.allSettled(
        Array.from({ length: Math.min(processes, tasks) }, () =>
          work().catch((error: unknown) => {
            failed.abort(error);
            throw error;
          }),
        ),
      );
      signal.throwIfAborted();
      if (outcomes.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
    }
  } finally {
    failed.abort();
    await looking;
  }
  await looked?.();
}

async function look(stop: AbortSignal, looked: Watch['looked']): Promise<void> {
  const pause = growingPauses(stop);
  while (!stop.aborted) {
    // A folder that cannot be listed is no reason to stop the work; whoever needs what lies there says so.
    await looked?.().catch(() => undefined);
    await pause();
  }
}

async function runOne(launch: Launch, stage: string, index: number, threads: number, report: Watch['report'], stop: AbortSignal): Promise<void> {
  const { folder, command = taskCommand() } = launch;
  const log = join(folder, 'logs', `${stage}-${index}.log`);
  const what = `Task ${index} of ${stage}`;
  for (let start = 0; ; start++) {
    stop.throwIfAborted();
    const { code, ended } = await inChild([...command, 'task', folder, stage, String(index)], log, threads, stop);
    if (code === 0) return;
    stop.throwIfAborted();
    if (ended && start < restarts) {
      report({ type: 'note', level: 'warning', text: `${what} was ended by ${ended} and is started again.` });
      continue;
    }
    const said = await readFailure(folder, stage, index, log);
    throw said ?? taskLost(what, ended ? `was ended by ${ended}` : `ended with exit code ${code}`, log, await lastLineOf(log), 'Memory that ran out is the usual cause; launcher.processes sets how many work at once.');
  }
}

/** Runs a process to its end and appends what it says to its log; kills it when `stop` is aborted: it leaves nothing half-written. */
async function inChild(argv: readonly string[], log: string, threads: number, stop: AbortSignal): Promise<{ code: number | null; ended: NodeJS.Signals | null }> {
  const output = await open(log, 'a');
  try {
    const child: ChildProcess = spawn(argv[0]!, argv.slice(1), {
      // By the channel it notices that this process has ended.
      stdio: ['ignore', output.fd, output.fd, 'ipc'],
      env: { ...process.env, RAVL_THREADS: String(threads) },
      windowsHide: true,
    });
    const kill = () => void child.kill('SIGKILL');
    stop.addEventListener('abort', kill);
    try {
      return await new Promise((resolve, reject) => {
        child.on('error', reject).on('exit', (code, ended) => resolve({ code, ended }));
      });
    } finally {
      stop.removeEventListener('abort', kill);
    }
  } finally {
    await output.close();
  }
}
