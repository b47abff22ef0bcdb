/** An analysis as a launch: what its tasks are told, and how those who wait for them see how far they are. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { configSchema } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { mostTasks, type Launch } from '../launcher/launch';
import { parsed, writeFileAtomically } from '../run/atomic';
import { runFileSchema, type RunFile } from '../run/runFile';
import { launchFolder } from '../run/runFolder';
import { shardIndices } from '../run/shards';
import type { AnalyzeRequest } from './analyzeRequest';
import { imagesIn } from './embedImages';

/** One request for all tasks of an analysis. */
export const analysisTaskSchema = z.object({
  config: configSchema,
  baseDir: z.string(),
  root: z.string(),
  skipUnreadable: z.boolean(),
  /** Folder of the run. */
  run: z.string(),
  /** What a task reads must be what the run was opened for. */
  fingerprint: z.string(),
  /** Shards of each task of the stage `embed`. */
  shards: z.array(z.array(z.int().min(0))),
});

export type AnalysisTask = z.infer<typeof analysisTaskSchema>;

/** The stages of an analysis: `embed`, a shard a task (or some, where they are many), and, with `merge`, a task for the rest. */
export function analysisLaunch(request: AnalyzeRequest, run: { readonly id: string; readonly folder: string }, fingerprint: string, missing: readonly number[], merge: boolean): Launch {
  const { config, baseDir, root, skipUnreadable } = request;
  const shards = inGroups(missing, mostTasks);
  const task: AnalysisTask = { config, baseDir: resolve(baseDir), root: resolve(root), skipUnreadable, run: resolve(run.folder), fingerprint, shards };
  return {
    name: run.id,
    folder: resolve(launchFolder(run.folder)),
    stages: [{ name: 'embed', tasks: shards.length }, ...(merge ? [{ name: 'merge', tasks: 1 }] : [])],
    task: { kind: 'analyze', request: task },
  };
}

export const shardsOf = (run: string) => join(run, 'shards');

export interface ShardProgress {
  /** Reports how many images are embedded where more are than at the last look, by the shards that are there. */
  looked(): Promise<void>;
  /** Reports that all are, where no look has seen it: a run that is complete has no shards any more. */
  complete(): void;
}

/** @param before images that were embedded at the start */
export function shardProgress(run: string, total: number, before: number, report: Report): ShardProgress {
  const tell = (done: number) => report({ type: 'progress', phase: 'embed', done, total, unit: 'images' });
  let told = before;
  const reach = (done: number) => {
    if (done > told) tell((told = done));
  };
  if (before < total) tell(before);
  return {
    // Those that are whole already are in `before`, but for one that is damaged and still there.
    looked: async () => reach(Math.min(total, imagesIn(await shardIndices(shardsOf(run)), total))),
    complete: () => reach(total),
  };
}

/** Where the tasks' inference ran; the last one tells. */
export async function recordDevice(run: string, device: NonNullable<RunFile['device']>): Promise<void> {
  await writeFileAtomically(deviceFile(run), `${JSON.stringify(device, null, 2)}\n`);
}

/** Null where no task has told. */
export async function recordedDevice(run: string): Promise<RunFile['device']> {
  const text = await readFile(deviceFile(run), 'utf8').catch(() => 'null');
  return runFileSchema.shape.device.safeParse(parsed(text)).data ?? null;
}

const deviceFile = (run: string) => join(launchFolder(run), 'device.json');

/** At most `most` groups of neighbours, as equal as can be. */
function inGroups(items: readonly number[], most: number): number[][] {
  const count = Math.min(items.length, most);
  return Array.from({ length: count }, (_, i) => items.slice(Math.floor((i * items.length) / count), Math.floor(((i + 1) * items.length) / count)));
}
