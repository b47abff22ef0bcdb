/** `ravl benchmark`: planted correlations, discovery and mitigation by every method, and the tables. */
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { RavlError } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { versions } from '../discovery/versions';
import { withStorageErrors } from '../run/errors';
import { acquireLock } from '../run/lock';
import { benchmarkBusy } from './errors';
import { launchSettings, refuseBesideJobs } from './launched';
import { openBenchmark } from './openBenchmark';
import { writeResults } from './output';
import type { BenchmarkRequest } from './request';
import { runSettings } from './settings';
import type { Detected } from './stages';
import { tablesOf, thresholds, type Tables } from './tables';

export interface BenchmarkResult {
  readonly tables: Tables;
  readonly markdownFile: string;
}

/**
 * Runs a suite, or goes on with it; the time that is left is told after the first setting. Throws RavlError `benchmark-*` and what
 * training and embedding throw, and launchers; once `signal` is aborted it stops between two steps with `signal.reason`, and loses
 * that stage alone.
 */
export async function benchmark(request: BenchmarkRequest, report: Report, signal: AbortSignal): Promise<BenchmarkResult> {
  const { out } = request;
  await withStorageErrors(out, () => mkdir(out, { recursive: true }));
  const lock = await acquireLock(out, report).catch((error: unknown) => {
    throw error instanceof RavlError && error.code === 'run-busy' ? benchmarkBusy(out, error) : error;
  });
  try {
    if (request.launcher.kind !== 'slurm') await refuseBesideJobs(out);
    return await runBenchmark(request, report, signal);
  } finally {
    await lock.release();
  }
}

/** The same for whoever needs no lock: a task of the benchmark that has it. */
export async function runBenchmark(request: BenchmarkRequest, report: Report, signal: AbortSignal): Promise<BenchmarkResult> {
  const { out, skipMitigation, launcher } = request;
  const { suite, settings, stage } = await openBenchmark(request, report, signal);
  const launched = launcher.kind !== 'local';
  if (launched) await launchSettings(request, stage, settings, launcher, report, signal);
  else for (const source of Object.values(stage.sources)) await source.start(stage);
  // What a launcher has started is all there by now.
  const { detected, mitigated } = await runSettings(stage, settings, skipMitigation, launched ? () => undefined : report);
  const tables = tablesOf(detected, mitigated);
  if (tables.valid[0]!.settings === 0) report({ type: 'note', level: 'warning', text: nothingLearned(detected) });
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return { tables, markdownFile: await writeResults(out, { suite, machine, versions: { ...versions }, detected, mitigated, tables }) };
}

function nothingLearned(detected: readonly Detected[]): string {
  const best = detected.reduce((a, b) => (Math.min(b.eps1, b.eps2) > Math.min(a.eps1, a.eps2) ? b : a));
  return `There is nothing to measure: in no setting did the model learn the shortcut by ${thresholds[0]} points in every seed (at best eps1 is ${best.eps1.toFixed(1)} and eps2 ${best.eps2.toFixed(1)}). More epochs, a higher learning rate or a stronger correlation teach it.`;
}
