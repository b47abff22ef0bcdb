/** task.json, and what a task leaves behind when it fails. */
import { join } from 'node:path';
import type { Task } from './launch';

export const taskFile = (folder: string) => join(folder, 'task.json');

/** The task of a launch's folder. Throws `launcher-task-missing`, `run-newer-version`. */
export async function readTask(folder: string): Promise<Task> {
  throw new Error(`not yet: ${folder}`);
}

/** A task's share of the work, as each part of the engine exports one for its `kind` of task. */
export interface TaskShare {
  readonly folder: string;
  readonly stage: string;
  readonly index: number;
  readonly request: unknown;
}
