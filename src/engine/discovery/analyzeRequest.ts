import { join } from 'node:path';
import type { Config } from '../../shared/config';
import type { Findings } from '../../shared/findings';
import type { Report } from '../../shared/progress';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import type { OpenedRun, RunOptions } from '../run/runFolder';
import { identifyInputs } from './inputs';
import { loadValidationData, type ValidationData } from './validationData';
import { versions } from './versions';

export interface AnalyzeRequest {
  readonly config: Config;
  /** Folder that the config's relative paths start from. */
  readonly baseDir: string;
  /** Folder in which `.ravl` is made. */
  readonly root: string;
  /** Leave images out that are missing or cannot be decoded, instead of stopping. */
  readonly skipUnreadable: boolean;
  /** Start anew where an unfinished run could be resumed. */
  readonly fresh: boolean;
  /** Told which run on disk it is as soon as it is open. */
  opened?(run: OpenedRun): void;
}

export interface AnalyzeResult {
  readonly run: OpenedRun;
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string };
  readonly findings: Findings;
  readonly reportFile: string;
}

/** Everything that is read and checked before a run is opened. */
export interface Prepared {
  readonly checkpoint: Checkpoint;
  readonly data: ValidationData;
  readonly runOptions: RunOptions;
}

/** Throws RavlError `checkpoint-*`, `dataset-*` and storage errors. */
export async function prepareAnalysis(request: AnalyzeRequest, report: Report, signal: AbortSignal): Promise<Prepared> {
  const { config, baseDir, root, skipUnreadable, fresh, opened } = request;
  const checkpoint = await openCheckpoint(config.checkpoint, baseDir);
  for (const text of checkpoint.notes) report({ type: 'note', level: 'info', text });
  const data = await loadValidationData(config, baseDir, skipUnreadable, report);
  const identity = await identifyInputs(config, baseDir, checkpoint, data.table, versions);
  signal.throwIfAborted();
  const runOptions = {
    root: join(root, '.ravl', 'runs'),
    fingerprint: identity.fingerprint,
    describe: { versions: { ...versions }, seed: config.seed, config, inputs: identity.inputs },
    fresh,
    opened,
  };
  return { checkpoint, data, runOptions };
}
