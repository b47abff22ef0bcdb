import type { BenchmarkResult } from '../engine/benchmark/benchmark';
import type { BenchmarkRequest } from '../engine/benchmark/request';
import type { CheckpointDescription } from '../engine/checkpoint/describe';
import type { AnalyzeRequest, AnalyzeResult } from '../engine/discovery/analyze';
import type { CompareRequest, CompareResult, EvaluateRequest } from '../engine/evaluation/compareCheckpoints';
import type { Evaluation } from '../engine/evaluation/evaluate';
import type { FineTuneResult } from '../engine/mitigation/fineTune';
import type { FineTunePlan } from '../engine/mitigation/plan';
import type { FineTuneRequest } from '../engine/mitigation/prepare';
import type { KnownRun, Side } from '../engine/evaluation/sides';
import type { MachineReport } from '../engine/runtime/doctor';
import type { CheckpointConfig } from '../shared/config';
import type { Report } from '../shared/progress';

export type { AnalyzeRequest, AnalyzeResult, BenchmarkRequest, CompareRequest, CompareResult, EvaluateRequest, Evaluation, FineTunePlan, FineTuneRequest, FineTuneResult, KnownRun, Side };

/** What the command line asks of the engine; main.ts wires the real one, tests a false one. */
export interface Engine {
  /** Rejects with an AbortError, or a RavlError `run-interrupted`, when `signal` stopped it. */
  analyze(request: AnalyzeRequest, report: Report, signal: AbortSignal): Promise<AnalyzeResult>;
  /** Rejects as `analyze` does when `signal` stopped it. */
  fineTune(request: FineTuneRequest, report: Report, signal: AbortSignal): Promise<FineTuneResult>;
  planFineTune(request: FineTuneRequest, report: Report, signal: AbortSignal): Promise<FineTunePlan>;
  /** Rejects with an AbortError when `signal` stopped it. */
  benchmark(request: BenchmarkRequest, report: Report, signal: AbortSignal): Promise<BenchmarkResult>;
  /** One task of a launch, told by its folder. Rejects as `analyze` does when `signal` stopped it. */
  task(folder: string, stage: string, index: number, report: Report, signal: AbortSignal): Promise<void>;
  inspect(checkpoint: CheckpointConfig, baseDir: string): Promise<CheckpointDescription>;
  doctor(): Promise<MachineReport>;
  /** The column names of a table; none for a folder with a folder per class. */
  tableColumns(source: string): Promise<readonly string[]>;
  /** The label of every image of a table. */
  tableLabels(source: string, columns: { readonly image: string; readonly label: string }): Promise<readonly string[]>;
  /** A run by its folder or its id in the `.ravl/runs` of one of `roots`; null where there is none. */
  findRun(named: string, cwd: string, roots: readonly string[]): Promise<KnownRun | null>;
  /** A checkpoint by its path, or by a run that stands for one. */
  resolveSide(named: string, cwd: string, roots: readonly string[]): Promise<Side>;
  evaluate(request: EvaluateRequest, report: Report, signal: AbortSignal): Promise<Evaluation>;
  compare(request: CompareRequest, report: Report, signal: AbortSignal): Promise<CompareResult>;
}
