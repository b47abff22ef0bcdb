import { RavlError } from '../../shared/errors';
import type { Job } from '../slurm/squeue';

export const taskMissing = (file: string, what: string) =>
  new RavlError('launcher-task-missing', `${file} ${what}, so this task does not know what to do.`, 'RaVL writes it and starts its tasks itself; run the command that does so again.');

/** A task ended by itself, without having said why. */
export const taskLost = (what: string, ended: string, log: string, lastLine: string | null, hint: string) =>
  new RavlError(
    'launcher-task-lost',
    `${what} ${ended}; ${lastLine === null ? `its log is ${log}` : `the last line of its log, ${log}, is: ${lastLine}`}.`,
    `${hint} What was finished is kept: run again to go on.`,
  );

/** No job failed, and none has left what it was for: Slurm forgets jobs after a while. */
export const withoutResult = (logs: string) =>
  new RavlError('launcher-without-result', `The Slurm jobs have ended and left no result; their logs are in ${logs}.`, 'What was finished is kept: run again to go on.');

/** What a person can do about the end of a job, by Slurm's name for it. */
export function hintFor({ state }: Job): string {
  if (/TIMEOUT|DEADLINE/.test(state)) return 'Give tasks more time with launcher.time.';
  if (/OUT_OF_MEMORY/.test(state)) return "Give tasks more memory, such as '--mem=16G' in launcher.lines.";
  if (/CANCELLED/.test(state)) return 'Somebody cancelled it.';
  if (/NODE_FAIL|BOOT_FAIL/.test(state)) return 'The node is out of order; leave it out, such as --exclude=<node> in launcher.lines.';
  return 'The log says more.';
}
