import { RavlError } from '../shared/errors';

/** The command line itself is wrong: an unknown option, a missing argument. */
export function usageInvalid(message: string): RavlError {
  return new RavlError('usage-invalid', message, 'ravl --help lists the commands, ravl <command> --help their options.');
}

export function configMissing(file: string): RavlError {
  return new RavlError('config-missing', `${file} does not exist.`, 'Check the path, or write one with ravl init <checkpoint> <table>.');
}

export function configUnreadable(file: string, why: string, cause?: unknown): RavlError {
  return new RavlError('config-unreadable', `${file} cannot be read: ${why}.`, 'A config is a YAML text file in UTF-8 that you may read.', { cause });
}

export function configExists(file: string): RavlError {
  return new RavlError('config-exists', `${file} is already there.`, 'Choose another name with -o, or overwrite it with --force.');
}

export function columnUnknown(table: string, what: string, option: string, columns: readonly string[]): RavlError {
  const listed = columns.slice(0, 20).join(', ') + (columns.length > 20 ? ', …' : '');
  return new RavlError('usage-column-unknown', `${table} has no column that is evidently the one with ${what}; its columns are ${listed}.`, `Name it with ${option} <column>.`);
}

export function runMissing(run: string): RavlError {
  return new RavlError('usage-run-unknown', `There is no run ${JSON.stringify(run)}.`, "Give a run's folder, or its id as in .ravl/runs beside the config or in the current folder.");
}

/** onnxruntime or sharp have no binary that loads on this machine. */
export function engineUnavailable(cause: unknown): RavlError {
  const name = /onnxruntime|sharp/.exec(cause instanceof Error ? cause.message : '')?.[0] ?? 'a native package';
  return new RavlError('run-engine-unavailable', `${name} does not load on this machine.`, 'Install again on this machine (npm ci); Linux, macOS and Windows on x64 or arm64 are supported.', { cause });
}
