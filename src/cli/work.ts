import type { EventEmitter } from 'node:events';
import type { Report } from '../shared/progress';
import { interruptible } from './interrupt';
import { renderProgress } from './progress';
import type { Terminal } from './terminal';

/** Does work that reports progress on stderr and stops at the first interrupt; `stopping` says then what becomes of it. */
export async function withProgress<T>(
  terminal: Terminal,
  signals: EventEmitter,
  { warnings, stopping }: { readonly warnings: readonly string[]; readonly stopping: string },
  work: (report: Report, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const progress = renderProgress(terminal.stderr, terminal);
  for (const text of warnings) progress.report({ type: 'note', level: 'warning', text });
  const { signal, dispose } = interruptible(signals, () => {
    progress.close();
    progress.report({ type: 'note', level: 'info', text: stopping });
  });
  try {
    return await work(progress.report, signal);
  } finally {
    progress.close();
    dispose();
  }
}
