import { basename } from 'node:path';
import { configSchema, type Config } from '../../shared/config';
import type { Findings } from '../../shared/findings';
import type { Report } from '../../shared/progress';
import { writeFileAtomically } from '../run/atomic';
import type { RunFile } from '../run/runFile';
import { counted } from '../../shared/format';
import { picturesOf } from './gallery';
import { renderReport, type ReportRun } from './page';
import { makeThumbnails } from './thumbnails';

/**
 * Makes the pictures and writes report.html. `table` gives the images' names in the data and their files, entry by entry.
 * Images that cannot be read are shown as missing. Throws storage errors.
 */
export async function writeReport(
  file: string,
  findings: Findings,
  table: { readonly images: readonly string[]; readonly files: readonly string[] },
  run: RunFile,
  report: Report,
): Promise<void> {
  const files = new Map(table.images.map((image, row) => [image, table.files[row]!]));
  const thumbnails = await makeThumbnails(picturesOf(findings), (image) => files.get(image) ?? image, report);
  await writeFileAtomically(file, renderReport(findings, reportRun(findings, table.images.length, run), thumbnails));
}

function reportRun(findings: Findings, listed: number, run: RunFile): ReportRun {
  const config = configSchema.parse(run.config);
  const { alpha, minInfluence, minSupport } = config.discovery;
  const left = listed - findings.images;
  return {
    id: run.id,
    checkpoint: checkpointName(config.checkpoint),
    data: basename(config.data.validation),
    regions: regionsInWords(config.regions),
    embedding: run.embedding ? [run.embedding.mode, run.embedding.featureMap].filter((part) => part !== null).join(' on ') : config.embedding.mode,
    device: run.device ? `${run.device.used} (asked for: ${run.device.requested}; ${run.device.reason})` : 'not recorded',
    versions: run.versions,
    timings: run.timings,
    rules: { alpha, minInfluence, minSupport },
    notes: left > 0 ? [`${counted(left, 'image')} of ${counted(listed, 'row')} could not be used and ${left === 1 ? 'is' : 'are'} left out everywhere below.`] : [],
  };
}

function checkpointName(checkpoint: Config['checkpoint']): string {
  if (typeof checkpoint === 'string') return basename(checkpoint);
  const files = [checkpoint.model ?? checkpoint.vision, checkpoint.text].filter((file) => file !== undefined);
  return files.map((file) => basename(file)).join(' + ') || 'checkpoint';
}

function regionsInWords(regions: Config['regions']): string {
  switch (regions.kind) {
    case 'grid':
      return `${regions.rows} × ${regions.cols} grid`;
    case 'boxes':
      return 'boxes that come with the data';
    case 'sliding':
      return `sliding windows of ${regions.scales.join(', ')} of the side, step ${regions.stride} of the window`;
    case 'proposals':
      return `proposals of ${basename(regions.model)}, at most ${regions.topK} an image`;
  }
}
