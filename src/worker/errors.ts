import { RavlError } from '../shared/errors';

/** onnxruntime or sharp have no binary that loads here. */
export function engineUnavailable(cause: unknown): RavlError {
  const name = /onnxruntime|sharp/.exec(cause instanceof Error ? cause.message : '')?.[0] ?? 'a native package';
  return new RavlError('run-engine-unavailable', `${name} does not load on this machine.`, 'Install the extension again on this machine; Linux, macOS and Windows on x64 or arm64 are supported.', { cause });
}

export const runMissing = (run: string) => new RavlError('run-unknown', `There is no run ${JSON.stringify(run)}.`, 'It may have been deleted; refresh the list of runs.');

export const nothingToMeasureOn = () => new RavlError('run-no-data', 'Nothing says which images to measure on.', 'Choose a ravl.yaml, or an analysis.');
