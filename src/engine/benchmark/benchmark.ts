/** `ravl benchmark`: planted correlations, discovery and mitigation by every method, and the tables. */
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../shared/progress';
import { versions } from '../discovery/versions';
import { withStorageErrors } from '../run/errors';
import { openSuite, type SuiteRequest } from './openSuite';
import { writeResults } from './output';
import type { PhotosRequest } from './photos';
import { runSettings } from './settings';
import type { Detected, Stage } from './stages';
import { tablesOf, thresholds, type Tables } from './tables';

export interface BenchmarkRequest {
  /** Which settings: a suite, or an object in photos. */
  readonly of: SuiteRequest | PhotosRequest;
  /** Folder for the tables and, in `cache`, what is kept to go on from. */
  readonly out: string;
  /** Run no more than so many settings: a part of a suite, seed by seed. */
  readonly settings?: number;
  readonly skipMitigation: boolean;
}

export interface BenchmarkResult {
  readonly tables: Tables;
  readonly markdownFile: string;
}

/**
 * Runs a suite, or goes on with it; the time that is left is told after the first setting. Throws RavlError `benchmark-*` and what
 * training and embedding throw; once `signal` is aborted it stops between two steps with `signal.reason`, and loses that stage alone.
 */
export async function benchmark({ of, out, settings: most, skipMitigation }: BenchmarkRequest, report: Report, signal: AbortSignal): Promise<BenchmarkResult> {
  const { suite, sources } = await openSuite(of, most, report, signal);
  const stage: Stage = { sources, cache: await cacheFolder(out), report: quieter(report), signal };
  for (const source of Object.values(sources)) await source.start(stage);
  const { detected, mitigated } = await runSettings(stage, suite.settings.slice(0, most), skipMitigation, report);
  const tables = tablesOf(detected, mitigated);
  if (tables.valid[0]!.settings === 0) report({ type: 'note', level: 'warning', text: nothingLearned(detected) });
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return { tables, markdownFile: await writeResults(out, { suite, machine, versions: { ...versions }, detected, mitigated, tables }) };
}

export async function cacheFolder(out: string): Promise<string> {
  const cache = join(out, 'cache');
  await withStorageErrors(cache, () => mkdir(cache, { recursive: true }));
  return cache;
}

/** Trainers speak of every epoch; of a benchmark's hundreds of trainings only the stages are of interest. */
export const quieter =
  (report: Report): Report =>
  (event) => {
    if (event.type === 'note' && /^(Discovery|Mitigation|Pretraining)\b/.test(event.text)) report(event);
  };

function nothingLearned(detected: readonly Detected[]): string {
  const best = detected.reduce((a, b) => (Math.min(b.eps1, b.eps2) > Math.min(a.eps1, a.eps2) ? b : a));
  return `There is nothing to measure: in no setting did the model learn the shortcut by ${thresholds[0]} points in every seed (at best eps1 is ${best.eps1.toFixed(1)} and eps2 ${best.eps2.toFixed(1)}). More epochs, a higher learning rate or a stronger correlation teach it.`;
}
