import type { Analysis } from './analysis';

const columns = ['region', 'image', 'x', 'y', 'width', 'height', 'label', 'predicted', 'similarity', 'score_predicted', 'score_label', 'influential'] as const;
type Member = Record<(typeof columns)[number], string | number | boolean>;

/** All member regions of a cluster as the text of a file, nearest to the medoid first. CSV is RFC 4180's; cells hold the data as it is. */
export function membersFile(analysis: Analysis, cluster: number, format: 'csv' | 'json'): { name: string; text: string } {
  const members = membersOf(analysis, cluster);
  const name = `${analysis.file.id}-cluster-${cluster}.${format}`;
  if (format === 'csv') return { name, text: [columns.join(','), ...members.map((member) => columns.map((column) => cell(member[column])).join(','))].map((line) => `${line}\r\n`).join('') };
  const { rank, flagged, name: words, attribute, gap, influence } = analysis.findings.findings.find((finding) => finding.cluster === cluster)!;
  return { name, text: `${JSON.stringify({ run: analysis.file.id, cluster, rank, flagged, name: words, attribute, gap, influence, members }, null, 1)}\n` };
}

function membersOf({ table, findings: { classes } }: Analysis, cluster: number): Member[] {
  const regions = Array.from(table.cluster, (_, region) => region).filter((region) => table.cluster[region] === cluster);
  regions.sort((a, b) => table.similarity[b]! - table.similarity[a]! || a - b);
  return regions.map((region) => {
    const image = table.image[region]!;
    return {
      region,
      image: table.imageNames[image]!,
      x: table.x[region]!,
      y: table.y[region]!,
      width: table.width[region]!,
      height: table.height[region]!,
      label: classes[table.imageLabel[image]!] ?? '',
      predicted: classes[table.imagePredicted[image]!] ?? '',
      similarity: table.similarity[region]!,
      score_predicted: table.scorePredicted[region]!,
      score_label: table.scoreLabel[region]!,
      influential: table.influential[region] === 1,
    };
  });
}

function cell(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
