import { usageInvalid } from './errors';
import type { Engine } from './engine';
import { renderProgress } from './progress';
import type { Terminal } from './terminal';

/**
 * `ravl task`: what a launcher starts, for nobody to type. It handles no signals: a task leaves nothing half-written, so whoever
 * ends one need not wait.
 */
export async function taskCommand(folder: string, stage: string, index: string, terminal: Terminal, engine: Engine): Promise<void> {
  if (!/^\d{1,9}$/.test(index)) throw usageInvalid(`The index of a task must be a whole number, not ${JSON.stringify(index)}.`);
  const progress = renderProgress(terminal.stderr, terminal);
  try {
    await engine.task(folder, stage, Number(index), progress.report, new AbortController().signal);
  } finally {
    progress.close();
  }
}
