import { RavlError } from '../shared/errors';

/** What the process exits with; part of the interface, listed in `--help`. */
export const exitCodes = {
  done: 0,
  defect: 1,
  usage: 2,
  input: 3,
  run: 4,
  interrupted: 130,
} as const;

export const exitCodesHelp = `Exit codes:
  0    done
  1    internal error: a defect in RaVL, the message says where the log is
  2    the command line or the config is wrong
  3    the checkpoint or the data is wrong
  4    the run failed: disk, lock, device or memory
  130  interrupted; the same command resumes the run`;

/** The exit code of anything thrown. A RavlError's code starts with the part of RaVL that raised it. */
export function exitCodeOf(error: unknown): number {
  if (isInterruption(error)) return exitCodes.interrupted;
  if (!(error instanceof RavlError)) return exitCodes.defect;
  const [room = ''] = error.code.split('-');
  if (['config', 'usage'].includes(room)) return exitCodes.usage;
  // The runtime refuses graphs, which are input; that memory ran out is not the graph's fault.
  if (['run', 'device', 'report'].includes(room) || error.code === 'runtime-out-of-memory') return exitCodes.run;
  return exitCodes.input;
}

/** Whether the engine stopped because it was asked to. */
export function isInterruption(error: unknown): boolean {
  if (error instanceof RavlError) return error.code === 'run-interrupted';
  return error instanceof Error && error.name === 'AbortError';
}
