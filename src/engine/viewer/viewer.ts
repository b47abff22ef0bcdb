/** Answers what panels ask about runs on disk (runQueries.ts). It reads artifacts; it never computes findings. */
import { RavlError } from '../../shared/errors';
import type { Box } from '../../shared/boxes';
import type { Finding } from '../../shared/findings';
import type { Handlers } from '../../shared/rpc';
import { viewerQueries, type FindingSummary, type ImageView, type Overview, type ViewerQueries } from '../../shared/runQueries';
import { readVerdicts, writeVerdict } from '../run/verdicts';
import { runSummary } from '../run/summaries';
import { analysisStamp, readAnalysis, type Analysis } from './analysis';
import { comparedData, comparisonView, readComparison } from './comparison';
import * as errors from './errors';
import { imageFilesStamp, openImageFiles, problemOf, type ImageFiles } from './imageFiles';
import { membersFile } from './members';
import { misledRows } from './misledRows';
import { projectionOf } from './projection';
import { copyOf } from './regionTable';
import { shelf } from './shelf';
import { openThumbnails, type Wanted } from './thumbnails';
import { trainingFollower } from './training';
import { openWhatIf } from './whatIf';
import { largePicture } from './pictures';

export interface ViewerOptions {
  /** Bytes of thumbnails that the cache of a run may hold. */
  readonly cacheBytes: number;
  /** How far a slow answer is. */
  report(progress: { folder: string; query: string; done: number; total: number }): void;
}

export interface Viewer {
  /**
   * Answers a question about the run, or the comparison, in `folder`. Throws RavlError: `message-invalid` for what is no question,
   * `viewer-*`, `run-*` and `dataset-*` for what cannot be answered; and `signal.reason` once it is aborted.
   */
  ask(folder: string, query: string, params: unknown, signal: AbortSignal): Promise<unknown>;
  release(): Promise<void>;
}

/** Runs and their lists of images that are kept: a panel shows one, and few panels are open. */
const mostKept = 3;

export function openViewer({ cacheBytes, report }: ViewerOptions): Viewer {
  const analyses = shelf<Analysis>(mostKept);
  const lists = shelf<ImageFiles>(mostKept);
  const thumbnails = openThumbnails(cacheBytes);
  const whatIf = openWhatIf();
  const training = trainingFollower();
  const verdictsInTurn = new Map<string, Promise<unknown>>();

  const analysisOf = async (folder: string) => analyses.get(folder, await analysisStamp(folder), () => readAnalysis(folder));
  const imagesOf = async ({ folder, config, baseDir, table }: Analysis) =>
    lists.get(folder, `${await analysisStamp(folder)} ${await imageFilesStamp(config, baseDir)}`, () => openImageFiles(config, baseDir, table.imageNames));

  const answers = (folder: string): Handlers<ViewerQueries> => ({
    overview: async () => overviewOf(await analysisOf(folder), imagesOf),
    regions: async () => copyOf((await analysisOf(folder)).table),
    projection: async (_params, signal) => projectionOf(await analysisOf(folder), (done, total) => report({ folder, query: 'projection', done, total }), signal),
    async thumbnails({ kind, ids }, signal) {
      const analysis = await analysisOf(folder);
      for (const id of ids) assertKnown(analysis, kind, id);
      const { image } = analysis.table;
      const files = await imagesOf(analysis).catch(unlessTold);
      return thumbnails.make(folder, ids.map((id) => wanted(files, kind === 'image' ? id : image[id]!, kind === 'image' ? null : boxOf(analysis, id))), signal);
    },
    async image({ image }) {
      const analysis = await analysisOf(folder);
      assertKnown(analysis, 'image', image);
      return imageView(analysis, image, imagesOf(analysis));
    },
    async findImage({ file }) {
      return { image: await (await imagesOf(await analysisOf(folder))).find(file) };
    },
    async imageFile({ image }) {
      const analysis = await analysisOf(folder);
      assertKnown(analysis, 'image', image);
      return { file: await (await imagesOf(analysis)).fileOf(image) };
    },
    async whatIf({ image, regions }, signal) {
      const analysis = await analysisOf(folder);
      assertKnown(analysis, 'image', image);
      for (const region of regions) {
        assertKnown(analysis, 'region', region);
        if (analysis.table.image[region] !== image) throw errors.regionElsewhere(region, image);
      }
      const file = await (await imagesOf(analysis)).fileOf(image);
      return whatIf.ask(analysis, file, regions.map((region) => boxOf(analysis, region)), signal);
    },
    async setVerdict({ cluster, verdict, note }) {
      assertKnown(await analysisOf(folder), 'cluster', cluster);
      // One after the other: each starts from what the last has written.
      const written = (verdictsInTurn.get(folder) ?? Promise.resolve()).catch(() => undefined).then(() => writeVerdict(folder, cluster, { verdict, note }));
      verdictsInTurn.set(folder, written);
      return written;
    },
    async exportMembers({ cluster, format }) {
      const analysis = await analysisOf(folder);
      assertKnown(analysis, 'cluster', cluster);
      return membersFile(analysis, cluster, format);
    },
    async misledRows() {
      const analysis = await analysisOf(folder);
      return misledRows(analysis, await imagesOf(analysis));
    },
    comparison: () => comparisonView(folder),
    async flippedThumbnails({ flip, from, count }, signal) {
      const images = (await readComparison(folder))?.flipped[flip].images.map(({ image }) => image) ?? [];
      const { config, baseDir } = await comparedData(folder);
      const stamp = `${JSON.stringify(images)} ${await imageFilesStamp(config, baseDir)}`;
      const files = await lists.get(`${folder} ${flip}`, stamp, () => openImageFiles(config, baseDir, images)).catch(unlessTold);
      const asked = images.slice(from, from + count).map((_, i) => wanted(files, from + i, null));
      return (await thumbnails.make(folder, asked, signal)).map((thumbnail) => thumbnail && thumbnail.bytes);
    },
    training: ({ from }) => training.view(folder, from),
  });

  return {
    async ask(folder, query, params, signal) {
      const name = Object.hasOwn(viewerQueries, query) ? (query as keyof ViewerQueries) : undefined;
      if (name === undefined) throw errors.queryUnknown(query);
      const given = viewerQueries[name].params.safeParse(params);
      const issue = given.error?.issues[0];
      if (!given.success) throw errors.paramsInvalid(query, issue?.path.join('.') ?? '', issue?.message ?? 'wrong');
      signal.throwIfAborted();
      return answers(folder)[name](given.data as never, signal);
    },
    async release() {
      analyses.clear();
      lists.clear();
      await whatIf.release();
    },
  };
}

async function overviewOf(analysis: Analysis, imagesOf: (analysis: Analysis) => Promise<ImageFiles>): Promise<Overview> {
  const { folder, file, config, findings } = analysis;
  const run = await runSummary(folder);
  if (!run) throw errors.noRun(folder);
  const { classes, images, regions, accuracy, clusters, seed } = findings;
  return {
    run, classes, images, regions, accuracy, clusters, seed, config,
    findings: findings.findings.map(withoutMembers),
    prompts: config.prompts,
    versions: file.versions,
    verdicts: await readVerdicts(folder),
    imagesProblem: await problemOf(imagesOf(analysis)),
  };
}

/** The member regions are columns of `regions`. */
function withoutMembers(finding: Finding): FindingSummary {
  const { regions, ...summary } = finding;
  void regions;
  return summary;
}

async function imageView({ findings: { classes }, table }: Analysis, image: number, files: Promise<ImageFiles>): Promise<ImageView> {
  const regions: number[] = [];
  table.image.forEach((owner, region) => {
    if (owner === image) regions.push(region);
  });
  const known = { image, name: table.imageNames[image]!, label: classes[table.imageLabel[image]!] ?? '', predicted: classes[table.imagePredicted[image]!] ?? '', regions };
  try {
    const file = await (await files).fileOf(image);
    const picture = await largePicture(file).catch((error: unknown) => {
      throw errors.pictureProblem(file, error);
    });
    return { ...known, ...picture, problem: null };
  } catch (error) {
    if (!(error instanceof RavlError)) throw error;
    return { ...known, bytes: null, width: 0, height: 0, problem: error.message };
  }
}

/** What is to be shown of an image whose file may not be known. */
function wanted(files: ImageFiles | RavlError, image: number, box: Box | null): Wanted {
  return { file: files instanceof RavlError ? () => Promise.reject(files) : () => files.fileOf(image), box };
}

/** Pictures that are not there are no failure of the question; `imagesProblem` has said why. */
function unlessTold(error: unknown): RavlError {
  if (error instanceof RavlError) return error;
  throw error;
}

function boxOf({ table: { x, y, width, height } }: Analysis, region: number): Box {
  return [x[region]!, y[region]!, width[region]!, height[region]!];
}

function assertKnown({ findings, table }: Analysis, what: 'image' | 'region' | 'cluster', id: number): void {
  const count = { image: table.imageNames.length, region: table.cluster.length, cluster: findings.clusters.k }[what];
  if (id >= count) throw errors.idUnknown(what, id);
}
