import { basename } from 'node:path';
import { listRuns, type RunEntry, type RunOptions } from '../run/runFolder';
import { stableJson } from '../run/fingerprint';
import * as errors from './errors';

/**
 * For `--resume`: that there is an unfinished run of this kind to go on with, and that nothing it depends on has changed.
 * Throws `run-nothing-to-resume`; `run-resume-changed` with the names of what differs: inputs, keys of the config, versions; and
 * `run-resume-newer` where `id` is not the run that would be gone on with.
 */
export async function assertResumable({ root, fingerprint, describe }: RunOptions, id: string | undefined): Promise<void> {
  const kind = describe.kind ?? 'analyze';
  const unfinished = (await listRuns(root)).filter((entry): entry is Extract<RunEntry, { file: unknown }> => 'file' in entry && entry.file.kind === kind && entry.file.state !== 'complete');
  const asked = id === undefined ? unfinished : unfinished.filter((entry) => entry.id === basename(id));
  const found = asked.find(({ file }) => file.fingerprint === fingerprint);
  if (found) {
    const newest = unfinished.find(({ file }) => file.fingerprint === fingerprint)!;
    if (newest !== found) throw errors.resumeNewer(found.id, newest.id);
    return;
  }
  const newest = asked[0];
  if (!newest) throw errors.nothingToResume(kind, id === undefined ? undefined : basename(id));
  const { file } = newest;
  const changed = [
    ...differences(file.inputs, describe.inputs).map((name) => name || 'an input'),
    ...differences(file.config, describe.config),
    ...differences(file.versions, describe.versions).map((name) => `the version of ${name}`),
  ];
  throw errors.resumeChanged(newest.id, changed.length > 0 ? changed : ['the findings it started from']);
}

/** Dotted names of the leaves in which two plain values differ. */
function differences(then: unknown, now: unknown, path = ''): string[] {
  if (stableJson(then ?? null) === stableJson(now ?? null)) return [];
  if (!isMapping(then) || !isMapping(now)) return [path];
  const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])];
  // Names of inputs hold dots themselves, and are never nested.
  return keys.flatMap((key) => differences(then[key], now[key], path === '' ? key : `${path}.${key}`));
}

const isMapping = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
