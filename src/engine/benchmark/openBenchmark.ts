import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../shared/progress';
import { withStorageErrors } from '../run/errors';
import { dataMissing } from './errors';
import { classNames, readIdxFolder } from './idx';
import { openPhotos } from './photos';
import type { BenchmarkRequest } from './request';
import type { Source } from './source';
import type { Stage } from './stages';
import { suiteOf, type Dataset, type Setting, type Suite } from './suites';
import { syntheticSource } from './synthetic';

export interface OpenBenchmark {
  readonly suite: Suite;
  /** Those of the suite that are run. */
  readonly settings: readonly Setting[];
  readonly stage: Stage;
}

/** What is asked for, with the data that it takes. Throws RavlError `benchmark-*`, `run-*`, and for photos `dataset-*`, `checkpoint-*`. */
export async function openBenchmark({ of, out, settings: most }: Pick<BenchmarkRequest, 'of' | 'out' | 'settings'>, report: Report, signal: AbortSignal): Promise<OpenBenchmark> {
  const { suite, sources } = 'suite' in of ? await openSuite(of.suite, of.data, most) : await openPhotos(of, report, signal);
  const cache = join(out, 'cache');
  await withStorageErrors(cache, () => mkdir(cache, { recursive: true }));
  return { suite, settings: suite.settings.slice(0, most), stage: { sources, cache, report: quieter(report), signal } };
}

async function openSuite(name: Parameters<typeof suiteOf>[0], data: Partial<Record<Dataset, string>>, most: number | undefined) {
  const suite = suiteOf(name);
  const used = new Set(suite.settings.slice(0, most).map(({ dataset }) => dataset));
  const sources: Record<string, Source> = {};
  for (const dataset of Object.keys(classNames) as Dataset[]) if (used.has(dataset)) sources[dataset] = syntheticSource(dataset, await readParts(dataset, data[dataset]), suite.scale);
  return { suite, sources };
}

async function readParts(dataset: Dataset, folder: string | undefined) {
  if (folder === undefined || !existsSync(folder)) throw dataMissing(dataset, folder);
  const names = classNames[dataset];
  return { train: await readIdxFolder(folder, 'train', names), test: await readIdxFolder(folder, 'test', names) };
}

/** Trainers speak of every epoch; of a benchmark's hundreds of trainings only the stages are of interest. */
const quieter =
  (report: Report): Report =>
  (event) => {
    if (event.type === 'note' && /^(Discovery|Mitigation|Pretraining)\b/.test(event.text)) report(event);
  };
