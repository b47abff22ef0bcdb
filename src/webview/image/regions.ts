import type { ImageView, Overview, RegionTable } from '../../shared/runQueries';
import { nameOf } from '../../shared/words';

/** A region of the image in view. */
export interface Region {
  /** Number in the run. */
  readonly id: number;
  /** Its number in this image, from 1. */
  readonly place: number;
  readonly box: readonly [x: number, y: number, width: number, height: number];
  readonly cluster: number;
  /** Of its cluster, in words; and its rank where it is a flagged finding. */
  readonly name: string;
  readonly flaggedRank: number | null;
  readonly similarity: number;
  readonly scorePredicted: number;
  readonly scoreLabel: number;
  readonly influential: boolean;
}

/** The regions of an image, from the run's columns. */
export function regionsOf(view: Pick<ImageView, 'regions'>, table: RegionTable, { findings }: Pick<Overview, 'findings'>): Region[] {
  const byCluster = new Map(findings.map((finding) => [finding.cluster, finding]));
  return view.regions.map((id, i) => {
    const finding = byCluster.get(table.cluster[id]!);
    return {
      id,
      place: i + 1,
      box: [table.x[id]!, table.y[id]!, table.width[id]!, table.height[id]!],
      cluster: table.cluster[id]!,
      name: finding ? nameOf(finding) : `cluster ${table.cluster[id]}`,
      flaggedRank: finding?.flagged ? finding.rank : null,
      similarity: table.similarity[id]!,
      scorePredicted: table.scorePredicted[id]!,
      scoreLabel: table.scoreLabel[id]!,
      influential: table.influential[id] === 1,
    };
  });
}
