/**
 * (a) Images a second from files on disk to embeddings of images and regions (decode, preprocess, encode, store), over
 * those of bare onnxruntime: `InferenceSession.run` on tensors that lie ready, at its best batch, with its threads spinning
 * while they wait (its default) or not, whichever is faster: on a busy machine that makes much of a difference.
 *
 * Both do the same encoder passes. crop: the encoder once an image and once a region. roi-align: the graph up to the
 * feature map once an image, the graph after it once an image (whose own embedding is needed) and once a region.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { openCheckpoint, type Checkpoint } from '../../src/engine/checkpoint/checkpoint';
import { openRegionFinder } from '../../src/engine/dataset/regions';
import type { Table } from '../../src/engine/dataset/table';
import { embedImages } from '../../src/engine/discovery/embedImages';
import { splitEncoder, wholeEncoder } from '../../src/engine/discovery/encoderGraphs';
import { openRegionEncoder } from '../../src/engine/discovery/regionEncoder';
import { headInputs } from '../../src/engine/discovery/regionGraph';
import { positions } from '../../src/engine/discovery/sampling';
import { writeLargeClip, type LargeClip } from './largeClip';
import { goal, median, seconds } from './report';

const fashion = fileURLToPath(new URL('../../../shared/data/fashion', import.meta.url));
const rounds = 5;
const batches = [1, 2, 4, 8, 16, 32];
/** The image itself and the four regions of a 2 × 2 grid. */
const passes = 5;
const silent = () => undefined;

export async function benchThroughput(): Promise<void> {
  console.log('(a) end-to-end embedding over bare onnxruntime at its best batch, 2 × 2 regions, images/s');
  const folder = await mkdtemp(join(tmpdir(), 'ravl-bench-'));
  try {
    if (existsSync(fashion)) {
      const rows = (await readFile(join(fashion, 'validation.csv'), 'utf8')).trim().split('\n').slice(1);
      const files = rows.slice(0, 128).map((row) => join(fashion, row.split(',')[0]!));
      await compare('fashion CLIP', await openCheckpoint('checkpoints/fashion-clip', fashion), '60×80 JPEG', files, folder);
    } else {
      console.warn(`  fashion CLIP: SKIPPED, its data is not at ${fashion}`);
    }
    const files = await writePhotos(join(folder, 'photos'), 16);
    for (const kind of ['ViT-B/32', 'ResNet-50'] satisfies LargeClip[]) {
      const checkpoint = join(folder, kind.replace('/', '-'));
      await writeLargeClip(checkpoint, kind);
      await compare(kind, await openCheckpoint(checkpoint, folder), '640×480 JPEG', files, folder);
      await rm(checkpoint, { recursive: true });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(name: string, checkpoint: Checkpoint, kind: string, files: readonly string[], folder: string): Promise<void> {
  for (const mode of ['crop', 'roi-align'] as const) {
    const bare = await bareEncoders(checkpoint, mode, files.length);
    const whole = await endToEnd(checkpoint, mode, files, folder);
    const costs: Cost[][] = [[], [], []];
    // Whatever else the machine does falls on all alike.
    for (let round = 0; round < rounds; round++) for (const [i, contender] of [whole, ...bare].entries()) costs[i]!.push(await cost(contender));
    await Promise.all([whole, ...bare].map(({ release }) => release()));
    const [ours, still, spinning] = costs.map((all) => ({ wall: median(all.map(({ wall }) => wall)), cpu: median(all.map(({ cpu }) => cpu)) })) as [Cost, Cost, Cost];
    const best = Math.min(still.wall, spinning.wall);
    const how = `bare at batch ${bare[0]!.batch}, ${best === still.wall ? 'not ' : ''}spinning`;
    console.log(
      `  ${name}, ${kind}, ${mode}: ${(1 / ours.wall).toFixed(1)} of ${(1 / best).toFixed(1)} (${how}), ratio ${goal(best / ours.wall, '≥', 0.85)}; ` +
        `CPU time ${(1000 * still.cpu).toFixed(0)} of ${(1000 * ours.cpu).toFixed(0)} ms an image`,
    );
  }
}

/** Seconds an image; CPU time is of all threads, and other programs hardly touch it. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

async function cost({ images, run }: Contender): Promise<Cost> {
  const before = process.cpuUsage();
  const wall = await seconds(run);
  const { user, system } = process.cpuUsage(before);
  return { wall: wall / images, cpu: (user + system) / 1e6 / images };
}

interface Contender {
  /** Images a run. */
  readonly images: number;
  run(): Promise<void>;
  release(): Promise<unknown>;
}

/** Embeds all files, as `ravl analyze` does, into a new folder each time. Sessions open before anything is timed. */
async function endToEnd(checkpoint: Checkpoint, mode: 'crop' | 'roi-align', files: readonly string[], folder: string): Promise<Contender> {
  const table: Table = { source: folder, format: 'csv', columnNames: [], rowNumbers: Int32Array.from(files.keys()), images: files, files };
  const regions = await openRegionFinder({ kind: 'grid', rows: 2, cols: 2 }, table, folder, 'cpu', silent);
  const encoder = await openRegionEncoder(checkpoint, { mode }, 'cpu', silent);
  const embed = async (part: Table) => {
    const shards = await mkdtemp(join(folder, 'shards-'));
    await embedImages({ checkpoint, table: part, regions, encoder, folder: shards, skipUnreadable: false }, silent, new AbortController().signal);
    await rm(shards, { recursive: true });
  };
  await embed({ ...table, files: files.slice(0, encoder.batch), images: files.slice(0, encoder.batch) });
  return { images: files.length, run: () => embed(table), release: encoder.release };
}

/** The same passes by bare sessions at the batch that a short search finds best: their threads spinning, and not. */
async function bareEncoders(checkpoint: Checkpoint, mode: 'crop' | 'roi-align', images: number) {
  let best: Awaited<ReturnType<typeof candidate>> | undefined;
  for (const batch of batches) {
    const next = await candidate(checkpoint, mode, images, batch, false);
    const worse = best !== undefined && best.perImage <= next.perImage ? next : best;
    if (worse !== next) best = next;
    await worse?.release();
  }
  return [best!, await candidate(checkpoint, mode, images, best!.batch, true)];
}

async function candidate(checkpoint: Checkpoint, mode: 'crop' | 'roi-align', images: number, batch: number, spinning: boolean) {
  const open = (model: Uint8Array) => bareSession(model, checkpoint.image.model.folder, spinning);
  const graphs = mode === 'crop' ? await bareCrop(checkpoint, batch, open) : await bareRoiAlign(checkpoint, batch, open);
  let perImage = 0;
  for (const { session, feeds, runs } of graphs) {
    await session.run(feeds);
    const times: number[] = [];
    for (let i = 0; i < Math.max(3, 16 / batch); i++) times.push(await seconds(() => session.run(feeds)));
    // The shortest, which other programs disturbed least.
    perImage += (runs * Math.min(...times)) / batch;
  }
  const count = Math.ceil(images / batch);
  return {
    batch,
    perImage,
    images: count * batch,
    async run() {
      for (let i = 0; i < count; i++) for (const { session, feeds, runs } of graphs) for (let run = 0; run < runs; run++) await session.run(feeds);
    },
    release: () => Promise.all(graphs.map(({ session }) => session.release())),
  };
}

interface BareGraph {
  readonly session: InferenceSession;
  readonly feeds: Record<string, Tensor>;
  /** Runs for each batch of images. */
  readonly runs: number;
}

async function bareCrop(checkpoint: Checkpoint, batch: number, open: Open): Promise<BareGraph[]> {
  const { image } = checkpoint;
  const session = await open(wholeEncoder(checkpoint));
  return [{ session, feeds: { [image.input]: filled([batch, 3, image.height, image.width]) }, runs: passes }];
}

async function bareRoiAlign(checkpoint: Checkpoint, batch: number, open: Open): Promise<BareGraph[]> {
  const { image } = checkpoint;
  const { map, trunk, head } = (await splitEncoder(checkpoint, { mode: 'roi-align' }, batch))!;
  const n = positions(map.shape);
  const feeds = {
    [headInputs.features]: filled(map.dims),
    [headInputs.image]: new Tensor('int64', new BigInt64Array(batch), [batch]),
    [headInputs.sampling]: filled([batch, n, n]),
  };
  return [
    { session: await open(trunk), feeds: { [image.input]: filled([batch, 3, image.height, image.width]) }, runs: 1 },
    { session: await open(head), feeds, runs: passes },
  ];
}

type Open = (model: Uint8Array) => Promise<InferenceSession>;

function bareSession(model: Uint8Array, folder: string, spinning: boolean): Promise<InferenceSession> {
  const extra = { session: { model_external_initializers_file_folder_path: folder, intra_op: { allow_spinning: spinning ? '1' : '0' } } };
  return InferenceSession.create(model, { logSeverityLevel: 4, extra });
}

/** Values as pixels have them: zeros and denormal numbers take another time. */
function filled(dims: readonly number[]): Tensor {
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
  return new Tensor('float32', data, dims);
}

/** Noise with shapes on it, as JPEG: about the detail, and the bytes, of a photo. */
async function writePhotos(folder: string, count: number): Promise<string[]> {
  await mkdir(folder);
  const [width, height] = [640, 480];
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const pixels = Uint8Array.from({ length: width * height * 3 }, (_, p) => {
        const [x, y] = [Math.floor(p / 3) % width, Math.floor(p / 3 / width)];
        const disc = (x - 40 * (i % 12)) ** 2 + (y - 240) ** 2 < 90 ** 2 ? 80 : 0;
        const grain = ((p * 2654435761 + i * 40503) >>> 24) / 8;
        return 60 + disc + grain + 40 * Math.sin((x + 7 * i) / 23) * Math.cos((y * (1 + (p % 3))) / 31);
      });
      const file = join(folder, `${i}.jpg`);
      await writeFile(file, await sharp(pixels, { raw: { width, height, channels: 3 } }).jpeg({ quality: 88 }).toBuffer());
      return file;
    }),
  );
}
