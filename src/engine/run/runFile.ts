import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../shared/errors';
import { parsed, writeFileAtomically } from './atomic';
import { damagedArtifact, newerVersion, storageError } from './errors';

/** run.json: what a run is, how far it came, and what it ran on. Written by one process, the holder of the run's lock. */
export const runFileVersion = 1;

export const runFileSchema = z.object({
  version: z.literal(runFileVersion),
  kind: z
    .enum(['analyze', 'mitigate', 'finetune'])
    .default('analyze')
    .describe('What the run did: discovery, or fine-tuning with or without the region terms. Runs from before there were kinds are analyses.'),
  id: z.string(),
  sequence: z.int().describe('Counts the runs of a folder; unlike the clock it never goes back.'),
  created: z.iso.datetime(),
  fingerprint: z.string().describe('SHA-256 of everything that decides the result; a run resumes only under the same one.'),
  state: z
    .enum(['running', 'interrupted', 'failed', 'complete'])
    .describe('running without a living process is read as interrupted.'),
  versions: z.record(z.string(), z.string()),
  seed: z.int(),
  device: z
    .object({
      requested: z.string(),
      used: z.string(),
      reason: z.string(),
      maxDifference: z.number().nullable().describe("Largest difference to the CPU over the first batch, as a share of the largest value; null where nothing was compared."),
    })
    .nullable()
    .describe('Where inference ran; null until it started.'),
  embedding: z
    .object({ mode: z.string(), featureMap: z.string().nullable() })
    .nullable()
    .describe('How regions were embedded, `auto` resolved; null until it was known.'),
  config: z.unknown().describe('The whole configuration, defaults filled in.'),
  inputs: z.record(z.string(), z.string()).describe('Hash of each input: checkpoint files, tables, the list of images.'),
  timings: z.record(z.string(), z.number()).describe('Seconds a phase, summed over resumes.'),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
});

export type RunFile = z.infer<typeof runFileSchema>;

/** Reads run.json of a run folder; null where there is none. Throws `run-newer-version`, `run-artifact-damaged`. */
export async function readRunFile(folder: string): Promise<RunFile | null> {
  const file = join(folder, 'run.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
    throw storageError(error, file);
  }
  const json = parsed(text);
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > runFileVersion) throw newerVersion(file, version);
  const result = runFileSchema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw damagedArtifact(file, json === undefined ? 'it is not JSON' : `${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  return result.data;
}

export const writeRunFile = (folder: string, run: RunFile) =>
  writeFileAtomically(join(folder, 'run.json'), `${JSON.stringify(run, null, 2)}\n`);
