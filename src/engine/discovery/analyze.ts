/** RaVL's discovery from end to end: config -> checkpoint + data -> embeddings -> clusters -> findings -> a run on disk. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../shared/config';
import type { Findings } from '../../shared/findings';
import type { Report } from '../../shared/progress';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import { classEmbeddings, embedTexts } from '../checkpoint/textEmbeddings';
import { openRegionFinder } from '../dataset/regions';
import { writeReport } from '../report/writeReport';
import { withRun, type OpenedRun, type Run } from '../run/runFolder';
import { similarityMatrix } from '../runtime/matmul';
import { writeArtifacts } from './artifacts';
import { clusterRegions } from './clustering';
import { embedImages, type ImageEmbeddings } from './embedImages';
import { nothingToAnalyze } from './errors';
import { describeFindings } from './findings';
import { identifyInputs } from './inputs';
import { clusterMeans, nameClusters } from './naming';
import { rankClusters } from './ranking';
import { openRegionEncoder, type RegionEncoder } from './regionEncoder';
import { loadValidationData, type ValidationData } from './validationData';
import { versions } from './versions';
import { loadWords } from './words';
import { zeroShot } from './zeroShot';

export interface AnalyzeRequest {
  readonly config: Config;
  /** Folder that the config's relative paths start from. */
  readonly baseDir: string;
  /** Folder in which `.ravl` is made. */
  readonly root: string;
  /** Leave images out that are missing or cannot be decoded, instead of stopping. */
  readonly skipUnreadable: boolean;
  /** Start anew where an unfinished run could be resumed. */
  readonly fresh: boolean;
  /** Told which run on disk it is as soon as it is open. */
  opened?(run: OpenedRun): void;
}

export interface AnalyzeResult {
  readonly run: { readonly id: string; readonly folder: string; readonly resumed: boolean };
  readonly device: { readonly requested: string; readonly used: string; readonly reason: string };
  readonly findings: Findings;
  readonly reportFile: string;
}

/**
 * Finds the spurious features of a checkpoint and writes them to `.ravl/runs/<id>`; goes on from the finished shards
 * of an earlier, unfinished run on the same inputs.
 *
 * Throws RavlError for whatever a person can mend. Once `signal` is aborted it stops at the next batch with
 * `signal.reason` and leaves a run that can be resumed.
 */
export async function analyze(request: AnalyzeRequest, report: Report, signal: AbortSignal): Promise<AnalyzeResult> {
  const { config, baseDir, root, skipUnreadable, fresh, opened } = request;
  const checkpoint = await openCheckpoint(config.checkpoint, baseDir);
  for (const text of checkpoint.notes) report({ type: 'note', level: 'info', text });
  const data = await loadValidationData(config, baseDir, skipUnreadable, report);
  const identity = await identifyInputs(config, baseDir, checkpoint, data.table, versions);
  signal.throwIfAborted();
  const options = {
    root: join(root, '.ravl', 'runs'),
    fingerprint: identity.fingerprint,
    describe: { versions: { ...versions }, seed: config.seed, config, inputs: identity.inputs },
    fresh,
    opened,
  };
  const result = await withRun(options, report, signal, (run) => discover(request, checkpoint, data, run, report, signal));
  // Only a complete run can do without its shards.
  await rm(shardsOf(result.run.folder), { recursive: true, force: true });
  return result;
}

async function discover(
  { config, baseDir, skipUnreadable }: AnalyzeRequest,
  checkpoint: Checkpoint,
  { table, classes, labels: allLabels }: ValidationData,
  run: Run,
  report: Report,
  signal: AbortSignal,
): Promise<AnalyzeResult> {
  const { discovery, seed, device } = config;
  const { dim } = checkpoint;

  const embeddings = await run.timed('embed', () => embedAll(config, baseDir, checkpoint, table, skipUnreadable, run, report, signal));
  const labels = Int32Array.from(embeddings.rows, (row) => allLabels[row]!);
  const regions = embeddings.regionImage.length;

  const [classRows, words, wordRows] = await run.timed('text', async () => {
    const words = await loadWords(discovery.vocabulary, baseDir);
    return [
      await classEmbeddings(checkpoint, device, classes, config.prompts, report, signal),
      words,
      await embedTexts(checkpoint, device, words.map((word) => config.prompts[0]!.replaceAll('{}', () => word)), report, signal),
    ] as const;
  });
  signal.throwIfAborted();

  const scores = async (rows: Float32Array, n: number) =>
    zeroShot(await similarityMatrix(rows, n, classRows, classes.length, dim), classes.length, discovery.temperature);
  const { predictions } = await scores(embeddings.images, labels.length);
  const { scores: regionScores } = await scores(embeddings.regions, regions);

  const clustering = await run.timed('cluster', () =>
    clusterRegions(embeddings.regions, regions, dim, { ...clusterRange(config, classes.length), seed, memoryBudget: discovery.memoryBudget, report, signal }),
  );
  signal.throwIfAborted();

  const findings = await run.timed('score', async () => {
    const ranked = rankClusters({ classes, labels, predictions, regionImage: embeddings.regionImage, regionScores, clustering }, discovery, seed);
    const names = nameClusters(clusterMeans(embeddings.regions, clustering.assignment, clustering.k, dim), wordRows, dim);
    return describeFindings({
      seed, table, classes, labels, predictions, embeddings, clustering, ranked,
      names: names.map((ids) => ids.map((id) => words[id]!)),
    });
  });

  const reportFile = join(run.folder, 'report.html');
  await run.timed('write', async () => {
    await writeArtifacts(run.folder, { table, classes, labels, predictions, embeddings, regionScores, clustering, dim, findings });
    await writeReport(reportFile, findings, table, run.current(), report);
  });
  return { run: { id: run.id, folder: run.folder, resumed: run.resumed }, device: run.current().device!, findings, reportFile };
}

async function embedAll(
  config: Config,
  baseDir: string,
  checkpoint: Checkpoint,
  table: ValidationData['table'],
  skipUnreadable: boolean,
  run: Run,
  report: Report,
  signal: AbortSignal,
): Promise<ImageEmbeddings> {
  const finder = await openRegionFinder(config.regions, table, baseDir, config.device, report);
  const encoder = await openRegionEncoder(checkpoint, config.embedding, config.device, report);
  try {
    await run.update({ embedding: { mode: encoder.mode, featureMap: encoder.featureMap } });
    const recorded: RegionEncoder = {
      ...encoder,
      async embed(images) {
        const embedded = await encoder.embed(images);
        // The device is known once a batch has run on it; a resumed run may have another one than before.
        const device = encoder.device();
        if (device && device.used !== run.current().device?.used) await run.update({ device });
        return embedded;
      },
    };
    const embeddings = await embedImages({ checkpoint, table, regions: finder, encoder: recorded, folder: shardsOf(run.folder), skipUnreadable }, report, signal);
    if (embeddings.rows.length === 0) throw nothingToAnalyze('no image could be read');
    if (embeddings.regionImage.length === 0) throw nothingToAnalyze('no image has a region');
    return embeddings;
  } finally {
    await Promise.all([encoder.release(), finder.release()]);
  }
}

const shardsOf = (run: string) => join(run, 'shards');

/** 2|Y| .. 5|Y| (paper, section 3.1), the last one left out where the configuration follows the authors' code. */
function clusterRange({ discovery }: Config, classes: number): { min: number; max: number } {
  const { clusters, excludeMaxClusters } = discovery;
  return { min: clusters.min ?? 2 * classes, max: clusters.max ?? 5 * classes - (excludeMaxClusters ? 1 : 0) };
}
