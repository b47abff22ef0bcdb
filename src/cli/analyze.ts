import type { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import type { Engine } from './engine';
import { interruptible } from './interrupt';
import { renderProgress } from './progress';
import { resultJson } from './result';
import { type ConfigOptions, readSettings } from './settings';
import { summary } from './summary';
import type { Terminal } from './terminal';

export interface AnalyzeOptions extends ConfigOptions {
  readonly out?: string;
  readonly json?: boolean;
  readonly skipUnreadable?: boolean;
  readonly fresh?: boolean;
}

/** `ravl analyze`: the result goes to stdout, everything else to stderr. */
export async function analyzeCommand(target: string, options: AnalyzeOptions, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<void> {
  const { config, baseDir, warnings } = await readSettings(target, options, terminal.cwd);
  const progress = renderProgress(terminal.stderr, terminal);
  for (const text of warnings) progress.report({ type: 'note', level: 'warning', text });
  const { signal, dispose } = interruptible(signals, () => {
    progress.close();
    progress.report({ type: 'note', level: 'info', text: 'Stopping after this batch; run again to resume.' });
  });
  try {
    const root = options.out === undefined ? baseDir : resolve(terminal.cwd, options.out);
    const request = { config, baseDir, root, skipUnreadable: options.skipUnreadable ?? false, fresh: options.fresh ?? false };
    const result = await engine.analyze(request, progress.report, signal);
    progress.close();
    terminal.stdout.write(options.json ? `${JSON.stringify(resultJson(result))}\n` : summary(result, terminal.cwd));
  } finally {
    progress.close();
    dispose();
  }
}
