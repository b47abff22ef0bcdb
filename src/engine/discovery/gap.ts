import type { Contingency } from './contingency';

/** One class of one cluster: zero-shot accuracy with the feature (present) and without it (absent). */
export interface ClassGap {
  readonly presentN: number;
  /** Null when there are no such images. */
  readonly presentAcc: number | null;
  readonly absentN: number;
  readonly absentAcc: number | null;
  /** p_in - p_out; null when one side is empty. */
  readonly gap: number | null;
  /** G_c^y; 0 when one side is empty. */
  readonly weighted: number;
}

/** The class table of a cluster, one row a class in class order (paper, section 3.2). */
export function classGaps(table: Contingency, cluster: number): ClassGap[] {
  return Array.from(table.totalN, (n, y) => {
    const presentN = table.presentN[cluster * table.classes + y];
    const presentRight = table.presentRight[cluster * table.classes + y];
    const absentN = n - presentN;
    const presentAcc = presentN > 0 ? presentRight / presentN : null;
    const absentAcc = absentN > 0 ? (table.totalRight[y] - presentRight) / absentN : null;
    const gap = presentAcc === null || absentAcc === null ? null : presentAcc - absentAcc;
    return { presentN, presentAcc, absentN, absentAcc, gap, weighted: gap === null ? 0 : balance(presentN, absentN) * gap };
  });
}

/** G_c of one cluster: the sum of |G_c^y| over the classes with images on both sides. Allocates nothing. */
export function clusterGap(table: Contingency, cluster: number): number {
  const { classes, presentN, presentRight, totalN, totalRight } = table;
  let sum = 0;
  for (let y = 0; y < classes; y++) {
    const cell = cluster * classes + y;
    sum += Math.abs(weightedGap(presentN[cell], presentRight[cell], totalN[y], totalRight[y]));
  }
  return sum;
}

/** G_c^y from counts: w_y (p_in - p_out); 0 when one side is empty. */
export function weightedGap(presentN: number, presentRight: number, totalN: number, totalRight: number): number {
  const absentN = totalN - presentN;
  if (presentN === 0 || absentN === 0) return 0;
  return balance(presentN, absentN) * (presentRight / presentN - (totalRight - presentRight) / absentN);
}

/** w_y: 1 when the feature splits a class in halves, towards 0 the more lopsided it does. */
export function balance(presentN: number, absentN: number): number {
  return (2 * Math.min(presentN, absentN)) / (presentN + absentN);
}

/** The class the feature pulls towards: argmax of p_in - p_out, ties to the smaller id; null when no class has a gap. */
export function strongestClass(rows: readonly ClassGap[]): number | null {
  let best: number | null = null;
  rows.forEach(({ gap }, y) => {
    if (gap !== null && (best === null || gap > rows[best].gap!)) best = y;
  });
  return best;
}

/** Whether one class gains and another loses by the feature: the rule of the authors' code, absent from the paper. */
export function hasBothSigns(rows: readonly ClassGap[]): boolean {
  return rows.some(({ gap }) => gap !== null && gap > 0) && rows.some(({ gap }) => gap !== null && gap < 0);
}
