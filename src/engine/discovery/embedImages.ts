/**
 * Images -> embeddings of the images and of their regions, shard by shard: a killed run goes on from the shards it
 * finished. Images are decoded ahead while the encoder works.
 */
import type { Box } from '../../shared/boxes';
import type { Report } from '../../shared/progress';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { frame } from '../dataset/frame';
import { imageStream } from '../dataset/prefetch';
import type { RegionFinder } from '../dataset/regions';
import type { Table } from '../dataset/table';
import { finishedShards, readShard, writeShard } from '../run/shards';
import type { EncoderImage, RegionEncoder } from './regionEncoder';

/** Images a shard: what a killed run has to compute again at most. */
export const shardSize = 64;

/** Columns over the images that could be read, and over their regions, in the order of the table. */
export interface ImageEmbeddings {
  /** [images] rows of the table. */
  readonly rows: Int32Array;
  /** [images, dim] L2-normalised. */
  readonly images: Float32Array;
  /** [regions] index into `rows`. */
  readonly regionImage: Int32Array;
  /** [regions, 4] x, y, width, height in pixels of the upright image. */
  readonly boxes: Float64Array;
  /** [regions, dim] L2-normalised. */
  readonly regions: Float32Array;
}

export interface EmbedRequest {
  readonly checkpoint: Checkpoint;
  readonly table: Table;
  readonly regions: RegionFinder;
  readonly encoder: RegionEncoder;
  /** Folder of the shards, inside the run. */
  readonly folder: string;
  /** Leave images out that cannot be decoded, with a note each, instead of stopping at the first. */
  readonly skipUnreadable: boolean;
}

/**
 * Embeds what is not embedded yet, and returns all of it. Throws what decoding, region finding and the encoder throw; finished shards
 * stay. Stops between batches with `signal.reason` once `signal` is aborted. For the holder of the run's lock only.
 */
export async function embedImages(request: EmbedRequest, report: Report, signal: AbortSignal): Promise<ImageEmbeddings> {
  const { table, folder, checkpoint } = request;
  const total = table.files.length;
  const missing = await missingShards(folder, total, report);
  await embedShards(request, missing, total - imagesIn(missing, total), report, signal);
  return await gatherShards(folder, total, checkpoint.dim);
}

/**
 * The shards of `total` images that are not finished yet, ascending; says how many images need not be embedded again. For the
 * holder of the run's lock only.
 */
export async function missingShards(folder: string, total: number, report: Report): Promise<number[]> {
  const finished = await finishedShards(folder, report);
  const reused = imagesIn(finished, total);
  if (reused > 0) report({ type: 'note', level: 'info', text: `${reused} of ${total} images were embedded before and are not embedded again.` });
  return Array.from({ length: Math.ceil(total / shardSize) }, (_, shard) => shard).filter((shard) => !finished.has(shard));
}

/** Embeds the images of some shards and writes these; `before` images count as done already. Errors as `embedImages`. */
export async function embedShards(request: EmbedRequest, shards: readonly number[], before: number, report: Report, signal: AbortSignal): Promise<void> {
  const total = request.table.files.length;
  let done = before;
  for (const shard of shards) {
    const first = shard * shardSize;
    const count = imagesIn([shard], total);
    const columns = await embedShard(request, first, count, report, signal, (images) => {
      report({ type: 'progress', phase: 'embed', done: done + images, total, unit: 'images' });
    });
    await writeShard(request.folder, shard, columns);
    done += count;
  }
}

/** How many of `total` images some shards hold. */
export function imagesIn(shards: Iterable<number>, total: number): number {
  return [...shards].reduce((sum, shard) => sum + Math.max(0, Math.min(shardSize, total - shard * shardSize)), 0);
}

async function embedShard(
  { checkpoint, table, regions, encoder, skipUnreadable }: EmbedRequest,
  first: number,
  count: number,
  report: Report,
  signal: AbortSignal,
  progress: (images: number) => void,
) {
  const { dim, preprocessing } = checkpoint;
  const parts: { images: Float32Array; regions: Float32Array }[] = [];
  const rows: number[] = [];
  const boxes: Box[] = [];
  const regionImage: number[] = [];
  let group: EncoderImage[] = [];
  let told = 0;
  const encode = async (seen: number) => {
    signal.throwIfAborted();
    if (group.length > 0) parts.push(await encoder.embed(group));
    group = [];
    // A shard that ends with a full batch is told by that batch: twice the end would read as two phases.
    if (seen > told) progress(seen);
    told = seen;
  };
  for await (const { index, image, error } of imageStream(table.files.slice(first, first + count), { ahead: Math.max(8, 2 * encoder.batch) })) {
    const row = first + index;
    if (error) {
      if (!skipUnreadable) throw error;
      report({ type: 'note', level: 'warning', text: `Skipped: ${error.message}` });
    } else {
      const { visible } = frame(preprocessing, image.width, image.height);
      const found = (await regions.find(row, image, visible)).map((box) => intersection(box, visible)).filter((box) => box !== null);
      for (const box of found) {
        boxes.push(box);
        regionImage.push(rows.length);
      }
      rows.push(row);
      group.push({ name: table.images[row]!, pixels: image, boxes: found });
    }
    if (group.length === encoder.batch) await encode(index + 1);
  }
  await encode(count);
  return {
    rows: { shape: [rows.length], data: Int32Array.from(rows) },
    images: { shape: [rows.length, dim], data: concatenated(parts.map(({ images }) => images)) },
    regionImage: { shape: [boxes.length], data: Int32Array.from(regionImage) },
    boxes: { shape: [boxes.length, 4], data: Float64Array.from(boxes.flat()) },
    regions: { shape: [boxes.length, dim], data: concatenated(parts.map(({ regions }) => regions)) },
  };
}

/** What the model sees of a box; a part under half a pixel is nothing. */
function intersection(box: Box, visible: Box): Box | null {
  const x = Math.max(box[0], visible[0]);
  const y = Math.max(box[1], visible[1]);
  const width = Math.min(box[0] + box[2], visible[0] + visible[2]) - x;
  const height = Math.min(box[1] + box[3], visible[1] + visible[3]) - y;
  return width >= 0.5 && height >= 0.5 ? [x, y, width, height] : null;
}

/** All shards of `total` images in one; two passes, so that memory holds the result and one shard. Throws `run-artifact-damaged`. */
export async function gatherShards(folder: string, total: number, dim: number): Promise<ImageEmbeddings> {
  const shards = Math.ceil(total / shardSize);
  const sizes: [images: number, regions: number][] = [];
  for (let shard = 0; shard < shards; shard++) {
    const { rows, regionImage } = await readShard(folder, shard);
    sizes.push([rows!.data.length, regionImage!.data.length]);
  }
  const [images, regions] = sizes.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  const all = {
    rows: new Int32Array(images),
    images: new Float32Array(images * dim),
    regionImage: new Int32Array(regions),
    boxes: new Float64Array(regions * 4),
    regions: new Float32Array(regions * dim),
  };
  let [image, region] = [0, 0];
  for (let shard = 0; shard < shards; shard++) {
    const columns = await readShard(folder, shard);
    all.rows.set(columns.rows!.data, image);
    all.images.set(columns.images!.data, image * dim);
    all.regionImage.set(columns.regionImage!.data.map((local) => local + image), region);
    all.boxes.set(columns.boxes!.data, region * 4);
    all.regions.set(columns.regions!.data, region * dim);
    image += sizes[shard]![0];
    region += sizes[shard]![1];
  }
  return all;
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

