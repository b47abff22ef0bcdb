/**
 * Which region embedding keeps a region's own content? Plants a feature the model was never told about into a random
 * quadrant of half of the photos and measures, per mode and feature map: the share of planted regions among the 10
 * nearest neighbours (in other photos) of a planted region, and how often a region without it is classified as its
 * photo's class. The table in docs/region-embeddings.md comes from here: `npx tsx test/bench/regionModes.ts`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint';
import { classEmbeddings } from '../../src/engine/checkpoint/textEmbeddings';
import { decodeImage } from '../../src/engine/dataset/decodeImage';
import { gridBoxes } from '../../src/engine/dataset/regions';
import { openRegionEncoder, type EncoderImage } from '../../src/engine/discovery/regionEncoder';
import { similarityMatrix } from '../../src/engine/runtime/matmul';
import type { EmbeddingConfig } from '../../src/shared/config';

const fashion = join(dirname(fileURLToPath(import.meta.url)), '../../../shared/data/fashion');
const perClass = 40;
const silent = () => undefined;

interface Photo extends EncoderImage {
  readonly label: string;
  /** Quadrant that holds the feature, or -1. */
  readonly planted: number;
}

const features = {
  'red square': { side: 20, colour: () => [255, 0, 0] },
  logo: { side: 12, colour: (x: number, y: number) => (((x >> 2) + (y >> 2)) % 2 ? [0, 0, 255] : [255, 255, 0]) },
};

const modes: EmbeddingConfig[] = [
  { mode: 'crop' },
  { mode: 'tokens' },
  { mode: 'tokens', featureMap: '/blocks.6/Add_1_output_0' },
  { mode: 'roi-align', featureMap: '/patch/Conv_output_0' },
  { mode: 'roi-align', featureMap: '/Add_output_0' },
  ...[0, 1, 3, 5, 7].map((block) => ({ mode: 'roi-align' as const, featureMap: `/blocks.${block}/Add_1_output_0` })),
];

const checkpoint = await openCheckpoint('checkpoints/fashion-clip', fashion);
const rows = readFileSync(join(fashion, 'validation.csv'), 'utf8').trim().split('\n').slice(1).map((line) => line.split(','));
const labels = [...new Set(rows.map((row) => row[2]!))].sort();
const chosen = labels.flatMap((label) => rows.filter((row) => row[2] === label).slice(0, perClass));
const classes = await classEmbeddings(checkpoint, 'cpu', labels, ['{}'], silent);

for (const [name, feature] of Object.entries(features)) {
  const photos = await plantedPhotos(feature);
  for (const mode of modes) {
    const encoder = await openRegionEncoder(checkpoint, mode, 'cpu', silent);
    const from = performance.now();
    const { regions } = await encoder.embed(photos);
    const ms = (performance.now() - from) / photos.length;
    await encoder.release();
    const { planted, samePlace, zeroShot } = await judge(regions, photos);
    console.log(
      [name, mode.mode, mode.featureMap ?? encoder.featureMap ?? '', `planted ${percent(planted)}`, `same quadrant ${percent(samePlace)}`, `zero-shot ${percent(zeroShot)}`, `${ms.toFixed(1)} ms/photo`].join(' | '),
    );
  }
}

async function plantedPhotos({ side, colour }: (typeof features)['logo']): Promise<Photo[]> {
  const random = xoroshiro128plus(1);
  return Promise.all(
    chosen.map(async (row) => {
      const pixels = await decodeImage(join(fashion, row[0]!));
      const boxes = gridBoxes([0, 0, pixels.width, pixels.height], 2, 2);
      const planted = uniformInt(random, 0, 1) === 1 ? uniformInt(random, 0, 3) : -1;
      if (planted >= 0) {
        const [left, top, width, height] = boxes[planted]!.map(Math.floor) as [number, number, number, number];
        const [x0, y0] = [left + uniformInt(random, 0, width - side), top + uniformInt(random, 0, height - side)];
        for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) pixels.data.set(colour(x, y), ((y0 + y) * pixels.width + x0 + x) * 3);
      }
      return { name: row[0]!, pixels, boxes, label: row[2]!, planted };
    }),
  );
}

async function judge(regions: Float32Array, photos: readonly Photo[]) {
  const { dim } = checkpoint;
  const n = photos.length * 4;
  const similarity = await similarityMatrix(regions, n, regions, n, dim);
  const scores = await similarityMatrix(regions, n, classes, labels.length, dim);
  const isPlanted = (r: number) => photos[r >> 2]!.planted === r % 4;
  let [planted, plantedCount, samePlace, zeroShot, others] = [0, 0, 0, 0, 0];
  for (let r = 0; r < n; r++) {
    const near = Array.from({ length: n }, (_, o) => o)
      .filter((o) => o >> 2 !== r >> 2)
      .sort((a, b) => similarity[r * n + b]! - similarity[r * n + a]!)
      .slice(0, 10);
    samePlace += near.filter((o) => o % 4 === r % 4).length / 10 / n;
    if (isPlanted(r)) {
      plantedCount++;
      planted += near.filter(isPlanted).length / 10;
    } else {
      others++;
      const row = scores.subarray(r * labels.length, (r + 1) * labels.length);
      if (labels[row.indexOf(Math.max(...row))] === photos[r >> 2]!.label) zeroShot++;
    }
  }
  return { planted: planted / plantedCount, samePlace, zeroShot: zeroShot / others };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}
