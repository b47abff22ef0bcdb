import { execFile } from 'node:child_process';
import { systemCode } from '../../shared/errors';
import { slurmMissing } from './errors';

export interface Answer {
  /** null where it was ended from outside, or did not answer in time. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one of Slurm's commands, its arguments as they are: no shell reads them. Throws RavlError `launcher-slurm-missing`
 * where there is no such command.
 */
export function slurmCommand(name: 'sbatch' | 'squeue' | 'scancel', args: readonly string[], timeout = patience): Promise<Answer> {
  return new Promise((resolve, reject) => {
    execFile(name, args, { timeout, maxBuffer: 2 ** 28, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (systemCode(error) === 'ENOENT') reject(slurmMissing(name));
      else resolve({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, stdout, stderr });
    });
  });
}

/** Milliseconds. Slurm's commands try for some ten seconds by themselves to reach a controller, and a busy one may need longer. */
const patience = 60_000;
