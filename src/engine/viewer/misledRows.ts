import type { MisledRows } from '../../shared/runQueries';
import type { Analysis } from './analysis';
import type { ImageFiles } from './imageFiles';

/** The rows of the data whose image is mispredicted and has a flagged finding, in the order of the data. */
export function misledRows({ findings: { findings, classes }, table }: Analysis, { table: data, rows }: Pick<ImageFiles, 'table' | 'rows'>): MisledRows {
  const ranks = new Map(findings.filter(({ flagged, rank }) => flagged && rank !== null).map(({ cluster, rank }) => [cluster, rank!]));
  const found = new Map<number, Set<number>>();
  table.image.forEach((image, region) => {
    const rank = ranks.get(table.cluster[region]!);
    if (rank === undefined || table.imageLabel[image] === table.imagePredicted[image] || rows[image]! < 0) return;
    const set = found.get(image);
    if (set) set.add(rank);
    else found.set(image, new Set([rank]));
  });
  const images = [...found.keys()].sort((a, b) => rows[a]! - rows[b]!);
  return {
    source: data.source,
    hasLines: data.format === 'csv' || data.format === 'tsv' || data.format === 'jsonl',
    rows: images.map((image) => ({
      line: data.rowNumbers[rows[image]!]!,
      image,
      name: table.imageNames[image]!,
      label: classes[table.imageLabel[image]!] ?? '',
      predicted: classes[table.imagePredicted[image]!] ?? '',
      ranks: [...found.get(image)!].sort((a, b) => a - b),
    })),
  };
}
