import type { Comparison, MetricsLine } from '../../shared/comparison';
import type { Report } from '../../shared/progress';
import { writeFileAtomically } from '../run/atomic';
import { renderComparison, type ComparisonRun } from './comparisonPage';
import { flippedPictures } from './flips';
import { makeThumbnails } from './thumbnails';

/**
 * Makes the pictures of flipped images and writes the report of a comparison. `metrics` are the lines of metrics.jsonl, none
 * outside of a run; `table` gives the images' names in the data and their files, entry by entry. Images that cannot be read
 * are shown as missing. Throws storage errors.
 */
export async function writeComparisonReport(
  file: string,
  comparison: Comparison,
  run: ComparisonRun,
  metrics: readonly MetricsLine[],
  table: { readonly images: readonly string[]; readonly files: readonly string[] },
  report: Report,
): Promise<void> {
  const files = new Map(table.images.map((image, row) => [image, table.files[row]!]));
  const { rightToWrong, wrongToRight } = flippedPictures(comparison);
  const wanted = [...rightToWrong, ...wrongToRight].map(({ image }) => ({ image, box: null }));
  const thumbnails = await makeThumbnails(wanted, (image) => files.get(image) ?? image, report);
  await writeFileAtomically(file, renderComparison(comparison, run, metrics, thumbnails));
}
