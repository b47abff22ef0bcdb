import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** The order of `count` images in an epoch: a Fisher-Yates shuffle that follows from seed and epoch alone, so that a run resumes anywhere. */
export function epochOrder(count: number, seed: number, epoch: number): Int32Array {
  // Neighbouring seeds of this generator give unrelated streams only after a few draws; a large odd factor spreads the epochs.
  const random = xoroshiro128plus((seed ^ Math.imul(epoch + 1, 0x9e3779b1)) | 0);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
