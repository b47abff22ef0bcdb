/** A fine-tuning run while it trains: the new lines of metrics.jsonl, and the run as it stands. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { metricsLineSchema, type MetricsLine } from '../../shared/comparison';
import { systemCode } from '../../shared/errors';
import type { TrainingView } from '../../shared/runQueries';
import { loadTable } from '../dataset/table';
import { parsed } from '../run/atomic';
import { storageError } from '../run/errors';
import { runSummary } from '../run/summaries';
import { totalSteps } from '../training/trainer';
import { openRunFolder, type RunOnDisk } from './analysis';
import { noRun } from './errors';
import { shelf } from './shelf';

/** Where line `line` of a log begins, by the file it is in. */
interface Cursor {
  readonly inode: number;
  readonly line: number;
  readonly offset: number;
}

/** Follows the logs of runs: asked again where it stopped, it reads only what was written since. */
export function trainingFollower() {
  const cursors = new Map<string, Cursor>();
  const images = shelf<number | null>(4);
  return {
    /** Throws `viewer-no-run`, `run-artifact-damaged`, `run-newer-version` and storage errors. */
    async view(folder: string, from: number): Promise<TrainingView> {
      const run = await openRunFolder(folder);
      const summary = await runSummary(folder);
      if (!summary) throw noRun(folder);
      const { lines, next } = await tail(join(folder, 'metrics.jsonl'), from, cursors);
      return { run: summary, config: run.config, lines, next, totalSteps: await stepsOf(run, images) };
    },
  };
}

async function tail(file: string, from: number, cursors: Map<string, Cursor>): Promise<{ lines: MetricsLine[]; next: number }> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw storageError(error, file);
  });
  if (!handle) return { lines: [], next: 0 };
  try {
    const { ino: inode, size } = await handle.stat();
    const known = cursors.get(file);
    // A resume writes the log anew, cut back to the step it goes on from: then all of it is news.
    const replaced = known !== undefined && (known.inode !== inode || known.offset > size);
    const start = known?.line === from && !replaced ? known : { inode, line: 0, offset: 0 };
    const { lines, bytes } = await linesFrom(handle, start.offset, size);
    const next = start.line + lines.length;
    cursors.set(file, { inode, line: next, offset: start.offset + bytes });
    return { lines: replaced || from > next ? lines : lines.slice(from - start.line), next };
  } finally {
    await handle.close();
  }
}

/** The whole lines from `offset` on, and how many bytes they are. A line without its end is left for later; one that is no line of a log is left out. */
async function linesFrom(handle: FileHandle, offset: number, size: number): Promise<{ lines: MetricsLine[]; bytes: number }> {
  const buffer = Buffer.alloc(Math.max(0, size - offset));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
  const end = buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1;
  const lines = buffer.toString('utf8', 0, end).split('\n').flatMap((line) => metricsLineSchema.safeParse(parsed(line)).data ?? []);
  return { lines, bytes: end };
}

/** Steps at most; null where the training data can no longer be counted. */
async function stepsOf({ config, baseDir }: RunOnDisk, images: ReturnType<typeof shelf<number | null>>): Promise<number | null> {
  const { data, training } = config;
  if (data.train === undefined) return null;
  const source = resolve(baseDir, data.train);
  const stats = await stat(source).catch(() => null);
  const stamp = `${data.columns.image} ${stats ? `${stats.mtimeMs}:${stats.size}` : '-'}`;
  const count = await images.get(source, stamp, () => loadTable(source, { image: data.columns.image }).then(({ images }) => images.length, () => null));
  return count === null || count < 2 ? null : totalSteps(training, count, Math.min(training.batch, count));
}
