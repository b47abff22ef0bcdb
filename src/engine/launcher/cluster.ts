/** Tasks as jobs of a Slurm cluster: an array a stage, each depending on the whole one before. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SlurmConfig } from '../../shared/config';
import type { RavlError } from '../../shared/errors';
import { writeFileAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { cancelJobs, jobsAlive, jobsFile, jobsText, submittedJobs, type SubmittedJob } from '../slurm/jobs';
import { submitArray } from '../slurm/sbatch';
import { queryJobs, type Job } from '../slurm/squeue';
import { taskCommand } from './command';
import { hintFor, taskLost } from './errors';
import type { Launch, Watch } from './launch';
import { growingPauses } from './pause';
import { failedTasks, lastLineOf, prepareLaunch, readFailure } from './task';

/**
 * Submits all stages of a launch and returns their jobs, which jobs.json of its folder holds too. Where one stage is refused,
 * those before it are cancelled. Throws RavlError `launcher-slurm-*` and storage errors.
 */
export async function submitLaunch(launch: Launch, config: SlurmConfig, { report, signal }: Watch): Promise<readonly SubmittedJob[]> {
  signal.throwIfAborted();
  const { folder, name, command = taskCommand() } = launch;
  await prepareLaunch(launch);
  const script = join(folder, 'job.sh');
  await withStorageErrors(script, () => writeFile(script, jobScript));
  const jobs: SubmittedJob[] = [];
  try {
    for (const { name: stage, tasks } of launch.stages.filter(({ tasks }) => tasks > 0)) {
      const after = jobs.at(-1)?.id;
      const array = { name: `ravl-${name}-${stage}`, folder, script, stage, tasks, command: [...command, 'task', folder, stage], ...(after === undefined ? {} : { after }) };
      jobs.push({ stage, tasks, id: await submitArray(array, config) });
    }
    await writeFileAtomically(jobsFile(folder), jobsText(jobs));
  } catch (error) {
    await cancelJobs(jobs.map(({ id }) => id)).catch(() => undefined);
    throw error;
  }
  const listed = jobs.map(({ stage, tasks, id }) => `${id} (${stage}, ${tasks} ${tasks === 1 ? 'task' : 'tasks'})`);
  report({ type: 'note', level: 'info', text: `Submitted to Slurm: ${listed.join(', ')}.` });
  return jobs;
}

/** The jobs of a launch's folder, where at least one of them waits or runs; null otherwise. */
export async function liveJobs(folder: string): Promise<readonly SubmittedJob[] | null> {
  return (await jobsAlive(folder)) ? await submittedJobs(folder) : null;
}

export type { SubmittedJob } from '../slurm/jobs';

/** Waits for jobs; errors as `runLaunch`. A controller that does not answer is waited for too. */
export async function watchJobs(folder: string, jobs: readonly SubmittedJob[], { report, signal, looked }: Watch): Promise<void> {
  const ids = jobs.map(({ id }) => id);
  const pause = growingPauses(signal);
  let silent = false;
  const told = new Set<string>();
  for (;;) {
    if (signal.aborted) {
      await cancelAndWait(ids);
      throw signal.reason;
    }
    const found = await queryJobs(ids);
    await looked?.().catch(() => undefined);
    if (found) {
      const error = await failureIn(folder, jobs, found);
      if (error) {
        await cancelAndWait(ids);
        throw error;
      }
      for (const job of found) note(job, jobs, told, report);
      if (!found.some(({ outcome }) => outcome === 'active')) return;
    } else if (!silent) {
      report({ type: 'note', level: 'warning', text: 'Slurm does not answer; its jobs go on without it, and RaVL asks again.' });
    }
    silent = found === null;
    await pause();
  }
}

/** A lost node, or a task that was killed, costs that task's time alone; but a person wants to know, as of a wait that nothing will end. */
function note({ id, array, outcome, state, restarts, nodes, reason }: Job, jobs: readonly SubmittedJob[], told: Set<string>, report: Watch['report']): void {
  const tell = (key: string, text: string, level: 'info' | 'warning' = 'warning') => {
    if (!told.has(key)) report({ type: 'note', level, text });
    told.add(key);
  };
  const stage = jobs.findIndex((job) => job.id === array);
  if (stage > 0 && state.includes('RUNNING')) tell(array, `The stage ${jobs[stage]!.stage} has begun${nodes ? ` on ${nodes}` : ''}.`, 'info');
  if (restarts > 0) tell(`${id} ${restarts}`, `Task ${id} was lost, and Slurm starts it again${nodes ? `, on ${nodes}` : ''}.`);
  if (outcome === 'active' && !usualReasons.test(reason)) tell(`${array} ${reason}`, `Slurm lets job ${array} wait: ${reason}.`);
}

const usualReasons = /^(|None|Priority|Resources|Dependency|BeginTime|Cleaning|JobArrayTaskLimit|.*Nodes_required_for_job_are_DOWN.*)$/;

/** Why a launch cannot end well, or null. What a task itself has said comes first, then how a job ended. */
async function failureIn(folder: string, jobs: readonly SubmittedJob[], found: readonly Job[]): Promise<RavlError | null> {
  const logOf = (stage: string, index: number) => join(folder, 'logs', `${stage}-${jobs.find((job) => job.stage === stage)?.id}_${index}.log`);
  const lost = found.filter(({ outcome }) => outcome === 'failed');
  const restarted = (stage: string, index: number) => found.some((job) => job.outcome === 'active' && job.index === index && job.array === jobs.find((each) => each.stage === stage)?.id);
  for (const { stage, index } of await failedTasks({ folder, stages: jobs.map(({ stage: name, tasks }) => ({ name, tasks })) })) {
    // Its process may not have ended yet, or a person may have had it started again.
    if (restarted(stage, index)) continue;
    const said = await readFailure(folder, stage, index, logOf(stage, index));
    if (said) return said;
  }
  // What depends on a task that failed is cancelled because of it.
  const job = lost.find(({ state }) => !state.includes('CANCELLED')) ?? lost[0];
  if (!job) return null;
  const stage = jobs.find(({ id }) => id === job.array)?.stage ?? 'unknown';
  const log = logOf(stage, job.index ?? 0);
  const where = job.nodes ? ` on ${job.nodes}` : '';
  return taskLost(`Task ${job.index ?? 0} of ${stage} (Slurm job ${job.id})`, `ended as ${job.state}${where}`, log, await lastLineOf(log), hintFor(job));
}

async function cancelAndWait(ids: readonly string[]): Promise<void> {
  await cancelJobs(ids);
  const pause = growingPauses(undefined, 250, 2000);
  // Slurm gives a process half a minute to end before it kills it; a controller that is silent for longer is not waited for.
  for (const end = Date.now() + longestCancel; Date.now() < end; await pause()) {
    const found = await queryJobs(ids);
    if (found && !found.some(({ outcome }) => outcome === 'active')) return;
  }
}

/** Milliseconds. */
const longestCancel = 120_000;

/**
 * The same for every launch. Slurm starts a task anew when it loses the node; a process that was killed on a node that lives (128
 * and more, other than by Ctrl-C or scancel) is put back by the script itself, twice at most.
 */
const jobScript = `#!/bin/sh
# Runs one task of RaVL; what it is to do are its arguments.
RAVL_THREADS="\${SLURM_CPUS_ON_NODE:-}"
export RAVL_THREADS
"$@" "\${SLURM_ARRAY_TASK_ID:-0}"
status=$?
if [ "$status" -gt 128 ] && [ "$status" -ne 130 ] && [ "$status" -ne 143 ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt 2 ]; then
  echo "The task ended with status $status and is put back into the queue." >&2
  # Slurm ends this script as soon as the job is back in the queue.
  scontrol requeue "$SLURM_JOB_ID" && sleep 60
fi
exit "$status"
`;
