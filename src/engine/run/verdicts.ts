import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors';
import { verdictsSchema, type Verdict, type Verdicts } from '../../shared/verdicts';
import { parsed, writeFileAtomically } from './atomic';
import { newerVersion, storageError, verdictsDamaged } from './errors';

/** What a person thinks of the findings of the run in `folder`; nothing where nothing was said. Throws `run-newer-version`, `run-verdicts-damaged` and storage errors. */
export async function readVerdicts(folder: string): Promise<Verdicts> {
  const file = verdictsFile(folder);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw storageError(error, file);
  });
  if (text === null) return { version: 1, clusters: {} };
  const json = parsed(text);
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > 1) throw newerVersion(file, version);
  const result = verdictsSchema.safeParse(json);
  if (!result.success) throw verdictsDamaged(file, json === undefined ? 'it is not JSON' : `${result.error.issues[0]?.path.join('.') || 'it'} is not what it should be`);
  return result.data;
}

/** Sets the verdict on a cluster, whose entry goes where there is neither a verdict nor a note. One call a folder at a time. Errors as `readVerdicts`. */
export async function writeVerdict(folder: string, cluster: number, { verdict, note }: Verdict): Promise<Verdicts> {
  const clusters = { ...(await readVerdicts(folder)).clusters, [String(cluster)]: { verdict, note } };
  const verdicts: Verdicts = { version: 1, clusters: Object.fromEntries(Object.entries(clusters).filter(([, entry]) => entry.verdict !== null || entry.note !== '')) };
  await writeFileAtomically(verdictsFile(folder), `${JSON.stringify(verdicts, null, 2)}\n`);
  return verdicts;
}

const verdictsFile = (folder: string) => join(folder, 'verdicts.json');
