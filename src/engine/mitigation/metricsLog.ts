import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors';
import { metricsLineSchema, type MetricsLine } from '../../shared/comparison';
import { parsed, writeFileAtomically } from '../run/atomic';
import { storageError, withStorageErrors } from '../run/errors';

/** metrics.jsonl of a run: one line a step and an epoch, appended as they happen. */
export interface MetricsLog {
  append(line: MetricsLine): Promise<void>;
  lines(): readonly MetricsLine[];
}

/** Opens the log and drops what a killed process wrote after `step`, the last one that is kept, for those steps are made again. */
export async function openMetricsLog(runFolder: string, step: number): Promise<MetricsLog> {
  const file = join(runFolder, 'metrics.jsonl');
  const lines = (await readMetrics(file)).filter((line) => line.step <= step);
  await writeFileAtomically(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return {
    lines: () => lines,
    async append(line) {
      lines.push(line);
      await withStorageErrors(file, () => appendFile(file, `${JSON.stringify(line)}\n`));
    },
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
