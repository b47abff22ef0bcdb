import type { Box } from '../../shared/boxes';

/**
 * Greedy non-maximum suppression, class-agnostic: the box with the highest score stays and removes those that overlap
 * it by more than `iou`; and so on, until `topK` have stayed. Ties go to the lower index.
 *
 * @returns indices of the boxes that stay, highest score first; those below `minScore` never do.
 */
export function nonMaximumSuppression(
  boxes: readonly Box[],
  scores: ArrayLike<number>,
  { iou, topK, minScore }: { iou: number; topK: number; minScore: number },
): number[] {
  const order = boxes.map((_, index) => index).filter((index) => scores[index]! >= minScore);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept: number[] = [];
  for (const index of order) {
    if (kept.length >= topK) break;
    if (kept.every((other) => overlap(boxes[index]!, boxes[other]!) <= iou)) kept.push(index);
  }
  return kept;
}

/** Intersection over union. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}
