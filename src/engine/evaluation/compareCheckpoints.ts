/** Two checkpoints, whatever made them, on the same images: evaluate both, compare, and write what was asked for. */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Comparison } from '../../shared/comparison';
import type { Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { versions } from '../discovery/versions';
import { writeComparisonReport } from '../report/writeComparisonReport';
import { writeFileAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { comparePredictions } from './compare';
import { writeCompared } from './compared';
import { nothingInCommon, notAnAnalysis, runUnfinished } from './errors';
import { evaluateCheckpoint, type Evaluation } from './evaluate';
import { readFindings } from '../discovery/readFindings';
import { featuresIn, readFeatures, type RunFeature } from './features';
import type { KnownRun, Side } from './sides';

export interface EvaluateRequest {
  readonly side: Side;
  /** Data, classes, prompts and settings; its own checkpoint does not count. */
  readonly config: Config;
  readonly baseDir: string;
  readonly skipUnreadable: boolean;
  /** The analysis whose findings divide the classes into groups; null for no groups. */
  readonly run: KnownRun | null;
}

export interface CompareRequest extends Omit<EvaluateRequest, 'side'> {
  readonly before: Side;
  readonly after: Side;
  /** Folder for comparison.json and report.html; nothing is written when left out. */
  readonly out?: string;
}

export interface CompareResult {
  readonly before: string;
  readonly after: string;
  /** The analysis that the groups come from. */
  readonly run: string | null;
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string };
  readonly comparison: Comparison;
  /** The report; null where nothing was written. */
  readonly reportFile: string | null;
}

/** Evaluates one side. Throws what `evaluateCheckpoint` and `readGrouping` throw. */
export async function evaluateSide({ side, config, baseDir, skipUnreadable, run }: EvaluateRequest, report: Report, signal: AbortSignal): Promise<Evaluation> {
  const grouping = run ? await readGrouping(run, config, report) : undefined;
  return evaluateCheckpoint({ checkpoint: side.checkpoint, checkpointDir: side.baseDir, config, baseDir, skipUnreadable, ...(grouping ? { grouping } : {}) }, report, signal);
}

/** Throws what `evaluateCheckpoint` and `readGrouping` throw, and storage errors. */
export async function compareCheckpoints(request: CompareRequest, report: Report, signal: AbortSignal): Promise<CompareResult> {
  const { before, after, config, baseDir, skipUnreadable, run, out } = request;
  const grouping = run ? await readGrouping(run, config, report) : undefined;
  const evaluate = (side: Side) => {
    report({ type: 'note', level: 'info', text: `Evaluating ${side.name}.` });
    const shared = { config, baseDir, skipUnreadable, ...(grouping ? { grouping } : {}) };
    return evaluateCheckpoint({ checkpoint: side.checkpoint, checkpointDir: side.baseDir, ...shared }, report, signal);
  };
  const [was, is] = [await evaluate(before), await evaluate(after)];
  const pairs = commonRows(was, is);
  if (pairs.length === 0) throw nothingInCommon(before.name, after.name);
  const images = pairs.map(([i]) => was.images[i]!);
  const comparison = comparePredictions({
    classes: was.classes,
    labels: Int32Array.from(pairs, ([i]) => was.labels[i]!),
    images,
    before: Int32Array.from(pairs, ([i]) => was.predictions[i]!),
    after: Int32Array.from(pairs, ([, j]) => is.predictions[j]!),
    features: featuresIn(grouping?.features ?? [], images),
    minSupport: config.discovery.minSupport,
    seed: config.seed,
  });
  const names = { before: before.name, after: after.name, run: run?.id ?? null };
  return { ...names, device: is.device, comparison, reportFile: out === undefined ? null : await write(out, comparison, request, is, report) };
}

/**
 * The findings that make groups: those that the analysis flagged, and those that the config names for mitigation. Throws
 * `mitigation-run-unfinished`, `mitigation-rank-unknown` and what reading a run throws.
 */
export async function readGrouping(run: KnownRun, config: Config, report: Report): Promise<{ run: string; features: readonly RunFeature[] }> {
  if (run.kind !== 'analyze') throw notAnAnalysis(run.id);
  if (!run.complete) throw runUnfinished(run.id, 'its findings are still to come');
  const { findings } = await readFindings(run.folder);
  const flagged = findings.filter((finding) => finding.flagged && finding.rank !== null).map(({ rank }) => rank!);
  const ranks = [...new Set([...flagged, ...(config.mitigation.findings ?? [])])].sort((a, b) => a - b);
  if (ranks.length === 0) report({ type: 'note', level: 'warning', text: `The analysis ${run.id} flagged nothing, so there are no groups to tell apart.` });
  return { run: run.id, features: await readFeatures(run.folder, ranks) };
}

/** Images that both could read, by their index in either: a file may come or go meanwhile. */
function commonRows(was: Evaluation, is: Evaluation): (readonly [number, number])[] {
  const at = new Map(Array.from(is.rows, (row, j) => [is.table.rowNumbers[row]!, j]));
  return Array.from(was.rows, (row, i) => [i, at.get(was.table.rowNumbers[row]!)] as const).filter((pair): pair is readonly [number, number] => pair[1] !== undefined);
}

/** Whether a side's epoch was chosen on the very data that is compared on. */
function choseEpoch({ run }: Side, { data }: Config, baseDir: string): boolean {
  if (!run || run.kind === 'analyze' || run.config.training.earlyStopping === null) return false;
  return resolve(run.baseDir, run.config.data.validation) === resolve(baseDir, data.validation);
}

async function write(out: string, comparison: Comparison, { before, after, config, baseDir, run }: CompareRequest, { table, device }: Evaluation, report: Report): Promise<string> {
  await withStorageErrors(out, () => mkdir(out, { recursive: true }));
  await writeFileAtomically(join(out, 'comparison.json'), `${JSON.stringify(comparison)}\n`);
  await writeCompared(out, { before: before.name, after: after.name, run: run?.id ?? null, data: table.source, image: config.data.columns.image });
  const reportFile = join(out, 'report.html');
  const facts: [string, string][] = [['Prompts', config.prompts.join(' | ')], ...(run ? [['Groups by the analysis', run.id] as [string, string]] : [])];
  const about = {
    id: null,
    before: before.name,
    after: after.name,
    data: basename(config.data.validation),
    choseEpoch: [before, after].some((side) => choseEpoch(side, config, baseDir)),
    device: `${device.used} (asked for: ${device.requested}; ${device.reason})`,
    versions,
    timings: {},
    facts,
    notes: [],
  };
  await writeComparisonReport(reportFile, comparison, about, [], table, report);
  return reportFile;
}
