/** What became of jobs, by `squeue --json`. Its shape differs between the versions of Slurm: 21.08 has plain numbers and texts, later ones objects and lists. */
import { z } from 'zod';
import { slurmCommand } from './command';

/** One task of an array, several that still wait together, or a job that is no array. */
export interface Job {
  /** `12_3`; `12` for tasks that wait together, or no array. */
  readonly id: string;
  /** `12` of `12_3`. */
  readonly array: string;
  readonly index: number | null;
  readonly outcome: 'active' | 'done' | 'failed';
  /** In Slurm's words: RUNNING, OUT_OF_MEMORY, …; several joined by a plus. */
  readonly state: string;
  /** Why it waits, in Slurm's words. */
  readonly reason: string;
  readonly nodes: string;
  /** How often it was started anew. */
  readonly restarts: number;
}

/**
 * The jobs of these ids that Slurm still knows (it forgets what has ended after some minutes), or null where it does not
 * answer. Throws RavlError `launcher-slurm-missing`.
 *
 * @param ids `12` means every task of the array 12, `12_3` one of them
 */
export async function queryJobs(ids: readonly string[], timeout?: number): Promise<Job[] | null> {
  if (ids.length === 0) return [];
  // Versions that read these two options answer with less; older ones list every job.
  const { code, stdout, stderr } = await slurmCommand('squeue', ['--json', `--jobs=${ids.join(',')}`, '--states=all'], timeout);
  if (code !== 0 && /invalid job id/i.test(stderr)) return [];
  const jobs = code === 0 ? parseJobs(stdout) : null;
  return jobs?.filter(({ id, array }) => ids.includes(id) || ids.includes(array)) ?? null;
}

/** The jobs in what `squeue --json` printed; null where it is an error or nothing that can be read. */
export function parseJobs(text: string): Job[] | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const answer = answerSchema.safeParse(json).data;
  // A controller that cannot be reached is told in here, with exit code 0.
  return !answer || answer.errors.length > 0 ? null : answer.jobs.map(describe);
}

/** Still to come or to clear up. Everything else but COMPLETED is an end that was not meant. */
const active = new Set([
  'PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETING', 'CONFIGURING', 'RESIZING', 'SIGNALING', 'STAGE_OUT', 'STOPPED', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD',
  'RESV_DEL_HOLD', 'SPECIAL_EXIT', 'POWER_UP_NODE', 'EXPEDITING', 'LAUNCHING', 'UPDATE_DB', 'RECONFIG_FAIL',
]);

/** 5, or { set: true, infinite: false, number: 5 }. */
const count = z
  .union([z.number(), z.object({ set: z.boolean().default(true), number: z.number() }).transform(({ set, number }) => (set ? number : null)), z.null()])
  .default(null);

const jobSchema = z.object({
  job_id: z.number(),
  array_job_id: count,
  array_task_id: count,
  job_state: z.union([z.string().transform((state) => state.split('+')), z.array(z.string())]),
  state_reason: z.string().default('').catch(''),
  nodes: z.string().default('').catch(''),
  restart_cnt: count,
});

const answerSchema = z.object({ jobs: z.array(jobSchema), errors: z.array(z.unknown()).default([]) });

function describe(job: z.infer<typeof jobSchema>): Job {
  // A job that is no array has 0 there, in all versions.
  const array = String(job.array_job_id || job.job_id);
  const index = job.array_job_id ? job.array_task_id : null;
  const states = job.job_state.map((state) => state.toUpperCase());
  return {
    id: index === null ? array : `${array}_${index}`,
    array,
    index,
    outcome: states.some((state) => active.has(state)) ? 'active' : states.includes('COMPLETED') ? 'done' : 'failed',
    state: states.join('+'),
    reason: job.state_reason,
    nodes: job.nodes,
    restarts: job.restart_cnt ?? 0,
  };
}
