import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { makeThumbnails, thumbnail } from '../../../src/engine/report/thumbnails';
import { writeReport } from '../../../src/engine/report/writeReport';
import { runFileVersion } from '../../../src/engine/run/runFile';
import { configSchema } from '../../../src/shared/config';
import { exampleFindings } from '../../fixtures/exampleFindings';

const base = await mkdtemp(join(tmpdir(), 'ravl-thumbnails-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const quiet = () => undefined;
const fileOf = (name: string) => join(base, name);

/** A 400 × 200 picture: left half red, right half blue. */
const halves = () =>
  sharp({ create: { width: 400, height: 200, channels: 3, background: '#c00000' } }).composite([
    { input: { create: { width: 200, height: 200, channels: 3, background: '#0000c0' } }, left: 200, top: 0 },
  ]);
await halves().jpeg().toFile(fileOf('plain.jpg'));
// Orientation 6: shown turned by 90 degrees clockwise, 200 × 400, red on top.
await halves().withMetadata({ orientation: 6 }).jpeg().toFile(fileOf('turned.jpg'));
await halves().toColourspace('cmyk').jpeg().toFile(fileOf('cmyk.jpg'));
await sharp({ create: { width: 1, height: 1, channels: 4, background: '#ff000080' } }).png().toFile(fileOf('dot.png'));
await sharp({ create: { width: 3000, height: 2, channels: 3, background: '#00ff00' } }).png().toFile(fileOf('line.png'));
await writeFile(fileOf('broken.jpg'), (await readFile(fileOf('plain.jpg'))).subarray(0, 300));

async function pixels(uri: string) {
  expect(uri).toMatch(/^data:image\/webp;base64,/);
  const { data, info } = await sharp(Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64')).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)] as [number, number, number];
  return { width: info.width, height: info.height, at };
}
const isRed = ([r, , b]: number[]) => r! > 120 && b! < 90;
const isBlue = ([r, , b]: number[]) => b! > 120 && r! < 90;
const isYellow = ([r, g, b]: number[]) => r! - b! > 60 && g! - b! > 60;

describe('thumbnail', () => {
  it('scales to 128 pixels and outlines the box in its place, nothing else', async () => {
    // 400 × 200 -> 128 × 64, a factor of 0.32: the box is 32..96 × 16..48.
    const { width, height, at } = await pixels(await thumbnail(fileOf('plain.jpg'), [100, 50, 200, 100]));
    expect([width, height]).toEqual([128, 64]);
    for (const [x, y] of [[32, 30], [95, 30], [50, 16], [80, 47]] as const) expect(at(x, y), `${x},${y}`).toSatisfy(isYellow);
    for (const [x, y] of [[10, 30], [45, 30]] as const) expect(at(x, y)).toSatisfy(isRed);
    for (const [x, y] of [[80, 30], [120, 60]] as const) expect(at(x, y)).toSatisfy(isBlue);
  });

  it('turns the image upright first, and the box is one of the upright image', async () => {
    const { width, height, at } = await pixels(await thumbnail(fileOf('turned.jpg'), [0, 0, 200, 200]));
    expect([width, height]).toEqual([64, 128]);
    expect(at(32, 20)).toSatisfy(isRed);
    expect(at(32, 110)).toSatisfy(isBlue);
    expect(at(32, 64)).toSatisfy(isYellow);
  });

  it.each(['cmyk.jpg', 'dot.png', 'line.png'])('takes %s, with and without a box', async (name) => {
    for (const box of [null, [0, 0, 1, 1]] as const) {
      const { width, height } = await pixels(await thumbnail(fileOf(name), box));
      expect(Math.max(width, height)).toBe(128);
    }
  });
});

describe('makeThumbnails', () => {
  it('has no picture for an image that is missing or broken, and counts on', async () => {
    const wanted = ['gone.jpg', 'broken.jpg', 'plain.jpg'].map((image) => ({ image, box: null }));
    const done: number[] = [];
    const get = await makeThumbnails(wanted, fileOf, (event) => void (event.type === 'progress' && done.push(event.done)));
    expect(wanted.map(({ image }) => get(image, null) !== undefined)).toEqual([false, false, true]);
    expect(get('plain.jpg', [0, 0, 5, 5])).toBeUndefined();
    expect(done.at(-1)).toBe(3);
  });

  it('stays within its budget, the first wanted first', async () => {
    const wanted = Array.from({ length: 12 }, (_, i) => ({ image: 'plain.jpg', box: [i, i, 100, 100] as const }));
    const one = (await thumbnail(fileOf('plain.jpg'), wanted[0]!.box)).length;
    const get = await makeThumbnails(wanted, fileOf, quiet, one * 4);
    const uris = wanted.map(({ image, box }) => get(image, box));
    expect(uris[0]).toBeDefined();
    expect(uris.at(-1)).toBeUndefined();
    expect(uris.reduce((sum, uri) => sum + (uri?.length ?? 0), 0)).toBeLessThanOrEqual(one * 4);
  });
});

describe('writeReport', () => {
  it('writes the page with the pictures in it and what the configuration says', async () => {
    const config = configSchema.parse({ checkpoint: 'models/fashion-clip', data: { validation: 'data/validation.csv' }, regions: { kind: 'grid', rows: 3 }, discovery: { minSupport: 9 } });
    const file = join(base, 'report.html');
    const findings = exampleFindings(['plain.jpg', 'gone.jpg']);
    const table = { images: ['plain.jpg', ...Array.from({ length: findings.images + 1 }, () => 'gone.jpg')], files: [fileOf('plain.jpg'), ...Array.from({ length: findings.images + 1 }, () => fileOf('gone.jpg'))] };
    await writeReport(file, findings, table, {
      version: runFileVersion, kind: 'analyze', id: 'run-1', sequence: 1, created: '2026-03-04T05:06:07.000Z', fingerprint: 'f', state: 'running', versions: { ravl: '9.8.7' }, seed: 7,
      device: { requested: 'auto', used: 'webgpu', reason: 'equal to the CPU', maxDifference: null },
        embedding: null, config, inputs: {}, timings: { embed: 61 }, error: null,
    }, quiet);
    const page = await readFile(file, 'utf8');
    expect(page.match(/<img src="data:image\/webp;base64,/g)!.length).toBeGreaterThan(20);
    for (const text of ['fashion-clip on validation.csv', '3 × 2 grid', 'webgpu (asked for: auto; equal to the CPU)', 'embed 61.0 s', 'ravl 9.8.7', 'at least 9 images', '2 images of 4,482 rows could not be used']) expect(page).toContain(text);
  });
});
