/** RaVL's discovery from end to end: config -> checkpoint + data -> embeddings -> clusters -> findings -> a run on disk. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { classEmbeddings, embedTexts } from '../checkpoint/textEmbeddings';
import { writeReport } from '../report/writeReport';
import { withRun, type Run } from '../run/runFolder';
import { similarityMatrix } from '../runtime/matmul';
import { shardsOf } from './analysisLaunch';
import { prepareAnalysis, type AnalyzeRequest, type AnalyzeResult, type Prepared } from './analyzeRequest';
import { writeArtifacts } from './artifacts';
import { clusterRegions } from './clustering';
import { embedAll } from './embedding';
import { describeFindings } from './findings';
import { clusterMeans, nameClusters } from './naming';
import { analyzeOnCluster } from './onCluster';
import { rankClusters } from './ranking';
import { loadWords } from './words';
import { zeroShot } from './zeroShot';

export type { AnalyzeRequest, AnalyzeResult } from './analyzeRequest';

/**
 * Finds the spurious features of a checkpoint and writes them to `.ravl/runs/<id>`; goes on from the finished shards
 * of an earlier, unfinished run on the same inputs. The work is done where `config.launcher` says.
 *
 * Throws RavlError for whatever a person can mend. Once `signal` is aborted it stops at the next batch with
 * `signal.reason` and leaves a run that can be resumed.
 */
export async function analyze(request: AnalyzeRequest, report: Report, signal: AbortSignal): Promise<AnalyzeResult> {
  const { launcher } = request.config;
  const prepared = await prepareAnalysis(request, report, signal);
  return launcher.kind === 'slurm' ? analyzeOnCluster(request, launcher, prepared, report, signal) : analyzePrepared(request, prepared, report, signal);
}

/** The same from this process, whatever the launcher. */
export async function analyzePrepared(request: AnalyzeRequest, prepared: Prepared, report: Report, signal: AbortSignal): Promise<AnalyzeResult> {
  const result = await withRun(prepared.runOptions, report, signal, (run) => discover(request, prepared, run, report, signal));
  // Only a complete run can do without its shards.
  await rm(shardsOf(result.run.folder), { recursive: true, force: true });
  return result;
}

async function discover(request: AnalyzeRequest, prepared: Prepared, run: Run, report: Report, signal: AbortSignal): Promise<AnalyzeResult> {
  const { config, baseDir } = request;
  const { discovery, seed, device } = config;
  const { checkpoint, data } = prepared;
  const { table, classes, labels: allLabels } = data;
  const { dim } = checkpoint;

  const embeddings = await run.timed('embed', () => embedAll(request, prepared, run, report, signal));
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

/** 2|Y| .. 5|Y| (paper, section 3.1), the last one left out where the configuration follows the authors' code. */
function clusterRange({ discovery }: Config, classes: number): { min: number; max: number } {
  const { clusters, excludeMaxClusters } = discovery;
  return { min: clusters.min ?? 2 * classes, max: clusters.max ?? 5 * classes - (excludeMaxClusters ? 1 : 0) };
}
