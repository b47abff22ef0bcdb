import type { CheckpointDescription } from '../engine/checkpoint/describe';
import type { AnalyzeRequest, AnalyzeResult } from '../engine/discovery/analyze';
import type { CheckpointConfig } from '../shared/config';
import type { Report } from '../shared/progress';

export type { AnalyzeRequest, AnalyzeResult };

/** What the command line asks of the engine; main.ts wires the real one, tests a false one. */
export interface Engine {
  /** Rejects with an AbortError, or a RavlError `run-interrupted`, when `signal` stopped it. */
  analyze(request: AnalyzeRequest, report: Report, signal: AbortSignal): Promise<AnalyzeResult>;
  inspect(checkpoint: CheckpointConfig, baseDir: string): Promise<CheckpointDescription>;
  /** The column names of a table; none for a folder with a folder per class. */
  tableColumns(source: string): Promise<readonly string[]>;
  /** The label of every image of a table. */
  tableLabels(source: string, columns: { readonly image: string; readonly label: string }): Promise<readonly string[]>;
}
