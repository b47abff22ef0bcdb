/**
 * Pixels and boxes -> embeddings of whole images and of their regions, in batches of fixed size.
 *
 * roi-align and tokens run the first part of the image encoder once an image and the rest once a region, where the
 * whole image counts as one more region (the identity is its sampling matrix, so its embedding is the encoder's own).
 * crop runs the whole encoder on every crop.
 */
import type { Box } from '../../shared/boxes';
import type { Device, EmbeddingConfig } from '../../shared/config';
import type { Report } from '../../shared/progress';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { frame, toInput } from '../dataset/frame';
import { preprocess } from '../dataset/preprocess';
import type { Pixels } from '../dataset/resample';
import { elementCount } from '../onnx/tensor';
import { chooseDevice, openCheckedSession, type DeviceChoice } from '../runtime/device';
import { Tensor, type ExecutionDevice, type Feeds, type GraphSession } from '../runtime/session';
import { splitEncoder, wholeEncoder, type SplitEncoder } from './encoderGraphs';
import { embeddingNotFinite } from './errors';
import { headInputs } from './regionGraph';
import { positions, roiAlignMatrix, tokenPoolingMatrix } from './sampling';

export type RegionMode = Exclude<EmbeddingConfig['mode'], 'auto'>;

export interface RegionEncoder {
  readonly mode: RegionMode;
  /** Graph value that regions are read from; null when crops are encoded. */
  readonly featureMap: string | null;
  /** Images a batch. */
  readonly batch: number;
  /**
   * L2-normalised embeddings of `images` [n, dim] and of all their regions [sum of boxes, dim], image by image.
   * Throws `discovery-embedding-not-finite` with the image's name, and `runtime-*`.
   */
  embed(images: readonly EncoderImage[]): Promise<{ images: Float32Array; regions: Float32Array }>;
  /** Where it ran; known after the first `embed`. */
  device(): DeviceChoice | undefined;
  release(): Promise<void>;
}

export interface EncoderImage {
  /** As messages name it. */
  readonly name: string;
  readonly pixels: Pixels;
  /** In pixels of the image, inside the part the model sees. */
  readonly boxes: readonly Box[];
}

/**
 * Prepares the image encoder for regions; sessions open, and are checked against the CPU, at the first batch.
 * `auto` means roi-align for CNNs and ViTs (see featureMap.ts for the measurements) and crop for anything else.
 */
export async function openRegionEncoder(checkpoint: Checkpoint, config: EmbeddingConfig, device: Device, report: Report): Promise<RegionEncoder> {
  const batch = checkpoint.image.batch ?? config.batch ?? defaultBatch((await chooseDevice(device)).device, checkpoint);
  if (config.mode !== 'crop') {
    const split = await splitEncoder(checkpoint, config, batch);
    if (split !== null) return splitRegionEncoder(checkpoint, split, device, report);
    report({ type: 'note', level: 'info', text: 'The image encoder is neither a CNN nor a ViT that can be cut, so regions are cropped and encoded one by one.' });
  }
  return cropRegionEncoder(checkpoint, batch, device, report);
}

/**
 * A batch spreads the cost of reading the weights over its images. On a CPU, ViT-B/32 and ResNet-50 are fastest at about
 * 8; a net whose weights stay in the cache anyway has nothing to spread, and is up to a fifth faster while its activations
 * stay there too. GPUs want more to do at once. Never measured at run time: another batch may round otherwise.
 */
function defaultBatch(device: ExecutionDevice, { image }: Checkpoint): number {
  if (device !== 'cpu') return 32;
  const weights = image.model.proto.graph.initializer.reduce((sum, { dims }) => sum + (elementCount(dims.map(Number)) ?? 0), 0);
  return weights < cachedWeights ? 4 : 8;
}

/** Number of weights that a core's cache holds: 4 MiB in float32. */
const cachedWeights = 2 ** 20;

function cropRegionEncoder(checkpoint: Checkpoint, batch: number, device: Device, report: Report): RegionEncoder {
  const { image, dim, preprocessing } = checkpoint;
  const size = 3 * image.height * image.width;
  const encoder = lazySession(wholeEncoder(checkpoint), checkpoint, device, report);
  const input = new Float32Array(batch * size);
  return {
    mode: 'crop',
    featureMap: null,
    batch,
    device: encoder.choice,
    release: encoder.release,
    async embed(images) {
      const out = outputs(images, dim);
      const items = images.flatMap((image, i) => [{ image, target: out.image(i) }, ...image.boxes.map((box, b) => ({ image, box, target: out.region(i, b) }))]);
      for (let start = 0; start < items.length; start += batch) {
        const group = items.slice(start, start + batch);
        group.forEach(({ image, box }: { image: EncoderImage; box?: Box }, i) => preprocess(image.pixels, preprocessing, input, i * size, box));
        const result = await encoder.run({ [image.input]: new Tensor('float32', input, [batch, 3, image.height, image.width]) });
        const rows = result[image.output]!.data as Float32Array;
        group.forEach(({ image, target }, i) => copyNormalised(rows, i, target, image.name));
      }
      return out;
    },
  };
}

function splitRegionEncoder(checkpoint: Checkpoint, split: SplitEncoder, device: Device, report: Report): RegionEncoder {
  const { image, dim, preprocessing } = checkpoint;
  const { map, mode } = split;
  const batch = map.dims[0]!;
  const size = 3 * image.height * image.width;
  const n = positions(map.shape);
  const trunk = lazySession(split.trunk, checkpoint, device, report);
  const head = lazySession(split.head, checkpoint, device, report);
  const input = new Float32Array(batch * size);
  const index = new BigInt64Array(batch);
  const sampling = new Float32Array(batch * n * n);
  const matrix = samplingMatrices(split, image);
  return {
    mode,
    featureMap: map.name,
    batch,
    device: () => head.choice() ?? trunk.choice(),
    release: async () => {
      await Promise.all([trunk.release(), head.release()]);
    },
    async embed(images) {
      const out = outputs(images, dim);
      for (let start = 0; start < images.length; start += batch) {
        const group = images.slice(start, start + batch);
        group.forEach(({ pixels }, i) => preprocess(pixels, preprocessing, input, i * size));
        const features = (await trunk.run({ [image.input]: new Tensor('float32', input, [batch, 3, image.height, image.width]) }))[map.name]!;
        const items = group.flatMap(({ boxes, pixels, name }, i) => {
          const placed = frame(preprocessing, pixels.width, pixels.height);
          const item = (box: Box | null, target: Float32Array) => ({ i, name, box, target });
          return [item(null, out.image(start + i)), ...boxes.map((box, b) => item(toInput(placed, box), out.region(start + i, b)))];
        });
        for (let first = 0; first < items.length; first += batch) {
          const part = items.slice(first, first + batch);
          part.forEach(({ i, box }, at) => {
            index[at] = BigInt(i);
            sampling.set(matrix(box), at * n * n);
          });
          const result = await head.run({
            [headInputs.features]: features,
            [headInputs.image]: new Tensor('int64', index, [batch]),
            [headInputs.sampling]: new Tensor('float32', sampling, [batch, n, n]),
          });
          const rows = result[image.output]!.data as Float32Array;
          part.forEach(({ target, name }, at) => copyNormalised(rows, at, target, name));
        }
      }
      return out;
    },
  };
}

/** Sampling matrices by box of the model's input (null = the whole image), remembered: grids repeat theirs in every image. */
export function samplingMatrices({ map, mode }: Pick<SplitEncoder, 'map' | 'mode'>, input: { height: number; width: number }): (box: Box | null) => Float32Array {
  const n = positions(map.shape);
  const remembered = new Map<string, Float32Array>();
  return (box) => {
    const key = box === null ? '' : box.join(' ');
    let matrix = remembered.get(key);
    if (matrix === undefined) {
      if (remembered.size >= 64) remembered.clear();
      matrix = new Float32Array(n * n);
      if (box === null) for (let p = 0; p < n; p++) matrix[p * n + p] = 1;
      else {
        const [sx, sy] = [map.shape.width / input.width, map.shape.height / input.height];
        const cells: Box = [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy];
        if (mode === 'tokens') tokenPoolingMatrix(cells, map.shape, matrix);
        else roiAlignMatrix(cells, map.shape, matrix);
      }
      remembered.set(key, matrix);
    }
    return matrix;
  };
}

/** Opens the session with its first feeds at hand, so that it can be checked against the CPU. */
function lazySession(model: Uint8Array, checkpoint: Checkpoint, device: Device, report: Report) {
  let session: GraphSession | undefined;
  let choice: DeviceChoice | undefined;
  return {
    choice: () => choice,
    async run(feeds: Feeds) {
      if (!session) {
        const opened = await openCheckedSession(model, device, feeds, report, { externalFolder: checkpoint.image.model.folder });
        session = opened.session;
        choice = opened.device;
      }
      return session.run(feeds);
    },
    async release() {
      await session?.release();
    },
  };
}

function outputs(images: readonly EncoderImage[], dim: number) {
  const first: number[] = [];
  let count = 0;
  for (const { boxes } of images) {
    first.push(count);
    count += boxes.length;
  }
  const [imageRows, regionRows] = [new Float32Array(images.length * dim), new Float32Array(count * dim)];
  return {
    images: imageRows,
    regions: regionRows,
    image: (i: number) => imageRows.subarray(i * dim, (i + 1) * dim),
    region: (i: number, box: number) => regionRows.subarray((first[i]! + box) * dim, (first[i]! + box + 1) * dim),
  };
}

function copyNormalised(rows: Float32Array, row: number, target: Float32Array, name: string): void {
  const dim = target.length;
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += rows[row * dim + d]! ** 2;
  if (!Number.isFinite(sum) || sum === 0) throw embeddingNotFinite(name, sum === 0 ? 'zero' : 'not finite');
  const scale = 1 / Math.sqrt(sum);
  for (let d = 0; d < dim; d++) target[d] = rows[row * dim + d]! * scale;
}
