import { RavlError } from './errors';

/** What the command line and a task in the editor exit with; part of the interface, listed in `--help`. */
export const exitCodes = {
  done: 0,
  defect: 1,
  usage: 2,
  input: 3,
  run: 4,
  interrupted: 130,
} as const;

/** The exit code of anything thrown. A RavlError's code starts with the part of RaVL that raised it. */
export function exitCodeOf(error: unknown): number {
  if (isInterruption(error)) return exitCodes.interrupted;
  if (!(error instanceof RavlError) || error.code === 'internal') return exitCodes.defect;
  const [room = ''] = error.code.split('-');
  if (['config', 'usage'].includes(room)) return exitCodes.usage;
  // The runtime refuses graphs, which are input; that memory ran out is not the graph's fault.
  if (['run', 'launcher', 'device', 'report', 'worker'].includes(room) || error.code === 'runtime-out-of-memory') return exitCodes.run;
  return exitCodes.input;
}

/** Whether the engine stopped because it was asked to. */
export function isInterruption(error: unknown): boolean {
  if (error instanceof RavlError) return error.code === 'run-interrupted' || error.code === 'cancelled';
  return error instanceof Error && error.name === 'AbortError';
}
