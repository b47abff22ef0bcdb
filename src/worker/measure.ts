/** Evaluating a checkpoint and comparing two, as the editor asks for them. */
import type { EvaluateRequest } from '../engine/evaluation/compareCheckpoints';
import type { KnownRun, Side } from '../engine/evaluation/sides';
import type { CheckpointConfig } from '../shared/config';
import type { Report } from '../shared/progress';
import type { Handlers } from '../shared/rpc';
import type { Compared, Evaluated, WorkerApi } from '../shared/workerApi';
import { loaded } from './engine';
import { nothingToMeasureOn, runMissing } from './errors';

type Evaluate = Handlers<WorkerApi>['evaluate'];
type Compare = Handlers<WorkerApi>['compare'];

export async function evaluate(params: Parameters<Evaluate>[0], report: Report, signal: AbortSignal): Promise<Evaluated> {
  const { evaluateSide } = await loaded(import('../engine/evaluation/compareCheckpoints'));
  const side = await sideOf(params.named, params);
  const { overall, perClass, groups, worstGroup, device, images } = await evaluateSide({ side, ...(await measured(params, [side])) }, report, signal);
  return { name: side.name, device, images: images.length, overall, perClass, groups, worstGroup };
}

export async function compare(params: Parameters<Compare>[0], report: Report, signal: AbortSignal): Promise<Compared> {
  const { compareCheckpoints } = await loaded(import('../engine/evaluation/compareCheckpoints'));
  const { out } = params;
  const [before, after] = [await sideOf(params.before, params), await sideOf(params.after, params)];
  const { comparison, reportFile } = await compareCheckpoints({ before, after, out, ...(await measured(params, [before, after])) }, report, signal);
  return { folder: out, reportFile: reportFile!, summary: comparison.summary };
}

type Params = Pick<Parameters<Evaluate>[0], 'config' | 'baseDir' | 'run'>;

async function sideOf(named: string | undefined, { config, baseDir }: Params): Promise<Side> {
  if (named !== undefined) return (await loaded(import('../engine/evaluation/sides'))).resolveSide(named, baseDir, [baseDir]);
  if (!config) throw nothingToMeasureOn();
  return { name: mainFile(config.checkpoint), checkpoint: config.checkpoint, baseDir, run: null };
}

/**
 * The images and settings are the config's, else those of the analysis that is named, else of a side that is a run. The groups are
 * those of the analysis that is named, else of a side that is one.
 */
async function measured({ config, baseDir, run }: Params, sides: readonly Side[]): Promise<Omit<EvaluateRequest, 'side'>> {
  const { findRun } = await loaded(import('../engine/evaluation/sides'));
  const named = run === undefined ? null : await findRun(run, baseDir, [baseDir]);
  if (run !== undefined && !named) throw runMissing(run);
  const known = sides.flatMap((side) => side.run ?? []);
  const source: Pick<KnownRun, 'config' | 'baseDir'> | null = config ? { config, baseDir } : (named ?? known[0] ?? null);
  if (!source) throw nothingToMeasureOn();
  const groups = named ?? known.find(({ kind, complete }) => kind === 'analyze' && complete) ?? null;
  return { config: source.config, baseDir: source.baseDir, skipUnreadable: false, run: groups };
}

const mainFile = (checkpoint: CheckpointConfig): string => (typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''));
