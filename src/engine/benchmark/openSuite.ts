import { existsSync } from 'node:fs';
import type { Report } from '../../shared/progress';
import { dataMissing } from './errors';
import { classNames, readIdxFolder } from './idx';
import { openPhotos, type PhotosRequest } from './photos';
import type { Source } from './source';
import { suiteOf, type Dataset, type Suite, type SuiteName } from './suites';
import { syntheticSource } from './synthetic';

/** A suite by its name. */
export interface SuiteRequest {
  readonly suite: SuiteName;
  /** Folder of each data set's four .gz files. */
  readonly data: Partial<Record<Dataset, string>>;
}

export interface OpenSuite {
  readonly suite: Suite;
  readonly sources: Readonly<Record<string, Source>>;
}

/** What is asked for, with the data of its first `most` settings. Throws RavlError `benchmark-*`, and for photos `dataset-*`, `checkpoint-*`. */
export async function openSuite(of: SuiteRequest | PhotosRequest, most: number | undefined, report: Report, signal: AbortSignal): Promise<OpenSuite> {
  if (!('suite' in of)) return openPhotos(of, report, signal);
  const suite = suiteOf(of.suite);
  const used = new Set(suite.settings.slice(0, most).map(({ dataset }) => dataset));
  const sources: Record<string, Source> = {};
  for (const dataset of Object.keys(classNames) as Dataset[]) if (used.has(dataset)) sources[dataset] = syntheticSource(dataset, await readParts(dataset, of.data[dataset]), suite.scale);
  return { suite, sources };
}

async function readParts(dataset: Dataset, folder: string | undefined) {
  if (folder === undefined || !existsSync(folder)) throw dataMissing(dataset, folder);
  const names = classNames[dataset];
  return { train: await readIdxFolder(folder, 'train', names), test: await readIdxFolder(folder, 'test', names) };
}
