/**
 * Fine-tuning from end to end: checked inputs -> regions of the training images -> training -> a checkpoint in the layout of
 * the one it came from -> what changed. Region-aware (paper, section 3.3) or plain, as the request says.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Comparison, MetricsLine } from '../../shared/comparison';
import type { Report } from '../../shared/progress';
import { checkpointFiles, writtenConfig } from '../checkpoint/checkpointFiles';
import { writeFolderAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { listRuns, withRun, type Run } from '../run/runFolder';
import { versions } from '../discovery/versions';
import { compareRun } from './compareRun';
import { imageStore, type ImageStore } from '../training/imageStore';
import { openMetricsLog } from '../training/metricsLog';
import { openTraining } from './openTraining';
import { prepare, type FineTuneRequest, type Prepared } from './prepare';
import { assertResumable } from './resume';
import { openSchedule } from '../training/schedule';
import { openTexts, planTrainingRegions, withReadableValidation } from './trainingInputs';
import { totalSteps, train, type Trained } from '../training/trainer';
import { loadBatch } from '../training/trainingData';
import { openTrainingModel, type TrainingModel } from '../training/trainingModel';
import { stateStore } from '../training/trainingState';
import { openValidator } from './validator';

export interface FineTuneResult {
  readonly run: { readonly id: string; readonly folder: string; readonly resumed: boolean };
  readonly kind: FineTuneRequest['kind'];
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string };
  /** Folder of the new checkpoint: that of the best epoch. */
  readonly checkpoint: string;
  /** Folder of the last epoch's; null where that is the best. */
  readonly lastCheckpoint: string | null;
  readonly training: { readonly epochs: number; readonly steps: number; readonly bestEpoch: number; readonly ended: string };
  readonly comparison: Comparison;
  readonly reportFile: string;
}

/**
 * Fine-tunes and writes `.ravl/runs/<id>`; goes on where an earlier, unfinished run on the same inputs stopped.
 *
 * Throws RavlError for whatever a person can mend. Once `signal` is aborted it stops at the next step with `signal.reason`
 * and leaves a run that can be resumed.
 */
export async function fineTune(request: FineTuneRequest, report: Report, signal: AbortSignal): Promise<FineTuneResult> {
  const { kind, root, fresh, resume, opened } = request;
  const prepared = await prepare(request, report);
  const { identity, config } = prepared;
  signal.throwIfAborted();
  const options = {
    root: join(root, '.ravl', 'runs'),
    fingerprint: identity.fingerprint,
    describe: { kind, versions: { ...versions }, seed: config.seed, config, inputs: identity.inputs },
    fresh,
    opened,
  };
  if (resume !== undefined) await assertResumable(options, resume === true ? undefined : resume);
  const result = await withRun(options, report, signal, (run) => work(request, prepared, run, report, signal));
  await clearComplete(options.root);
  return result;
}

/** Only a complete run can do without what it would resume from. Others than the last are looked at too: a kill may have come before this. */
async function clearComplete(root: string): Promise<void> {
  for (const entry of await listRuns(root)) {
    if (!('file' in entry) || entry.file.kind === 'analyze' || entry.file.state !== 'complete') continue;
    for (const part of ['shards', 'states', 'best']) await withStorageErrors(entry.folder, () => rm(join(entry.folder, part), { recursive: true, force: true }));
  }
}

async function work(request: FineTuneRequest, given: Prepared, run: Run, report: Report, signal: AbortSignal): Promise<FineTuneResult> {
  const prepared = await withReadableValidation(request, given, report, signal);
  const { trained, checkpoint, lastCheckpoint, lines, device } = await fineTuned(request, prepared, run, report, signal);
  signal.throwIfAborted();
  const written = writtenConfig(prepared.config.checkpoint, prepared.checkpoint.layout, checkpoint);
  const { comparison, reportFile } = await run.timed('compare', () => compareRun({ request, prepared, run, checkpoint: written, trained, lines }, report, signal));
  return {
    run: { id: run.id, folder: run.folder, resumed: run.resumed },
    kind: request.kind,
    device,
    checkpoint,
    lastCheckpoint,
    training: { epochs: trained.epochs, steps: trained.steps, bestEpoch: trained.best.epoch, ended: trained.ended },
    comparison,
    reportFile,
  };
}

interface FineTuned extends Pick<FineTuneResult, 'checkpoint' | 'lastCheckpoint' | 'device'> {
  readonly trained: Omit<Trained, 'bestWeights' | 'lastWeights'>;
  readonly lines: readonly MetricsLine[];
}

/** Trains, or goes on with it, and writes what came of it. */
async function fineTuned(request: FineTuneRequest, prepared: Prepared, run: Run, report: Report, signal: AbortSignal): Promise<FineTuned> {
  const { config, validation, features, checkpoint } = prepared;
  const { training, mitigation, discovery, seed } = config;
  const { data, rows, embedding } = await run.timed('regions', () => planTrainingRegions(request, prepared, run, report, signal));
  const model = await openTrainingModel(checkpoint, embedding, training);
  const text = await run.timed('text', () => openTexts(prepared, rows, model, report, signal));
  signal.throwIfAborted();
  const store = stateStore(run.folder);
  let resumed = await store.load(report);
  const from = resumed?.progress ?? null;
  const trainingData = { ...data, text: text.training };
  const { optimizer, weights, step, runtime, batch } = await run.timed('open', () => openTraining(prepared, request.kind, model, trainingData, from?.microBatch, report));
  const images = data.labels.length;
  const schedule = openSchedule(training, { totalSteps: totalSteps(training, images, batch) });
  if (resumed) {
    const { weights: values, m, v } = resumed.columns as Record<'weights' | 'm' | 'v', Float32Array>;
    optimizer.restore({ steps: resumed.progress.optimizerSteps, weights: values, m, v });
    schedule.restore(resumed.progress.schedule as ReturnType<typeof schedule.state>);
    report({ type: 'note', level: 'info', text: `Going on after step ${resumed.progress.step}.` });
    // As much memory as the optimizer has of its own.
    resumed = null;
  }
  await run.update({ device: runtime.device });

  const validationImages = stoppable(imageStore(validation.table.files), signal);
  const validator = await openValidator(
    { image: model.image, weights, store: validationImages, labels: validation.labels, classes: validation.classes, features, minSupport: discovery.minSupport, temperature: discovery.temperature, classRows: () => text.classRows(weights) },
    runtime,
  );
  try {
    const log = await openMetricsLog(run.folder, from);
    const trained = await run.timed('train', () =>
      train({ config: training, seed, images, batch, optimizer, schedule, step, store, log, from, load: (indices) => loadBatch(trainingData, indices, mitigation), validate: async () => (await validator.validate()).metrics, finish: request.finish }, report, signal),
    );
    const folders = await run.timed('write', () => writeCheckpoints(run.folder, prepared, model, trained));
    const { epochs, steps, best, ended } = trained;
    return { trained: { epochs, steps, best, ended }, ...folders, lines: log.lines(), device: runtime.device };
  } finally {
    await Promise.all([validator.release(), step.release(), text.release()]);
  }
}

/** A validation takes minutes: it stops at the next images once `signal` is aborted. */
function stoppable(store: ImageStore, signal: AbortSignal): ImageStore {
  return {
    load(indices) {
      signal.throwIfAborted();
      return store.load(indices);
    },
  };
}

/** The new checkpoint, and beside it the last epoch's where another one was the best. */
async function writeCheckpoints(folder: string, { checkpoint }: Prepared, model: TrainingModel, { best, steps, bestWeights, lastWeights }: Trained): Promise<{ checkpoint: string; lastCheckpoint: string | null }> {
  const write = async (name: string, weights: Float32Array) => {
    const target = join(folder, name);
    await writeFolderAtomically(target, await checkpointFiles(checkpoint, model.named(split(weights, model))));
    return target;
  };
  return { checkpoint: await write('checkpoint', bestWeights), lastCheckpoint: best.step === steps ? null : await write('last-checkpoint', lastWeights) };
}

/** The weights of each parameter, from all of them in one column, as the optimizer keeps them. */
function split(all: Float32Array, { parameters }: TrainingModel): Float32Array[] {
  let at = 0;
  return parameters.map(({ size }) => all.subarray(at, (at += size)));
}
