/** An analysis on disk, as the viewer needs it. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { configSchema, type Config } from '../../shared/config';
import type { Findings } from '../../shared/findings';
import type { RegionTable } from '../../shared/runQueries';
import { notAnAnalysis } from '../evaluation/errors';
import { readFindings } from '../discovery/readFindings';
import { damagedArtifact, storageError } from '../run/errors';
import { isAtWork } from '../run/runFolder';
import { parseRegionsArrow } from '../run/regionsArrow';
import { readRunFile, type RunFile } from '../run/runFile';
import { artifactMissing, noFindingsYet, noRun } from './errors';
import { regionTable } from './regionTable';

/** A run on disk with the configuration it ran with. */
export interface RunOnDisk {
  readonly folder: string;
  readonly file: RunFile;
  readonly config: Config;
  /** Folder that the config's relative paths start from: the one that `.ravl` lies in. */
  readonly baseDir: string;
}

export interface Analysis extends RunOnDisk {
  readonly findings: Findings;
  /** Never handed out: see `copyOf` in regionTable.ts. */
  readonly table: RegionTable;
}

/** run.json and the config in it. Throws `viewer-no-run`, `run-artifact-damaged` and `run-newer-version`. */
export async function openRunFolder(folder: string): Promise<RunOnDisk> {
  const file = await readRunFile(folder);
  if (!file) throw noRun(folder);
  const config = configSchema.safeParse(file.config);
  if (!config.success) throw damagedArtifact(join(folder, 'run.json'), 'its config is not one that this version of RaVL reads');
  return { folder, file, config: config.data, baseDir: resolve(folder, '..', '..', '..') };
}

/** Throws `viewer-*`, `run-artifact-damaged`, `run-newer-version`, `mitigation-run-unknown` and storage errors. */
export async function readAnalysis(folder: string): Promise<Analysis> {
  const run = await openRunFolder(folder);
  const { id, kind, state, error } = run.file;
  if (kind !== 'analyze') throw notAnAnalysis(id);
  // findings.json comes last, so that once it is there everything is, even where the report is still being made.
  const there = await stat(join(folder, 'findings.json')).catch(() => null);
  if (!there && state === 'complete') throw artifactMissing(join(folder, 'findings.json'));
  if (!there) throw noFindingsYet(id, state === 'running' && !(await isAtWork(folder)) ? 'interrupted' : state, error?.message);
  const findings = await readFindings(folder);
  const file = join(folder, 'regions.arrow');
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw (cause as { code?: unknown }).code === 'ENOENT' ? artifactMissing(file) : storageError(cause, file);
  });
  return { ...run, findings, table: regionTable(parseRegionsArrow(bytes, file), findings, file) };
}

/** What `readAnalysis` depends on. */
export async function analysisStamp(folder: string): Promise<string> {
  const stats = await Promise.all(['run.json', 'findings.json', 'regions.arrow'].map((name) => stat(join(folder, name)).catch(() => null)));
  return stats.map((each) => (each ? `${each.mtimeMs}:${each.size}` : '-')).join(' ');
}
