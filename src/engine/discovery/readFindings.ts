import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findingsSchema, type Findings } from '../../shared/findings';
import { parsed } from '../run/atomic';
import { damagedArtifact, newerVersion, withStorageErrors } from '../run/errors';

/** findings.json of a run. Throws `run-artifact-damaged`, `run-newer-version` and storage errors. */
export async function readFindings(runFolder: string): Promise<Findings> {
  const file = join(runFolder, 'findings.json');
  const json = parsed(await withStorageErrors(file, () => readFile(file, 'utf8')));
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > 1) throw newerVersion(file, version);
  const result = findingsSchema.safeParse(json);
  if (!result.success) throw damagedArtifact(file, result.error.issues[0]?.message ?? 'it is not JSON');
  return result.data;
}
