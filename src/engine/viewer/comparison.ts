/** What changed between two checkpoints, as a fine-tuning run or `compare` has left it. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { comparisonSchema, type Comparison } from '../../shared/comparison';
import type { Config } from '../../shared/config';
import { systemCode } from '../../shared/errors';
import type { ComparisonView } from '../../shared/runQueries';
import { readCompared } from '../evaluation/compared';
import { parsed } from '../run/atomic';
import { newerVersion, storageError } from '../run/errors';
import { readRunFile } from '../run/runFile';
import { runSummary } from '../run/summaries';
import { openRunFolder } from './analysis';
import { comparisonDamaged, comparisonIncomplete } from './errors';

/** null until there is one. Throws `viewer-comparison-damaged`, `run-newer-version`, `run-artifact-damaged` and storage errors. */
export async function comparisonView(folder: string): Promise<ComparisonView | null> {
  const comparison = await readComparison(folder);
  if (!comparison) return null;
  const run = await readRunFile(folder);
  if (run) {
    const { config } = await openRunFolder(folder);
    const { checkpoint } = config;
    const name = basename(typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''));
    return { comparison, before: name, after: `${name}, ${run.kind === 'mitigate' ? 'region-aware fine-tuning' : 'plain fine-tuning'}`, run: await runSummary(folder) };
  }
  const compared = await readCompared(folder);
  return { comparison, before: compared?.before ?? 'before', after: compared?.after ?? 'after', run: null };
}

export async function readComparison(folder: string): Promise<Comparison | null> {
  const file = join(folder, 'comparison.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw storageError(error, file);
  });
  if (text === null) return null;
  const json = parsed(text);
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > 1) throw newerVersion(file, version);
  const result = comparisonSchema.safeParse(json);
  if (!result.success) throw comparisonDamaged(file, json === undefined ? 'it is not JSON' : `${result.error.issues[0]?.path.join('.') || 'it'} is not what it should be`);
  return result.data;
}

/** The data that the images of a comparison come from. Throws `viewer-comparison-incomplete` where that is not told. */
export async function comparedData(folder: string): Promise<{ config: Pick<Config, 'data'>; baseDir: string }> {
  if (await readRunFile(folder)) return openRunFolder(folder);
  const compared = await readCompared(folder);
  if (!compared) throw comparisonIncomplete(folder);
  return { config: { data: { validation: compared.data, columns: { image: compared.image, caption: 'caption', label: 'label' } } }, baseDir: folder };
}
