import type { SlurmConfig } from '../../shared/config';
import { slurmCommand } from './command';
import { folderUnusable, slurmRefused } from './errors';

export interface ArrayJob {
  readonly name: string;
  /** Absolute; the script, and the folder logs/, lie in it. */
  readonly folder: string;
  readonly script: string;
  /** Starts the names of logs. */
  readonly stage: string;
  readonly tasks: number;
  /** What a task runs; its index is added behind. */
  readonly command: readonly string[];
  /** Starts once every task of that job has ended well, and is cancelled where one did not. */
  readonly after?: string;
}

/** Submits an array of tasks and returns the job's id. Throws RavlError `launcher-slurm-missing` or `launcher-slurm-refused`. */
export async function submitArray(job: ArrayJob, config: SlurmConfig): Promise<string> {
  if (job.folder.includes('\\')) throw folderUnusable(job.folder);
  const { code, stdout, stderr } = await slurmCommand('sbatch', sbatchArguments(job, config));
  // On a federation the name of the cluster stands behind the id.
  const [, id] = /^(\d+)(;.*)?\n?$/.exec(stdout) ?? [];
  if (code !== 0 || id === undefined) throw slurmRefused('sbatch', sentence(stderr));
  return id;
}

/**
 * Everything that names something is an argument of its own and the script is always the same, so no name can become a command or
 * an #SBATCH line. What the person adds comes first: the last one counts where sbatch gets an option twice.
 */
export function sbatchArguments(job: ArrayJob, { partition, gpus, time, account, lines = [] }: SlurmConfig): string[] {
  const given = Object.entries({ partition, gpus, time, account }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  return [
    ...given,
    ...lines,
    '--parsable',
    `--array=0-${job.tasks - 1}`,
    '--requeue',
    '--open-mode=append',
    `--job-name=${jobName(job.name)}`,
    `--chdir=${job.folder}`,
    // Slurm replaces %A and %a, and would replace such signs in the folder's own name too.
    `--output=${job.folder.replaceAll('%', '%%')}/logs/${job.stage}-%A_%a.log`,
    ...(job.after === undefined ? [] : [`--dependency=afterok:${job.after}`, '--kill-on-invalid-dep=yes']),
    job.script,
    ...job.command,
  ];
}

/** As lists of jobs show it: on one line, and short. */
const jobName = (name: string) => name.replace(/[^\w.-]+/g, '-').slice(0, 60);

const sentence = (stderr: string) => stderr.trim().split('\n').map((line) => line.replace(/^sbatch: (error: )?/, '').replace(/\.$/, '')).join('; ');
