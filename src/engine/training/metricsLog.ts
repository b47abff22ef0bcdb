import { appendFile, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors';
import { metricsLineSchema, type MetricsLine } from '../../shared/comparison';
import { parsed, writeFileAtomically } from '../run/atomic';
import { storageError, withStorageErrors } from '../run/errors';
import type { TrainingProgress } from './trainingState';

/** metrics.jsonl of a run: one line a step and an epoch, appended as they happen. */
export interface MetricsLog {
  append(line: MetricsLine): Promise<void>;
  /** Forces what was appended to the disk: a state must not outlive the lines that led to it. */
  sync(): Promise<void>;
  lines(): readonly MetricsLine[];
}

/**
 * Opens the log and drops what a killed process wrote after the moment it is gone on from, for those steps and validations
 * are made again; all of it where there is none. Throws storage errors.
 */
export async function openMetricsLog(runFolder: string, from: Pick<TrainingProgress, 'step' | 'validations'> | null): Promise<MetricsLog> {
  const file = join(runFolder, 'metrics.jsonl');
  // Epochs count from 0, the moment before training.
  const kept = (line: MetricsLine) => from !== null && (line.type === 'step' ? line.step <= from.step : line.epoch < from.validations);
  const lines = (await readMetrics(file)).filter(kept);
  await writeFileAtomically(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return {
    lines: () => lines,
    async append(line) {
      await withStorageErrors(file, () => appendFile(file, `${JSON.stringify(line)}\n`));
      lines.push(line);
    },
    sync: () =>
      withStorageErrors(file, async () => {
        const handle = await open(file, 'r+');
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
      }),
  };
}

/** The whole lines of a metrics.jsonl; none where there is no file. A line cut off by a kill is left out. */
export async function readMetrics(file: string): Promise<MetricsLine[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '';
    throw storageError(error, file);
  });
  return text.split('\n').flatMap((line) => metricsLineSchema.safeParse(parsed(line)).data ?? []);
}
