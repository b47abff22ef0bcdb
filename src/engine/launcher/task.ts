/** One task: what it reads, task.json, and what it leaves behind when it fails. */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isInterruption } from '../../shared/exitCodes';
import { RavlError } from '../../shared/errors';
import { parsed, writeFileAtomically } from '../run/atomic';
import { newerVersion, withStorageErrors } from '../run/errors';
import { jobsFile } from '../slurm/jobs';
import { taskMissing } from './errors';
import type { Launch, Task } from './launch';

const taskVersion = 1;
const taskSchema = z.object({ version: z.literal(taskVersion), kind: z.enum(['analyze', 'benchmark']), request: z.unknown() });

/** A task's share of the work. */
export interface TaskShare {
  readonly folder: string;
  readonly stage: string;
  readonly index: number;
  readonly request: unknown;
}

/** Writes what all tasks of a launch find in its folder, and clears away what an earlier one left. Throws storage errors. */
export async function prepareLaunch({ folder, task }: Launch): Promise<void> {
  await withStorageErrors(folder, () => mkdir(join(folder, 'logs'), { recursive: true }));
  for (const name of await withStorageErrors(folder, () => readdir(folder))) {
    if (/^failed-.*\.json$/.test(name)) await withStorageErrors(join(folder, name), () => rm(join(folder, name), { force: true }));
  }
  await withStorageErrors(jobsFile(folder), () => rm(jobsFile(folder), { force: true }));
  await writeFileAtomically(taskFile(folder), `${JSON.stringify({ version: taskVersion, ...task }, null, 2)}\n`);
}

/** Throws `launcher-task-missing` and `run-newer-version`. */
export async function readTask(folder: string): Promise<Task> {
  const file = taskFile(folder);
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) throw taskMissing(file, 'cannot be read');
  const json = parsed(text);
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > taskVersion) throw newerVersion(file, version);
  const task = taskSchema.safeParse(json).data;
  if (!task) throw taskMissing(file, 'is damaged');
  return { kind: task.kind, request: task.request };
}

/** Does one task's work; where that fails, writes down why, for whoever watches, and throws it on. */
export async function runTask(folder: string, stage: string, index: number, work: (task: Task, share: TaskShare) => Promise<void>): Promise<void> {
  const file = failureFile(folder, stage, index);
  await rm(file, { force: true });
  try {
    const task = await readTask(folder);
    await work(task, { folder, stage, index, request: task.request });
  } catch (error) {
    // The watcher is told by the way a task ends as well; what matters is the first error.
    if (!isInterruption(error)) await writeFileAtomically(file, `${JSON.stringify(failureOf(error), null, 2)}\n`).catch(() => undefined);
    throw error;
  }
}

/** What a task has said before it ended, as the error it was; its hint says where the log is. Null where it said nothing. */
export async function readFailure(folder: string, stage: string, index: number, log: string): Promise<RavlError | null> {
  const text = await readFile(failureFile(folder, stage, index), 'utf8').catch(() => '');
  const failure = failureSchema.safeParse(parsed(text)).data;
  return failure ? new RavlError(failure.code, failure.message, `${failure.hint} The log of that task: ${log}`) : null;
}

/** The tasks of a launch that have failed: stage by stage as given, then by index. */
export async function failedTasks({ folder, stages }: Pick<Launch, 'folder' | 'stages'>): Promise<{ stage: string; index: number }[]> {
  const names = await readdir(folder).catch(() => []);
  const found = names.flatMap((name) => {
    const [, stage, index] = /^failed-(.+)-(\d+)\.json$/.exec(name) ?? [];
    return stage === undefined ? [] : [{ stage, index: Number(index) }];
  });
  const order = (stage: string) => stages.findIndex(({ name }) => name === stage);
  return found.sort((a, b) => order(a.stage) - order(b.stage) || a.index - b.index);
}

/** The last line of a log that says something, short; null where there is none. */
export async function lastLineOf(log: string): Promise<string | null> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const line = text.split(/[\r\n]+/).findLast((each) => each.trim() !== '')?.trim();
  return line === undefined ? null : line.slice(0, 300).replace(/\.$/, '');
}

export const taskFile = (folder: string) => join(folder, 'task.json');
const failureFile = (folder: string, stage: string, index: number) => join(folder, `failed-${stage}-${index}.json`);

const failureSchema = z.object({ code: z.string(), message: z.string(), hint: z.string() });

function failureOf(error: unknown): z.infer<typeof failureSchema> {
  if (error instanceof RavlError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'internal', message: `A task failed by a defect in RaVL: ${error instanceof Error ? error.message : String(error)}`, hint: 'Please report it.' };
}
