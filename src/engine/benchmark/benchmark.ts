/** `ravl benchmark`: planted correlations, discovery and mitigation by every method, and the tables. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../shared/progress';
import { versions } from '../discovery/versions';
import { withStorageErrors } from '../run/errors';
import { classNames, readIdxFolder } from './idx';
import { dataMissing } from './errors';
import { writeResults } from './output';
import { detectionStage, mitigationStage, startStage, type Detected, type MitigationResult, type Sources, type Stage } from './stages';
import { suiteOf, type Dataset, type SuiteName } from './suites';
import { tablesOf, thresholds, validAt, type Tables } from './tables';

export interface BenchmarkRequest {
  readonly suite: SuiteName;
  /** Folder of each data set's four .gz files. */
  readonly data: Partial<Record<Dataset, string>>;
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
export async function benchmark({ suite: name, data, out, settings: most, skipMitigation }: BenchmarkRequest, report: Report, signal: AbortSignal): Promise<BenchmarkResult> {
  const suite = suiteOf(name);
  const settings = suite.settings.slice(0, most);
  const cache = join(out, 'cache');
  await withStorageErrors(cache, () => mkdir(cache, { recursive: true }));
  const sources = await readSources([...new Set(settings.map(({ dataset }) => dataset))], data);
  const stage: Stage = { sources, scale: suite.scale, cache, report: quieter(report), signal };
  for (const dataset of Object.keys(sources)) await startStage(stage, dataset as Dataset);

  const detected: Detected[] = [];
  const clock = paceOf(settings.length, report, 'discovery');
  for (const setting of settings) {
    detected.push(await detectionStage(stage, setting));
    clock(detected.length);
  }
  const mitigated: MitigationResult[] = [];
  const valid = validAt(detected, thresholds[0]);
  if (!skipMitigation) {
    const tick = paceOf(valid.length, report, 'mitigation');
    for (const [i, each] of valid.entries()) {
      mitigated.push(...(await mitigationStage(stage, each)));
      tick(i + 1);
    }
  }
  const tables = tablesOf(detected, mitigated);
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return { tables, markdownFile: await writeResults(out, { suite: { ...suite, settings }, machine, versions: { ...versions }, detected, mitigated, tables }) };
}

async function readSources(datasets: readonly Dataset[], data: BenchmarkRequest['data']): Promise<Sources> {
  const sources: Record<string, Sources[string]> = {};
  for (const dataset of datasets) {
    const folder = data[dataset];
    if (folder === undefined || !existsSync(folder)) throw dataMissing(dataset, folder);
    const names = classNames[dataset];
    sources[dataset] = { train: await readIdxFolder(folder, 'train', names), test: await readIdxFolder(folder, 'test', names) };
  }
  return sources;
}

/** Trainers speak of every epoch; of a benchmark's hundreds of trainings only the stages are of interest. */
const quieter =
  (report: Report): Report =>
  (event) => {
    if (event.type === 'note' && /^(Discovery|Mitigation|Pretraining)\b/.test(event.text)) report(event);
  };

/** Progress over settings; after the first one that was not in the cache it says what all will take. */
function paceOf(total: number, report: Report, phase: string): (done: number) => void {
  const started = performance.now();
  let told = false;
  return (done) => {
    report({ type: 'progress', phase, done, total, unit: 'settings' });
    const each = (performance.now() - started) / 1000 / done;
    if (told || each < 1) return;
    told = true;
    report({ type: 'note', level: 'info', text: `A setting takes ${each.toFixed(0)} s in ${phase}, so the ${total - done} that are left take about ${Math.ceil((each * (total - done)) / 60)} minutes.` });
  };
}
