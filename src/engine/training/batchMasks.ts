import { lossInputs, masked } from './loss';

/** What the region terms need to know of a batch. */
export interface BatchLabels {
  /** [batch] class ids; below 0 where the caption names no class, or several. */
  readonly labels: Int32Array;
  /** [batch, regions] kind of each region. */
  readonly kinds: Uint8Array;
  readonly regions: number;
  readonly classes: number;
}

/** Kinds of regions in `BatchLabels`: `none` fills up images with fewer regions than most. */
export const regionKind = { none: 0, regular: 1, spurious: 2 } as const;

/**
 * The inputs of `addLoss` that follow from labels and regions. An image takes part in the region terms when it has a
 * label and a regular region; labels of the batch are those of such images. Spurious regions count wherever there is a label.
 */
export function batchMasks({ labels, kinds, regions, classes }: BatchLabels, count: 'distinct' | 'per-sample', reduction: 'mean' | 'sum'): Record<string, Float64Array> {
  const batch = labels.length;
  const takesPart = Array.from(labels, (label, i) => label >= 0 && kinds.subarray(i * regions, (i + 1) * regions).includes(regionKind.regular));
  const label = new Float64Array(batch * classes);
  const share = new Float64Array(batch);
  const present = new Float64Array(classes).fill(masked);
  const counts = new Int32Array(classes);
  const others = new Float64Array(batch * batch).fill(masked);
  for (let i = 0; i < batch; i++) {
    others[i * batch + i] = 0;
    if (!takesPart[i]) continue;
    label[i * classes + labels[i]!] = 1;
    share[i] = reduction === 'mean' ? 1 / batch : 1;
    counts[labels[i]!]!++;
    for (let j = 0; j < batch; j++) if (takesPart[j] && labels[j] !== labels[i]) others[i * batch + j] = 0;
  }
  counts.forEach((n, y) => {
    if (n > 0) present[y] = count === 'distinct' ? 0 : Math.log(n);
  });
  return {
    [lossInputs.label]: label,
    [lossInputs.share]: share,
    [lossInputs.regular]: Float64Array.from(kinds, (kind) => (kind === regionKind.regular ? 0 : masked)),
    [lossInputs.spurious]: Float64Array.from(kinds, (kind, at) => (kind === regionKind.spurious && labels[Math.floor(at / regions)]! >= 0 ? 0 : masked)),
    [lossInputs.present]: present,
    [lossInputs.others]: others,
  };
}
