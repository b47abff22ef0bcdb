import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { UMAP } from 'umap-js';

/** What the layout starts from; rows that are all the same are none of its business. */
export interface LayoutInput {
  readonly n: number;
  /** Neighbours of a row, itself among them. */
  readonly k: number;
  /** [n, k] rows, the row itself first, then its nearest others. */
  readonly neighbours: Int32Array;
  /** [n, k] their distances. */
  readonly distances: Float32Array;
  /** [n, 2] where each row starts, within about -10..10. */
  readonly start: Float32Array;
  readonly epochs: number;
  readonly seed: number;
}

/**
 * UMAP (McInnes et al. 2018) by umap-js, an epoch a step: yields how many are done and returns [n, 2]. The neighbours are
 * given, so nothing is searched for; the layout starts from `start` in place of umap-js's random points, which
 * keeps what is far apart far apart. The same input gives the same layout.
 */
export function* umapLayout({ n, k, neighbours, distances, start, epochs, seed }: LayoutInput): Generator<number, Float32Array, void> {
  const random = xoroshiro128plus(seed);
  const umap = new UMAP({ nComponents: 2, nNeighbors: k, nEpochs: epochs, minDist: 0.1, random: () => uniformFloat64(random) });
  const rows = <T extends Int32Array | Float32Array>(column: T) => Array.from({ length: n }, (_, row) => Array.from(column.subarray(row * k, (row + 1) * k)));
  umap.setPrecomputedKNN(rows(neighbours), rows(distances));
  // With neighbours given, it is only counted how many rows there are.
  umap.initializeFit(Array.from({ length: n }, (_, row) => [row]));
  const layout = umap.getEmbedding();
  layout.forEach((point, row) => point.splice(0, 2, start[2 * row]!, start[2 * row + 1]!));
  for (let epoch = 1; epoch <= epochs; epoch++) {
    umap.step();
    yield epoch;
  }
  return Float32Array.from(layout.flat());
}
