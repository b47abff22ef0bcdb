/**
 * (h) How time and memory of `ravl analyze` grow with the number of images: 1,000, 10,000 and 100,000 of four regions each, 512
 * dims, ten classes. The embeddings are synthetic, written as the shards of an interrupted run that is then resumed; so `embed` is
 * reading them here, and what an encoder takes for an image is measured by (a) and (d).
 */
import { copyFile, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import sharp from 'sharp';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint';
import { classEmbeddings } from '../../src/engine/checkpoint/textEmbeddings';
import { analyze } from '../../src/engine/discovery/analyze';
import { shardSize } from '../../src/engine/discovery/embedImages';
import { writeShard } from '../../src/engine/run/shards';
import { configSchema } from '../../src/shared/config';
import { measuredAnalyze, type MeasuredRun } from './analyzeRun';
import { writeLargeClip } from './largeClip';

const sizes = [1_000, 10_000, 100_000];
const phases = ['embed', 'text', 'cluster', 'score', 'write'];
const side = 224;
/** The tokenizer of writeLargeClip knows four words. */
const classes = ['a', 'photo', 'of', 'it', 'a photo', 'a of', 'a it', 'photo of', 'photo it', 'of it'];
const quiet = () => undefined;

export async function benchSize(): Promise<void> {
  const measured: MeasuredRun[] = [];
  for (const images of sizes) {
    const folder = await mkdtemp(join(tmpdir(), 'ravl-bench-'));
    try {
      await prepare(folder, images);
      const run = await measuredAnalyze(folder);
      measured.push(run);
      console.log(`(h) ${images.toLocaleString('en')} images, ${run.regions.toLocaleString('en')} regions: ${run.seconds.toFixed(1)} s (${phases.map((phase) => `${phase} ${run.timings[phase]!.toFixed(1)}`).join(', ')}), peak ${run.peakMiB.toFixed(0)} MiB`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const exponents = [
    ...phases.map((phase) => [phase, measured.map(({ timings }) => timings[phase]!)] as const),
    ['all', measured.map(({ seconds }) => seconds)] as const,
    ['peak memory', measured.map(({ peakMiB }) => peakMiB)] as const,
  ].map(([name, values]) => `${name} ${exponent(values).toFixed(2)}, last step ${exponent(values.slice(1), sizes.slice(1)).toFixed(2)}`);
  console.log(`(h) exponents of the number of images: ${exponents.join('; ')}`);
}

/** The slope of log(value) over log(images), by least squares. */
function exponent(values: readonly number[], at: readonly number[] = sizes): number {
  const [x, y] = [at.map(Math.log), values.map((value) => Math.log(Math.max(value, 1e-3)))];
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((sum, each, i) => sum + (each - mx) * (y[i]! - my), 0) / x.reduce((sum, each) => sum + (each - mx) ** 2, 0);
}

/** A workspace with an interrupted run whose images are all embedded. */
async function prepare(folder: string, images: number): Promise<void> {
  await writeLargeClip(join(folder, 'checkpoint'), 'ViT-Ti/16');
  await writeImages(folder, images);
  const settings = { checkpoint: 'checkpoint', data: { validation: 'validation.csv' }, prompts: ['{}'], classes, embedding: { mode: 'crop' as const }, device: 'cpu' as const };
  await writeFile(join(folder, 'ravl.yaml'), JSON.stringify(settings));
  const config = configSchema.parse(settings);
  const stop = new AbortController();
  let run = '';
  const opened = ({ folder: at }: { folder: string }) => {
    run = at;
    stop.abort();
  };
  await analyze({ config, baseDir: folder, root: folder, skipUnreadable: false, fresh: true, opened }, quiet, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const checkpoint = await openCheckpoint('checkpoint', folder);
  const rows = await classEmbeddings(checkpoint, 'cpu', classes, config.prompts, quiet, new AbortController().signal);
  const embed = synthetic(rows, checkpoint.dim);
  for (let shard = 0; shard * shardSize < images; shard++) {
    await writeShard(join(run, 'shards'), shard, embed(shard * shardSize, Math.min(shardSize, images - shard * shardSize)));
  }
}

const labelOf = (image: number) => image % classes.length;

/**
 * Columns of a shard: one region near its class, one that in half of the images is near a feature which leans to class 0, and two of
 * three backgrounds; an image is near the mean of its regions.
 */
function synthetic(classRows: Float32Array, dim: number) {
  const random = xoroshiro128plus(1);
  const noise = (size: number) => Float32Array.from({ length: dim }, () => size * (uniformFloat64(random) - 0.5));
  const near = (direction: Float32Array) => unit(noise(0.1).map((value, d) => value + direction[d]!));
  const classAt = (y: number) => classRows.subarray(y * dim, (y + 1) * dim);
  const backgrounds = [0, 1, 2].map(() => unit(noise(1)));
  const feature = unit(noise(0.1).map((value, d) => value + classAt(0)[d]!));
  return (first: number, count: number) => {
    const [image, region] = [new Float32Array(count * dim), new Float32Array(4 * count * dim)];
    for (let i = 0; i < count; i++) {
      const shown = [classAt(labelOf(first + i)), uniformFloat64(random) < 0.5 ? feature : backgrounds[0]!, backgrounds[1]!, backgrounds[uniformInt(random, 0, 2)]!].map(near);
      shown.forEach((row, r) => region.set(row, (4 * i + r) * dim));
      image.set(unit(shown.slice(0, 2).reduce((sum, row) => sum.map((value, d) => value + row[d]!))), i * dim);
    }
    const half = side / 2;
    const boxes = Float64Array.from({ length: 16 * count }, (_, at) => [(at >> 2) % 2 === 0 ? 0 : half, (at >> 2) % 4 < 2 ? 0 : half, half, half][at % 4]!);
    return {
      rows: { shape: [count], data: Int32Array.from({ length: count }, (_, i) => first + i) },
      images: { shape: [count, dim], data: image },
      regionImage: { shape: [4 * count], data: Int32Array.from({ length: 4 * count }, (_, r) => r >> 2) },
      boxes: { shape: [4 * count, 4], data: boxes },
      regions: { shape: [4 * count, dim], data: region },
    };
  };
}

function unit(row: Float32Array): Float32Array {
  const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  return row.map((value) => value / norm);
}

/** Every image is a link to one picture of its class; the report shows some of them. */
async function writeImages(root: string, images: number): Promise<void> {
  await mkdir(join(root, 'images'), { recursive: true });
  const pictures = await Promise.all(
    classes.map(async (_, label) => {
      const file = join(root, `class-${label}.png`);
      await sharp({ create: { width: side, height: side, channels: 3, background: `hsl(${36 * label},60%,55%)` } }).png().toFile(file);
      return file;
    }),
  );
  const rows = ['image,label'];
  for (let image = 0; image < images; image++) {
    const name = `images/${image}.png`;
    await link(pictures[labelOf(image)]!, join(root, name)).catch(() => copyFile(pictures[labelOf(image)]!, join(root, name)));
    rows.push(`${name},${classes[labelOf(image)]!}`);
  }
  await writeFile(join(root, 'validation.csv'), `${rows.join('\n')}\n`);
}
