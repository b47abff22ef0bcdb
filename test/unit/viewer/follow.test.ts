import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeCompared } from '../../../src/engine/evaluation/compared';
import { openRun, type Run } from '../../../src/engine/run/runFolder';
import { openViewer } from '../../../src/engine/viewer/viewer';
import { configSchema } from '../../../src/shared/config';
import type { Client } from '../../../src/shared/rpc';
import type { ViewerQueries } from '../../../src/shared/runQueries';
import { exampleComparison, exampleMetrics } from '../../fixtures/exampleComparison';

let root: string;
let run: Run;
const config = configSchema.parse({ checkpoint: 'models/clip', data: { validation: 'validation.csv', train: 'train.csv' }, training: { batch: 4, epochs: 3 } });
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-follow-'));
  const describe = { kind: 'mitigate' as const, versions: {}, seed: 0, config, inputs: {} };
  run = await openRun({ root: join(root, '.ravl', 'runs'), fingerprint: '123456', describe, fresh: true }, () => undefined);
  await writeFile(join(root, 'train.csv'), ['image,caption', ...Array.from({ length: 10 }, (_, i) => `t${i}.png,a nine`), ''].join('\n'));
});
afterEach(async () => {
  await run.close({ state: 'complete' });
  await rm(root, { recursive: true, force: true });
});

const viewer = openViewer({ cacheBytes: 1e6, report: () => undefined });
const askIn = async <K extends keyof ViewerQueries & string>(folder: string, query: K, params: Parameters<Client<ViewerQueries>[K]>[0]) =>
  (await viewer.ask(folder, query, params, new AbortController().signal)) as Awaited<ReturnType<Client<ViewerQueries>[K]>>;

describe('a training that is followed', () => {
  const log = () => join(run.folder, 'metrics.jsonl');
  const text = (from: number, to: number) => exampleMetrics.slice(from, to).map((line) => `${JSON.stringify(line)}\n`).join('');
  const training = (from: number) => askIn(run.folder, 'training', { from });

  it('has no line before the first, and says how many steps there are', async () => {
    // 10 images in steps of 4 are 2 steps an epoch, for 3 epochs.
    expect(await training(0)).toMatchObject({ lines: [], next: 0, totalSteps: 6, run: { id: run.id, state: 'running', kind: 'mitigate' }, config: { training: { batch: 4 } } });
    await rm(join(root, 'train.csv'));
    expect((await training(0)).totalSteps).toBeNull();
  });

  it('tells each line once, and one that is half written when it is whole', async () => {
    await writeFile(log(), text(0, 3));
    expect(await training(0)).toMatchObject({ lines: exampleMetrics.slice(0, 3), next: 3 });
    expect(await training(3)).toMatchObject({ lines: [], next: 3 });
    const [half, rest] = [text(3, 4).slice(0, 20), text(3, 4).slice(20)];
    await appendFile(log(), half);
    expect(await training(3)).toMatchObject({ lines: [], next: 3 });
    await appendFile(log(), rest + text(4, 6));
    expect(await training(3)).toMatchObject({ lines: exampleMetrics.slice(3, 6), next: 6 });
    // Another panel, and one that goes back.
    expect(await training(0)).toMatchObject({ lines: exampleMetrics.slice(0, 6), next: 6 });
    expect(await training(2)).toMatchObject({ lines: exampleMetrics.slice(2, 6), next: 6 });
  });

  it('begins anew where a resume cut the log back, also when it has grown beyond what was told', async () => {
    await writeFile(log(), text(0, 6));
    expect((await training(0)).next).toBe(6);
    await writeFile(`${log()}.new`, text(0, 2) + text(10, 18));
    await rename(`${log()}.new`, log());
    const { lines, next } = await training(6);
    expect(next - lines.length).toBe(0);
    expect(lines).toEqual([...exampleMetrics.slice(0, 2), ...exampleMetrics.slice(10, 18)]);
    // Cut back before anybody asked: nobody knows that there were more.
    expect(await askIn(run.folder, 'training', { from: 50 })).toMatchObject({ next: 10, lines });
  });

  it('leaves out what is no line of a log', async () => {
    await writeFile(log(), `${text(0, 1)}{"type":"step"}\nnonsense\n${text(1, 2)}`);
    expect(await training(0)).toMatchObject({ lines: exampleMetrics.slice(0, 2), next: 2 });
  });
});

describe('a comparison', () => {
  const comparison = exampleComparison();
  const dot = (colour: string) => sharp({ create: { width: 30, height: 20, channels: 3, background: colour } }).png().toBuffer();
  /** A table of the compared images in `folder`, of which the first that became right is there. */
  const writeData = async (folder: string) => {
    const { images } = comparison.flipped.wrongToRight;
    await mkdir(join(folder, 'images'), { recursive: true });
    await writeFile(join(folder, 'validation.csv'), ['image,label', ...[...images, ...comparison.flipped.rightToWrong.images].map(({ image, label }) => `${image},${label}`), ''].join('\n'));
    await writeFile(join(folder, images[0]!.image), await dot('#00c000'));
    return images;
  };

  it('of a run is null until it is there, and then names both checkpoints', async () => {
    expect(await askIn(run.folder, 'comparison', {})).toBeNull();
    expect(await askIn(run.folder, 'flippedThumbnails', { flip: 'wrongToRight', from: 0, count: 5 })).toEqual([]);
    await writeFile(join(run.folder, 'comparison.json'), JSON.stringify(comparison));
    expect(await askIn(run.folder, 'comparison', {})).toEqual({ comparison, before: 'clip', after: 'clip, region-aware fine-tuning', run: expect.objectContaining({ id: run.id }) as unknown });
    const images = await writeData(root);
    const shown = await askIn(run.folder, 'flippedThumbnails', { flip: 'wrongToRight', from: 0, count: 3 });
    expect(shown.map((bytes) => bytes === null)).toEqual([false, true, true]);
    expect(await sharp(shown[0]!).metadata()).toMatchObject({ format: 'webp', width: 30, height: 20 });
    // The last page is as long as what is left.
    expect(await askIn(run.folder, 'flippedThumbnails', { flip: 'wrongToRight', from: images.length - 2, count: 64 })).toEqual([null, null]);
    expect(await askIn(run.folder, 'flippedThumbnails', { flip: 'rightToWrong', from: 1000, count: 4 })).toEqual([]);
  });

  it('of two checkpoints says what they are, and finds its images wherever it was written', async () => {
    const [data, out] = [join(root, 'data'), join(root, 'out')];
    await mkdir(out);
    await writeData(data);
    await writeFile(join(out, 'comparison.json'), JSON.stringify(comparison));
    expect(await askIn(out, 'comparison', {})).toEqual({ comparison, before: 'before', after: 'after', run: null });
    await expect(askIn(out, 'flippedThumbnails', { flip: 'wrongToRight', from: 0, count: 1 })).rejects.toMatchObject({ code: 'viewer-comparison-incomplete' });
    await writeCompared(out, { before: 'clip', after: 'clip (fine-tuning 7)', run: null, data: join(data, 'validation.csv'), image: 'image' });
    expect(await askIn(out, 'comparison', {})).toMatchObject({ before: 'clip', after: 'clip (fine-tuning 7)', run: null });
    expect((await askIn(out, 'flippedThumbnails', { flip: 'wrongToRight', from: 0, count: 1 }))[0]).not.toBeNull();
  });

  it('that is damaged or newer says so', async () => {
    const file = join(run.folder, 'comparison.json');
    await writeFile(file, JSON.stringify(comparison).slice(0, 500));
    await expect(askIn(run.folder, 'comparison', {})).rejects.toMatchObject({ code: 'viewer-comparison-damaged', message: `${file} is damaged: it is not JSON.` });
    await writeFile(file, '{"version":2}');
    await expect(askIn(run.folder, 'comparison', {})).rejects.toMatchObject({ code: 'run-newer-version' });
    expect((await readFile(file, 'utf8'))).toBe('{"version":2}');
  });
});
