import { parse } from 'csv-parse/sync';
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openViewer, type Viewer } from '../../../src/engine/viewer/viewer';
import type { Findings } from '../../../src/shared/findings';
import type { Client } from '../../../src/shared/rpc';
import type { RegionTable, Thumbnail, ViewerQueries } from '../../../src/shared/runQueries';
import { analyzePlanted, type PlantedRun } from '../../fixtures/plantedRun';

let planted: PlantedRun;
let findings: Findings;
/** A copy of the workspace for each test, and the run in it. */
let root: string;
let folder: string;
let viewer: Viewer;

beforeAll(async () => {
  planted = await analyzePlanted();
  findings = JSON.parse(await readFile(join(planted.folder, 'findings.json'), 'utf8')) as Findings;
});
afterAll(() => rm(planted.root, { recursive: true, force: true }));
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-viewer-'));
  await cp(planted.root, root, { recursive: true, preserveTimestamps: true });
  folder = join(root, '.ravl', 'runs', planted.id);
  viewer = openViewer({ cacheBytes: 1e6, report: () => undefined });
});
afterEach(async () => {
  await viewer.release();
  await rm(root, { recursive: true, force: true });
});

type Asked<K extends keyof ViewerQueries> = Awaited<ReturnType<Client<ViewerQueries>[K]>>;
const never = new AbortController().signal;
const ask = async <K extends keyof ViewerQueries & string>(query: K, params: Parameters<Client<ViewerQueries>[K]>[0]): Promise<Asked<K>> => (await viewer.ask(folder, query, params, never)) as Asked<K>;
const imageOf = (table: RegionTable, name: string) => table.imageNames.indexOf(name);

describe('the overview and the regions', () => {
  it('hold what findings.json says, without the members', async () => {
    const overview = await ask('overview', {});
    expect(overview).toMatchObject({ classes: ['nine', 'one', 'three', 'two'], images: 80, regions: 320, accuracy: findings.accuracy, clusters: findings.clusters, verdicts: { version: 1, clusters: {} }, imagesProblem: null });
    expect(overview.run).toMatchObject({ id: planted.id, folder, kind: 'analyze', state: 'complete' });
    expect(overview.findings.map(({ cluster, rank }) => [cluster, rank])).toEqual(findings.findings.map(({ cluster, rank }) => [cluster, rank]));
    expect(overview.findings.some((finding) => 'regions' in finding)).toBe(false);
    expect(overview.prompts).toEqual(['a photo of a {}.', 'the image shows a {}.']);
  });

  it('agree with the members that findings.json lists, and with the accuracy', async () => {
    const table = await ask('regions', {});
    for (const { cluster, regions, size } of findings.findings) {
      expect(table.cluster.filter((c) => c === cluster)).toHaveLength(size);
      for (const member of regions) {
        const { region } = member;
        const image = table.image[region]!;
        expect(table.cluster[region]).toBe(cluster);
        expect(table.imageNames[image]).toBe(member.image);
        expect([table.x[region], table.y[region], table.width[region], table.height[region]]).toEqual(member.box);
        expect(table.similarity[region]).toBeCloseTo(member.similarity, 5);
        expect([findings.classes[table.imageLabel[image]!], findings.classes[table.imagePredicted[image]!]]).toEqual([member.label, member.predicted]);
      }
    }
    const right = table.imageLabel.filter((label, image) => label === table.imagePredicted[image]).length;
    expect(right / 80).toBeCloseTo(findings.accuracy.overall, 10);
  });

  it('mark the one region of each error that scores the wrong class highest', async () => {
    const table = await ask('regions', {});
    for (let image = 0; image < 80; image++) {
      const own = [0, 1, 2, 3].map((quadrant) => 4 * image + quadrant);
      expect(own.every((region) => table.image[region] === image)).toBe(true);
      const marked = own.filter((region) => table.influential[region] === 1);
      const wrong = table.imageLabel[image] !== table.imagePredicted[image];
      const highest = own.reduce((best, region) => (table.scorePredicted[region]! > table.scorePredicted[best]! ? region : best));
      expect(marked).toEqual(wrong ? [highest] : []);
    }
    // What is planted: an error that says nine comes from the red quadrant.
    const misled = planted.images.findIndex(({ red, label }, image) => red >= 0 && label !== 'nine' && findings.classes[table.imagePredicted[image]!] === 'nine');
    expect(table.influential[4 * misled + planted.images[misled]!.red]).toBe(1);
  });

  it('are copies: a receiver may take them over', async () => {
    const first = await ask('regions', {});
    const kept = structuredClone(first);
    structuredClone(first, { transfer: [first.cluster.buffer as ArrayBuffer, first.x.buffer as ArrayBuffer] });
    first.image.fill(0);
    expect(await ask('regions', {})).toEqual(kept);
  });
});

const decoded = async ({ bytes }: { bytes: Uint8Array }) => {
  expect(Buffer.isBuffer(bytes)).toBe(false);
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ channels: 3 });
  const at = (x: number, y: number) => [...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3)];
  return { width: info.width, height: info.height, at };
};
const isRed = ([r, g, b]: number[]) => r! > 200 && g! < 50 && b! < 50;

describe('pictures', () => {
  it('are the image, and what the box of a region cuts out of it', async () => {
    const table = await ask('regions', {});
    const red = planted.images.findIndex((image) => image.red === 3);
    const image = imageOf(table, planted.images[red]!.image);
    const [whole] = await ask('thumbnails', { kind: 'image', ids: [image] });
    const picture = await decoded(whole!);
    expect([picture.width, picture.height, whole!.width, whole!.height]).toEqual([64, 64, 64, 64]);
    expect(picture.at(48, 48)).toSatisfy(isRed);
    expect(picture.at(48, 16)).not.toSatisfy(isRed);
    const cuts = (await ask('thumbnails', { kind: 'region', ids: [0, 1, 2, 3].map((quadrant) => 4 * image + quadrant) })) as Thumbnail[];
    for (const [quadrant, cut] of cuts.entries()) {
      const { width, height, at } = await decoded(cut);
      expect([width, height, cut.width, cut.height]).toEqual([32, 32, 32, 32]);
      // The corner of a quadrant is black or noise, but for the red one.
      expect(isRed(at(2, 2)) && isRed(at(29, 29))).toBe(quadrant === 3);
    }
  });

  it('come with the names of their image and its regions, large', async () => {
    const view = await ask('image', { image: 5 });
    expect(view).toMatchObject({ image: 5, name: planted.images[5]!.image, width: 64, height: 64, label: planted.images[5]!.label, regions: [20, 21, 22, 23], problem: null });
    expect(await decoded(view as Thumbnail)).toMatchObject({ width: 64, height: 64 });
  });

  it('are found by the path of their file, also through a link, and no other file is', async () => {
    const file = join(root, planted.images[7]!.image);
    expect(await ask('findImage', { file })).toEqual({ image: 7 });
    expect(await ask('imageFile', { image: 7 })).toEqual({ file });
    await symlink(root, `${root}-link`);
    expect(await ask('findImage', { file: join(`${root}-link`, planted.images[7]!.image) })).toEqual({ image: 7 });
    await rm(`${root}-link`);
    expect(await ask('findImage', { file: join(root, 'validation.csv') })).toEqual({ image: null });
    expect(await ask('findImage', { file: '/nowhere/0007.png' })).toEqual({ image: null });
  });

  it('are kept on disk, remade where they were damaged or the image has changed, and bounded', async () => {
    const ids = [0, 1, 2, 3, 4, 5];
    const cached = () => readdir(join(folder, 'cache', 'pictures'));
    const first = await ask('thumbnails', { kind: 'image', ids });
    expect(await cached()).toHaveLength(6);
    for (const name of await cached()) await truncate(join(folder, 'cache', 'pictures', name), 40);
    expect(await ask('thumbnails', { kind: 'image', ids })).toEqual(first);
    // What is whole is taken from there: also by a viewer that did not make it.
    await viewer.release();
    viewer = openViewer({ cacheBytes: 1e6, report: () => undefined });
    const images = join(root, 'images');
    for (const name of await cached()) {
      const content = await readFile(join(folder, 'cache', 'pictures', name));
      content.writeUInt32LE(999, 0);
      await writeFile(join(folder, 'cache', 'pictures', name), content);
    }
    expect((await ask('thumbnails', { kind: 'image', ids })).map((thumbnail) => thumbnail!.width)).toEqual([999, 999, 999, 999, 999, 999]);
    await sharp({ create: { width: 50, height: 20, channels: 3, background: '#00f' } }).png().toFile(join(images, basename(planted.images[0]!.image)));
    expect((await ask('thumbnails', { kind: 'image', ids: [0, 1] })).map((thumbnail) => thumbnail!.width)).toEqual([50, 999]);

    const size = first[0]!.bytes.length + 8;
    viewer = openViewer({ cacheBytes: 4 * size, report: () => undefined });
    await ask('thumbnails', { kind: 'region', ids });
    const sizes = await Promise.all((await cached()).map(async (name) => (await readFile(join(folder, 'cache', 'pictures', name))).length));
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(4 * size);
  });

  it('are made all the same where nothing can be kept', async () => {
    await writeFile(join(folder, 'cache'), 'a file where a folder is needed');
    expect((await ask('thumbnails', { kind: 'image', ids: [0] }))[0]).not.toBeNull();
    expect((await ask('projection', {})).x).toHaveLength(320);
  });
});

describe('the projection', () => {
  it('is kept with the run until its embeddings change', async () => {
    const told: string[] = [];
    viewer = openViewer({ cacheBytes: 1e6, report: ({ folder: of, query, done, total }) => told.push(`${of === folder} ${query} ${done}/${total}`) });
    const first = await ask('projection', {});
    expect([first.x.length, first.y.length]).toEqual([320, 320]);
    expect(first.method).toBe('UMAP (15 neighbours, cosine) of all 320 regions.');
    expect(told.at(-1)).toMatch(/^true projection (\d+)\/\1$/);
    const before = told.length;
    expect(await ask('projection', {})).toEqual(first);
    expect(told).toHaveLength(before);
    const [kept] = (await readdir(join(folder, 'cache'))).filter((name) => /^projection-.*\.npy$/.test(name));
    await truncate(join(folder, 'cache', kept!), 100);
    expect(await ask('projection', {})).toEqual(first);
    expect(told.length).toBeGreaterThan(before);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    viewer = openViewer({ cacheBytes: 1e6, report: ({ done }) => done === 2 && stop.abort(new Error('enough')) });
    await expect(viewer.ask(folder, 'projection', {}, stop.signal)).rejects.toThrow('enough');
  });
});

describe('what if', () => {
  it('tells the stored prediction, and that without the red quadrant the image is no nine', async () => {
    const table = await ask('regions', {});
    for (const [image, { red, label }] of planted.images.entries()) {
      if (image % 8 > 3 && image > 12) continue;
      const { before, after } = await ask('whatIf', { image, regions: [] });
      expect(before.predicted).toBe(findings.classes[table.imagePredicted[image]!]);
      expect(after).toEqual(before);
      expect(before.scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 5);
      if (red < 0 || label === 'nine' || before.predicted !== 'nine') continue;
      const masked = await ask('whatIf', { image, regions: [4 * image + red] });
      expect(masked.before).toEqual(before);
      expect(masked.after.predicted).toBe(label);
      expect(masked.after.scores[0]).toBeLessThan(before.scores[0]!);
    }
  });

  it('takes the regions of the image alone', async () => {
    await expect(ask('whatIf', { image: 0, regions: [4] })).rejects.toMatchObject({ code: 'viewer-region-elsewhere' });
  });

  it('is refused once the checkpoint is another, also while it is open', async () => {
    await ask('whatIf', { image: 0, regions: [0] });
    await writeFile(join(root, 'checkpoint', 'config.json'), JSON.stringify({ model_type: 'clip', projection_dim: 8 }));
    await expect(ask('whatIf', { image: 0, regions: [0] })).rejects.toMatchObject({ code: 'viewer-checkpoint-changed', message: `The checkpoint is not the one that ${planted.id} analyzed: config.json has changed since.` });
    await rm(join(root, 'checkpoint'), { recursive: true });
    await expect(ask('whatIf', { image: 0, regions: [0] })).rejects.toMatchObject({ code: 'checkpoint-missing' });
  });
});

describe('verdicts', () => {
  it('are kept with the run, one after the other, and go with their last word', async () => {
    const [a, b] = [findings.findings[0]!.cluster, findings.findings[1]!.cluster];
    await Promise.all([ask('setVerdict', { cluster: a, verdict: 'spurious', note: 'red "tape"' }), ask('setVerdict', { cluster: b, verdict: null, note: 'look again' })]);
    const both = { version: 1, clusters: { [a]: { verdict: 'spurious', note: 'red "tape"' }, [b]: { verdict: null, note: 'look again' } } };
    expect((await ask('overview', {})).verdicts).toEqual(both);
    expect(JSON.parse(await readFile(join(folder, 'verdicts.json'), 'utf8'))).toEqual(both);
    expect(await ask('setVerdict', { cluster: b, verdict: null, note: '' })).toEqual({ version: 1, clusters: { [a]: both.clusters[a] } });
    await expect(ask('setVerdict', { cluster: 999, verdict: 'core', note: '' })).rejects.toMatchObject({ code: 'viewer-id-unknown' });
  });

  it('are never written over where they cannot be read', async () => {
    await writeFile(join(folder, 'verdicts.json'), '{"version": 1, "clusters": {"1": {"verdict": "maybe"');
    await expect(ask('setVerdict', { cluster: 0, verdict: 'core', note: '' })).rejects.toMatchObject({ code: 'run-verdicts-damaged' });
    await writeFile(join(folder, 'verdicts.json'), '{"version": 2}');
    await expect(ask('overview', {})).rejects.toMatchObject({ code: 'run-newer-version' });
  });
});

describe('lists', () => {
  it('hold every member of a cluster, as CSV and JSON', async () => {
    const table = await ask('regions', {});
    const { cluster, size, regions } = findings.findings[0]!;
    const csv = await ask('exportMembers', { cluster, format: 'csv' });
    expect(csv.name).toBe(`${planted.id}-cluster-${cluster}.csv`);
    const rows: Record<string, string>[] = parse(csv.text, { columns: true });
    expect(rows).toHaveLength(size);
    expect(rows.slice(0, regions.length).map(({ region }) => Number(region))).toEqual(regions.map(({ region }) => region));
    for (const row of rows) {
      const region = Number(row.region);
      expect([row.image, Number(row.x), Number(row.width), Number(row.score_predicted)]).toEqual([table.imageNames[table.image[region]!], table.x[region], table.width[region], table.scorePredicted[region]]);
      expect(row.influential).toBe(String(table.influential[region] === 1));
    }
    const json = JSON.parse((await ask('exportMembers', { cluster, format: 'json' })).text) as { members: { region: number }[]; rank: number };
    expect(json).toMatchObject({ run: planted.id, cluster, rank: 1 });
    expect(json.members.map(({ region }) => region)).toEqual(rows.map(({ region }) => Number(region)));
  });

  it('name the lines of misled rows in the table', async () => {
    const { source, hasLines, rows } = await ask('misledRows', {});
    expect([source, hasLines]).toEqual([join(root, 'validation.csv'), true]);
    const lines = (await readFile(source, 'utf8')).split('\n');
    const table = await ask('regions', {});
    const flagged = new Set(findings.findings.filter(({ flagged: is }) => is).map(({ cluster }) => cluster));
    const expected = planted.images.flatMap(({ image }, i) => (table.imageLabel[i] !== table.imagePredicted[i] && [0, 1, 2, 3].some((q) => flagged.has(table.cluster[4 * i + q]!)) ? [image] : []));
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.map(({ name }) => name)).toEqual(expected);
    for (const { line, name, label, predicted, ranks } of rows) {
      expect(lines[line - 1]!.split(',').slice(0, 2)).toEqual([name, label]);
      expect(predicted).not.toBe(label);
      expect(ranks).toContain(1);
    }
  });
});

describe('data that has moved', () => {
  it('leaves everything but the pictures', async () => {
    await rename(join(root, 'images'), join(root, 'elsewhere'));
    expect((await ask('overview', {})).imagesProblem).toMatch(/no longer where .*validation\.csv says: .*does not exist\./);
    expect(await ask('thumbnails', { kind: 'region', ids: [0, 9] })).toEqual([null, null]);
    expect(await ask('image', { image: 3 })).toMatchObject({ bytes: null, width: 0, problem: expect.stringMatching(/0003\.png does not exist\.$/) as string, regions: [12, 13, 14, 15] });
    expect((await ask('regions', {})).cluster).toHaveLength(320);
    expect((await ask('misledRows', {})).rows.length).toBeGreaterThan(0);
  });

  it('is seen where the table is gone, lists other images, or images no longer listed', async () => {
    const table = join(root, 'validation.csv');
    const lines = (await readFile(table, 'utf8')).split('\n');
    // Reversed, and without the image 3.
    await writeFile(table, [lines[0], ...lines.slice(1, -1).reverse().filter((line) => !line.startsWith(planted.images[3]!.image)), ''].join('\n'));
    expect((await ask('overview', {})).imagesProblem).toBeNull();
    const shown = await ask('thumbnails', { kind: 'image', ids: [2, 3, 4] });
    expect(shown.map((thumbnail) => thumbnail === null)).toEqual([false, true, false]);
    expect(await ask('image', { image: 3 })).toMatchObject({ bytes: null, problem: `${table} no longer lists the image ${planted.images[3]!.image}.` });
    expect(await ask('imageFile', { image: 4 })).toEqual({ file: join(root, planted.images[4]!.image) });
    await writeFile(table, 'image,label\nother.png,one\n');
    expect((await ask('overview', {})).imagesProblem).toBe(`${table} lists none of the images that were analyzed.`);
    await rm(table);
    expect((await ask('overview', {})).imagesProblem).toBe(`The data set ${table} does not exist.`);
    await expect(ask('imageFile', { image: 4 })).rejects.toMatchObject({ code: 'dataset-table-missing' });
  });

  it('follows no link out of a folder of images', async () => {
    // The same run over a folder with a folder a class; its images are named by it.
    const run = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as { config: { data: { validation: string } } };
    run.config.data.validation = '.';
    await writeFile(join(folder, 'run.json'), JSON.stringify(run));
    expect((await ask('overview', {})).imagesProblem).toBeNull();
    expect(await ask('image', { image: 2 })).toMatchObject({ problem: null });
    const file = join(root, planted.images[2]!.image);
    const outside = join(tmpdir(), `${basename(root)}-secret.png`);
    await cp(file, outside);
    await rm(file);
    await symlink(outside, file);
    expect(await ask('image', { image: 2 })).toMatchObject({ bytes: null, problem: expect.stringMatching(/link that leads out of the data set/) as string });
    expect(await ask('thumbnails', { kind: 'image', ids: [2] })).toEqual([null]);
    await rm(outside);
  });
});

describe('a run that cannot be shown', () => {
  const refused = (code: string, message?: RegExp) => expect(ask('overview', {})).rejects.toMatchObject({ code, ...(message ? { message: expect.stringMatching(message) as string } : {}) });
  const changeRun = async (changes: object) => {
    const file = join(folder, 'run.json');
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), ...changes }));
  };

  it('is none, damaged, newer, or a fine-tuning', async () => {
    await changeRun({ kind: 'mitigate' });
    await refused('mitigation-run-unknown');
    await changeRun({ kind: 'analyze', config: {} });
    await refused('run-artifact-damaged', /config/);
    await changeRun({ version: 2 });
    await refused('run-newer-version');
    await writeFile(join(folder, 'run.json'), '{');
    await refused('run-artifact-damaged', /not JSON/);
    await rm(folder, { recursive: true });
    await refused('viewer-no-run');
  });

  it('has no findings yet: why is said', async () => {
    await rm(join(folder, 'findings.json'));
    await refused('viewer-artifact-missing', /findings\.json is missing/);
    await changeRun({ state: 'running' });
    await refused('viewer-unfinished', /was interrupted/);
    await changeRun({ state: 'failed', error: { code: 'x', message: 'The disk is full.', hint: '' } });
    await refused('viewer-unfinished', /failed \(The disk is full\) before/);
  });

  it('has findings before its report is written', async () => {
    await changeRun({ state: 'running' });
    expect((await ask('overview', {})).findings).toHaveLength(findings.findings.length);
  });

  it('has damaged artifacts: the file is named, and once it is mended it is read again', async () => {
    const file = join(folder, 'regions.arrow');
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length / 2));
    await refused('run-artifact-damaged', /regions\.arrow/);
    await rm(file);
    await refused('viewer-artifact-missing', /regions\.arrow/);
    await writeFile(file, whole);
    await ask('overview', {});
    await writeFile(join(folder, 'findings.json'), JSON.stringify({ ...findings, regions: 3 }));
    await refused('run-artifact-damaged', /320 regions, and findings\.json 3/);
    await writeFile(join(folder, 'findings.json'), '{"version": 9}');
    await refused('run-newer-version');
    await writeFile(join(folder, 'findings.json'), JSON.stringify(findings));
    await rm(join(folder, 'embeddings.npy'));
    await expect(ask('projection', {})).rejects.toMatchObject({ code: 'run-storage-failed', message: expect.stringContaining('embeddings.npy') as string });
    await mkdir(join(folder, 'embeddings.npy'));
    await expect(ask('projection', {})).rejects.toHaveProperty('hint');
  });
});

describe('a message', () => {
  it.each<[query: string, params: unknown]>([
    ['format', {}],
    ['__proto__', {}],
    ['toString', {}],
    ['overview', { folder: '/etc' }],
    ['overview', null],
    ['thumbnails', { kind: 'image', ids: [-1] }],
    ['thumbnails', { kind: 'image', ids: [0.5] }],
    ['thumbnails', { kind: 'image', ids: Array.from({ length: 65 }, () => 0) }],
    ['thumbnails', { kind: 'file', ids: [0] }],
    ['image', { image: '../../etc/passwd' }],
    ['setVerdict', { cluster: 0, verdict: 'maybe', note: '' }],
    ['setVerdict', { cluster: 0, verdict: 'core', note: 'x'.repeat(10_001) }],
  ])('to %s that is not one of ours is refused', async (query, params) => {
    await expect(viewer.ask(folder, query, params, never)).rejects.toMatchObject({ code: 'message-invalid' });
  });

  it('may name only what the run has', async () => {
    for (const [query, params] of [['image', { image: 80 }], ['thumbnails', { kind: 'image', ids: [0, 80] }], ['thumbnails', { kind: 'region', ids: [320] }], ['imageFile', { image: 80 }], ['exportMembers', { cluster: 999, format: 'csv' }]] as const) {
      await expect(viewer.ask(folder, query, params, never), query).rejects.toMatchObject({ code: 'viewer-id-unknown' });
    }
  });

  it('that was cancelled is not answered', async () => {
    await expect(viewer.ask(folder, 'overview', {}, AbortSignal.abort(new Error('away')))).rejects.toThrow('away');
    const stop = new AbortController();
    const asked = viewer.ask(folder, 'thumbnails', { kind: 'image', ids: Array.from({ length: 64 }, (_, i) => i) }, stop.signal);
    stop.abort(new Error('away'));
    await expect(asked).rejects.toThrow('away');
  });
});
