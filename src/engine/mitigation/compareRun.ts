/** The end of a fine-tuning run: before and after on the validation images, and discovery once more on the new checkpoint. */
import { basename, join, relative, sep } from 'node:path';
import type { Comparison, MetricsLine } from '../../shared/comparison';
import type { CheckpointConfig, Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { openCheckpoint } from '../checkpoint/checkpoint';
import { analyze } from '../discovery/analyze';
import { identifyInputs } from '../discovery/inputs';
import { loadValidationData } from '../discovery/validationData';
import { versions } from '../discovery/versions';
import type { ComparisonRun } from '../report/comparisonPage';
import { writeComparisonReport } from '../report/writeComparisonReport';
import { writeFileAtomically } from '../run/atomic';
import { stableJson } from '../run/fingerprint';
import { listRuns, type Run } from '../run/runFolder';
import { comparePredictions, type Rediscovery } from '../evaluation/compare';
import { changedMeanwhile } from './errors';
import { evaluateCheckpoint } from '../evaluation/evaluate';
import { readFindings } from '../discovery/readFindings';
import { readFeatures, type RunFeature } from '../evaluation/features';
import type { FineTuneRequest, Prepared } from './prepare';
import type { Trained } from '../training/trainer';

export interface CompareRunInput {
  readonly request: FineTuneRequest;
  readonly prepared: Prepared;
  readonly run: Run;
  /** The new checkpoint, as a config names it. */
  readonly checkpoint: CheckpointConfig;
  readonly trained: Omit<Trained, 'bestWeights' | 'lastWeights'>;
  readonly lines: readonly MetricsLine[];
}

/**
 * Writes comparison.json and report.html. Both checkpoints are measured as they lie on disk, not as training left them in
 * memory: what is told is what `ravl compare` finds, rounding to half precision included.
 * Throws `dataset-changed-meanwhile`, and what evaluating and discovery throw.
 */
export async function compareRun(input: CompareRunInput, report: Report, signal: AbortSignal): Promise<{ comparison: Comparison; reportFile: string }> {
  const { prepared, run, checkpoint } = input;
  const { validation, features, config, discovery } = prepared;
  report({ type: 'note', level: 'info', text: 'Measuring the checkpoint as it was, and the new one.' });
  const before = await predictions(input, config.checkpoint, report, signal);
  const after = await predictions(input, checkpoint, report, signal);
  const again = discovery ? await rediscover(input, report, signal) : undefined;
  const comparison = comparePredictions({
    classes: validation.classes, labels: validation.labels, images: validation.table.images, before, after,
    features, minSupport: config.discovery.minSupport, seed: config.seed, ...(again ? { discovery: again } : {}),
  });
  await writeFileAtomically(join(run.folder, 'comparison.json'), `${JSON.stringify(comparison)}\n`);
  const reportFile = join(run.folder, 'report.html');
  await writeComparisonReport(reportFile, comparison, factsOf(input), input.lines, validation.table, report);
  return { comparison, reportFile };
}

/** [images] zero-shot predictions of the validation images. */
async function predictions({ request, prepared }: CompareRunInput, checkpoint: CheckpointConfig, report: Report, signal: AbortSignal): Promise<Int32Array> {
  const { baseDir, skipUnreadable } = request;
  const { config, validation } = prepared;
  // What there is to note on the data and the checkpoint was told before training.
  const progress: Report = (event) => event.type === 'progress' && report(event);
  const { images, labels, predictions } = await evaluateCheckpoint({ checkpoint, config, baseDir, skipUnreadable }, progress, signal);
  if (stableJson([images, [...labels]]) !== stableJson([validation.table.images, [...validation.labels]])) throw changedMeanwhile(config.data.validation);
  return predictions;
}

function factsOf({ request, prepared, run, trained }: CompareRunInput): ComparisonRun {
  const { config, discovery, findings } = prepared;
  const { training, mitigation } = config;
  const { device, versions, timings } = run.current();
  const name = basename(prepared.checkpoint.name);
  const trainable = training.trainable === 'all' ? 'all weights of the image encoder' : JSON.stringify(training.trainable);
  return {
    id: run.id,
    before: name,
    after: `${name}, ${request.kind === 'mitigate' ? 'region-aware fine-tuning' : 'plain fine-tuning'}`,
    data: basename(config.data.validation),
    choseEpoch: training.earlyStopping !== null,
    device: device ? `${device.used} (asked for: ${device.requested}; ${device.reason})` : 'not recorded',
    versions,
    timings,
    facts: [
      ['Training data', basename(config.data.train!)],
      ...(request.kind === 'mitigate'
        ? ([['Pushed away', [discovery && `finding ${findings.map(({ rank }) => rank).join(', ')} of ${discovery.id}`, mitigation.regions && `regions of ${basename(mitigation.regions)}`].filter(Boolean).join('; ')], ['Loss', `lambda ${mitigation.lambda}, temperature ${mitigation.temperature}`]] as const)
        : []),
      ['Trained', `${trainable}${training.trainText ? ' and the text encoder' : ''}, by ${training.optimizer}, learning rate ${training.learningRate} (${training.schedule}), weight decay ${training.weightDecay}, batch ${training.batch}`],
      ['Steps', `${trained.steps} in ${trained.epochs} epochs; ${trained.ended}; kept is epoch ${trained.best.epoch}${trained.best.epoch === 0 ? ', the checkpoint as it was: no epoch was better' : ''}`],
    ],
    notes: trained.best.epoch === 0 ? ['No epoch was better than the checkpoint that training started from, so the new checkpoint is the old one.'] : [],
  };
}

/** The same discovery on the new checkpoint, as a run of its own. */
async function rediscover({ request, prepared, checkpoint }: CompareRunInput, report: Report, signal: AbortSignal): Promise<Rediscovery> {
  const { baseDir, root, skipUnreadable } = request;
  const before = prepared.discovery!;
  const inFolder = (path: string) => relative(baseDir, path).split(sep).join('/') || '.';
  const config = { ...prepared.config, checkpoint: typeof checkpoint === 'string' ? inFolder(checkpoint) : checkpoint };
  report({ type: 'note', level: 'info', text: 'Looking for spurious features in the new checkpoint.' });
  const again = (await finished(config, request)) ?? (await analyze({ config, baseDir, root, skipUnreadable, fresh: false }, report, signal)).run;
  const { findings } = await readFindings(again.folder);
  const flagged = findings.filter((finding) => finding.flagged);
  const found = await readFeatures(again.folder, flagged.map(({ rank }) => rank!));
  const old = await readFeatures(before.folder, prepared.findings.map(({ rank }) => rank!));
  const [strongest] = flagged;
  return {
    summary: {
      run: again.id,
      flaggedBefore: before.findings.findings.filter((finding) => finding.flagged).length,
      flaggedAfter: flagged.length,
      strongest: strongest ? { rank: strongest.rank!, name: strongest.name, attribute: strongest.attribute, gap: strongest.gap, qValue: strongest.qValue } : null,
    },
    stillFlagged: new Map(old.map((feature) => [feature.rank, found.some((other) => sameFeature(feature, other))])),
  };
}

/** The analysis of the new checkpoint where a run that was killed after it goes on; there is no other of that folder. */
async function finished(config: Config, { baseDir, root, skipUnreadable }: FineTuneRequest): Promise<{ id: string; folder: string } | undefined> {
  const quiet: Report = () => undefined;
  const { table } = await loadValidationData(config, baseDir, skipUnreadable, quiet);
  const { fingerprint } = await identifyInputs(config, baseDir, await openCheckpoint(config.checkpoint, baseDir), table, versions);
  return (await listRuns(join(root, '.ravl', 'runs'))).find((entry) => 'file' in entry && entry.file.state === 'complete' && entry.file.fingerprint === fingerprint);
}

/** Two runs number their clusters anew: a feature counts as the same where most images with either have both. */
function sameFeature({ present: a }: RunFeature, { present: b }: RunFeature): boolean {
  let both = 0;
  for (const image of a) if (b.has(image)) both++;
  return both > 0.5 * (a.size + b.size - both);
}
