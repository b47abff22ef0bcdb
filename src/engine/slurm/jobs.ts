/** The jobs that were submitted for a folder, in its jobs.json. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RavlError } from '../../shared/errors';
import { slurmCommand } from './command';
import { queryJobs } from './squeue';

const jobsFileSchema = z.object({
  version: z.literal(1),
  jobs: z.array(z.object({ stage: z.string(), id: z.string().regex(/^\d+$/), tasks: z.int().positive() })),
});

export type SubmittedJob = z.infer<typeof jobsFileSchema>['jobs'][number];

export const jobsFile = (folder: string) => join(folder, 'jobs.json');

export const jobsText = (jobs: readonly SubmittedJob[]) => `${JSON.stringify({ version: 1, jobs }, null, 2)}\n`;

/** What was submitted for a folder last; nothing where there is no jobs.json that can be read. */
export async function submittedJobs(folder: string): Promise<readonly SubmittedJob[]> {
  const text = await readFile(jobsFile(folder), 'utf8').catch(() => 'null');
  try {
    return jobsFileSchema.safeParse(JSON.parse(text)).data?.jobs ?? [];
  } catch {
    return [];
  }
}

/** Whether jobs of a folder wait or run; null where there are jobs, and Slurm does not answer or is not on this machine. */
export async function jobsAlive(folder: string): Promise<boolean | null> {
  return idsAlive((await submittedJobs(folder)).map(({ id }) => id));
}

/** Likewise for jobs by their ids, `12` or `12_3`. */
export async function idsAlive(ids: readonly string[]): Promise<boolean | null> {
  const jobs = await queryJobs(ids, shortPatience).catch((error: unknown) => {
    if (error instanceof RavlError) return null;
    throw error;
  });
  return jobs?.some(({ outcome }) => outcome === 'active') ?? null;
}

/** The job that this process is part of, `12_3` or `12`, and how often it was started anew; null outside of Slurm. */
export function ownJob(env: NodeJS.ProcessEnv = process.env): { readonly id: string; readonly restarts: number } | null {
  const { SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: index, SLURM_JOB_ID: job, SLURM_RESTART_COUNT: restarts } = env;
  const id = array !== undefined && index !== undefined ? `${array}_${index}` : job;
  return id === undefined ? null : { id, restarts: Number(restarts) || 0 };
}

/** Asks Slurm to end jobs; those that have ended are passed over. Throws RavlError `launcher-slurm-missing`. */
export async function cancelJobs(ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await slurmCommand('scancel', ['--quiet', ...ids]);
}

/** Milliseconds; a list of runs waits for it. */
const shortPatience = 5000;
