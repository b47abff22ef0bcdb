import { z } from 'zod';
import type { Comparison } from './comparison';
import { checkpointSchema, configSchema } from './config';
import { method, nothing } from './rpc';
import { runStates, type RunSummary } from './runSummary';

/**
 * What the extension host asks of a worker process. One process does one job (analyze, fineTune, …) and ends; another, the
 * viewer, answers questions about runs on disk (`view`, `listRuns`) while the editor is open. All paths are absolute.
 */
/** Longer than any system's. */
const path = z.string().max(32_767);

const work = {
  config: configSchema,
  /** Folder that the config's relative paths start from. */
  baseDir: path,
  /** Folder in which `.ravl` is made. */
  root: path,
  skipUnreadable: z.boolean().default(false),
};

const fineTuneParams = z.strictObject({
  ...work,
  kind: z.enum(['mitigate', 'finetune']),
  fresh: z.boolean().default(false),
  /** Insist on going on with an unfinished run: the newest, or the one of this id. */
  resume: z.union([z.literal(true), z.string()]).optional(),
  /** The analysis to take findings from; the newest that fits when left out. */
  run: z.string().optional(),
});

const measureParams = {
  /** Data, classes, prompts and settings; left out, those of the run that is named. */
  config: configSchema.optional(),
  baseDir: path,
  /** The analysis whose findings make the groups: its id or folder. */
  run: z.string().optional(),
};

export const workerApi = {
  /** The heartbeat: answered at once by a process whose event loop turns. */
  ping: method(nothing).returns<{ pid: number }>(),
  analyze: method(z.strictObject({ ...work, fresh: z.boolean().default(false) })).returns<AnalyzeDone>(),
  fineTune: method(fineTuneParams).returns<FineTuneDone>(),
  /** Ends the training of the running `fineTune` after its step: the best epoch so far is validated, kept and compared. False where nothing trains. */
  finish: method(nothing).returns<boolean>(),
  plan: method(fineTuneParams).returns<Plan>(),
  inspect: method(z.strictObject({ checkpoint: checkpointSchema, baseDir: path })).returns<Inspection>(),
  /** `named`: a checkpoint's path, or a run's id or folder; left out, the config's checkpoint. */
  evaluate: method(z.strictObject({ ...measureParams, named: path.optional() })).returns<Evaluated>(),
  /** Writes comparison.json and report.html into `out`. */
  compare: method(z.strictObject({ ...measureParams, before: path, after: path, out: path })).returns<Compared>(),
  doctor: method(nothing).returns<Machine>(),
  tableColumns: method(z.strictObject({ source: path })).returns<readonly string[]>(),
  /** The label of every image of a table. */
  tableLabels: method(z.strictObject({ source: path, image: z.string(), label: z.string() })).returns<readonly string[]>(),
  /** The runs in `<root>/.ravl/runs`, newest first. */
  listRuns: method(z.strictObject({ root: path })).returns<readonly RunSummary[]>(),
  deleteRun: method(z.strictObject({ folder: path })).returns<boolean>(),
  /** A query of runQueries.ts about the run (or comparison) in `folder`; its parameters are checked there. */
  view: method(z.strictObject({ folder: path, query: z.string().max(100), params: z.unknown() })).returns<unknown>(),
};
export type WorkerApi = typeof workerApi;

/** What a worker tells unasked. */
export const workerEvents = {
  progress: z.discriminatedUnion('type', [
    z.object({ type: z.literal('progress'), phase: z.string(), done: z.number(), total: z.number(), unit: z.string() }),
    z.object({ type: z.literal('note'), level: z.enum(['info', 'warning']), text: z.string() }),
  ]),
  /** The run on disk that the job works on, as soon as there is one. */
  run: z.object({ id: z.string(), folder: z.string(), resumed: z.boolean(), state: z.enum(runStates) }),
  /** How far a slow answer of the viewer is. */
  viewProgress: z.object({ folder: z.string(), query: z.string(), done: z.number(), total: z.number() }),
};

export interface UsedDevice {
  readonly requested: string;
  readonly used: string;
  readonly reason: string;
}

interface Done {
  readonly run: { readonly id: string; readonly folder: string; readonly resumed: boolean };
  readonly device: UsedDevice;
  readonly reportFile: string;
}

export interface AnalyzeDone extends Done {
  readonly flagged: number;
  /** The first flagged finding in words. */
  readonly top: { readonly name: readonly string[]; readonly attribute: string | null; readonly gap: number } | null;
}

export interface FineTuneDone extends Done {
  readonly checkpoint: string;
  readonly ended: string;
  readonly bestEpoch: number;
  readonly comparison: Pick<Comparison, 'summary' | 'overall' | 'worstGroup'>;
}

/** See the engine's FineTunePlan. */
export interface Plan {
  readonly kind: 'mitigate' | 'finetune';
  readonly device: UsedDevice;
  readonly images: number;
  readonly regions: number;
  readonly findings: readonly number[];
  readonly trainable: { readonly weights: number; readonly parameters: number };
  readonly batch: number;
  readonly microBatch: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  readonly secondsPerStep: number;
  readonly memory: { readonly bytes: number; readonly budget: number };
}

/** See the engine's CheckpointDescription. */
export interface Inspection {
  readonly name: string;
  readonly files: readonly { readonly role: string; readonly path: string; readonly bytes: number; readonly sha256: string }[];
  readonly image: EncoderInspection & { readonly height: number; readonly width: number; readonly family: string };
  readonly text: EncoderInspection;
  readonly dim: number;
  readonly logitScale: number | null;
  readonly tokenizer: { readonly kind: string; readonly vocabulary: number };
  readonly notes: readonly string[];
}
interface EncoderInspection {
  readonly dtype: string;
  readonly opset: number;
  readonly producer: string;
  readonly nodes: number;
  readonly parameters: number;
  readonly quantized: boolean;
}

export interface Evaluated {
  readonly name: string;
  readonly device: UsedDevice;
  readonly images: number;
  readonly overall: number;
  readonly perClass: readonly { readonly label: string; readonly n: number; readonly accuracy: number }[];
  readonly groups: readonly { readonly label: string; readonly n: number; readonly accuracy: number; readonly rank: number; readonly feature: 'present' | 'absent' }[];
  readonly worstGroup: { readonly label: string; readonly accuracy: number; readonly rank: number; readonly feature: 'present' | 'absent' } | null;
}

export interface Compared {
  readonly folder: string;
  readonly reportFile: string;
  readonly summary: string;
}

/** See the engine's MachineReport. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cores: number;
  readonly memory: { readonly total: number; readonly free: number };
  readonly devices: readonly { readonly name: string; readonly works: boolean; readonly reason: string; readonly hint: string }[];
  readonly auto: { readonly device: string; readonly reason: string } | null;
}
