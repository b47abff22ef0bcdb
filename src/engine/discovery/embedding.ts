/** The first stage of an analysis: all images embedded, in this process or in several beside it. */
import type { Report } from '../../shared/progress';
import { openRegionFinder, type RegionFinder } from '../dataset/regions';
import { runLaunch } from '../launcher/runLaunch';
import type { RunFile } from '../run/runFile';
import type { Run } from '../run/runFolder';
import { analysisLaunch, recordedDevice, shardProgress, shardsOf } from './analysisLaunch';
import type { AnalyzeRequest, Prepared } from './analyzeRequest';
import { embedShards, gatherShards, imagesIn, missingShards, type ImageEmbeddings } from './embedImages';
import { nothingToAnalyze } from './errors';
import { openRegionEncoder, type RegionEncoder } from './regionEncoder';

/** Embeds what no process has embedded before, and returns everything. Throws what decoding, regions and the encoder throw, and what a task threw. */
export async function embedAll(request: AnalyzeRequest, prepared: Prepared, run: Run, report: Report, signal: AbortSignal): Promise<ImageEmbeddings> {
  const { config } = request;
  const { checkpoint, data, runOptions } = prepared;
  const folder = shardsOf(run.folder);
  const total = data.table.files.length;
  const missing = await missingShards(folder, total, report);
  const before = total - imagesIn(missing, total);
  if (config.launcher.kind === 'pool' && missing.length > 0) {
    const launch = analysisLaunch(request, run, runOptions.fingerprint, missing, false);
    await runLaunch(launch, config.launcher, { report, signal, looked: shardProgress(run.folder, total, before, report).looked });
  }
  await withEncoder(request, prepared, report, async (encoder, regions) => {
    await run.update({ embedding: { mode: encoder.mode, featureMap: encoder.featureMap } });
    const elsewhere = await recordedDevice(run.folder);
    if (elsewhere) await run.update({ device: elsewhere });
    if (config.launcher.kind === 'pool') return;
    const recorded = recording(encoder, () => run.current().device, (device) => run.update({ device }));
    await embedShards({ checkpoint, table: data.table, regions, encoder: recorded, folder, skipUnreadable: request.skipUnreadable }, missing, before, report, signal);
  });
  const embeddings = await gatherShards(folder, total, checkpoint.dim);
  if (embeddings.rows.length === 0) throw nothingToAnalyze('no image could be read');
  if (embeddings.regionImage.length === 0) throw nothingToAnalyze('no image has a region');
  return embeddings;
}

/** Opens what finds regions and what embeds them, does the work and closes both. */
export async function withEncoder(
  { config, baseDir }: AnalyzeRequest,
  { checkpoint, data }: Prepared,
  report: Report,
  work: (encoder: RegionEncoder, regions: RegionFinder) => Promise<void>,
): Promise<void> {
  const finder = await openRegionFinder(config.regions, data.table, baseDir, config.device, report);
  try {
    const encoder = await openRegionEncoder(checkpoint, config.embedding, config.device, report);
    try {
      await work(encoder, finder);
    } finally {
      await encoder.release();
    }
  } finally {
    await finder.release();
  }
}

/** Tells where an encoder runs: known once a batch has run, and not always what was known before. */
export function recording(encoder: RegionEncoder, known: () => RunFile['device'], record: (device: NonNullable<RunFile['device']>) => Promise<void>): RegionEncoder {
  return {
    ...encoder,
    async embed(images) {
      const embedded = await encoder.embed(images);
      const device = encoder.device();
      if (device && device.used !== known()?.used) await record(device);
      return embedded;
    },
  };
}
