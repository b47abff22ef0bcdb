import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as layoutThread from '../../../src/engine/viewer/layoutThread';
import { projectionMethod, projectRows } from '../../../src/engine/viewer/project';
import { umapLayout, type LayoutInput } from '../../../src/engine/viewer/umapLayout';
import { unitRows } from '../../fixtures/unitRows';

const dim = 24;
const never = new AbortController().signal;
const blobs = 6;
/** Row i lies in blob i mod 6. */
const planted = (n: number) => ({ embeddings: unitRows(n, dim, blobs, 0.5, 3), n, dim, cluster: Int32Array.from({ length: n }, (_, row) => row % blobs), seed: 5 });

/** Every other row by its distance, the nearest first. */
function order(n: number, from: number, distance: (row: number) => number): number[] {
  return Array.from({ length: n }, (_, row) => row).filter((row) => row !== from).sort((a, b) => distance(a) - distance(b));
}

/**
 * Trustworthiness (Venna and Kaski 2001): 1 where the k nearest in the plane are the k nearest in the embedding, about 0.5 for
 * points at random.
 */
function trustworthiness(points: Float32Array, rows: Float32Array, n: number, k: number): number {
  let penalty = 0;
  for (let i = 0; i < n; i++) {
    const dot = (j: number) => rows.subarray(i * dim, (i + 1) * dim).reduce((sum, value, d) => sum + value * rows[j * dim + d]!, 0);
    const rank = new Map(order(n, i, (j) => -dot(j)).map((row, at) => [row, at + 1]));
    for (const j of order(n, i, (row) => planeDistance(points, i, row)).slice(0, k)) penalty += Math.max(0, rank.get(j)! - k);
  }
  return 1 - (2 * penalty) / (n * k * (2 * n - 3 * k - 1));
}
const planeDistance = (points: Float32Array, i: number, j: number) => Math.hypot(points[2 * i]! - points[2 * j]!, points[2 * i + 1]! - points[2 * j + 1]!);

/** Share of the nearest 5 in the plane that are of the same blob. */
function purity(points: Float32Array, n: number): number {
  let same = 0;
  for (let i = 0; i < n; i++) same += order(n, i, (j) => planeDistance(points, i, j)).slice(0, 5).filter((j) => j % blobs === i % blobs).length;
  return same / (5 * n);
}

describe('the projection', () => {
  it('keeps who is near whom, within 0..1 on both axes', async () => {
    const input = planted(360);
    const points = await projectRows(input, { signal: never });
    expect(points).toHaveLength(720);
    expect(Math.min(...points)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...points)).toBeLessThanOrEqual(1);
    // The longer side fills the plane.
    expect(Math.max(...points) - Math.min(...points)).toBeGreaterThan(0.99);
    expect(trustworthiness(points, input.embeddings, 360, 12)).toBeGreaterThan(0.9);
    expect(purity(points, 360)).toBeGreaterThan(0.99);
  });

  it('gives the same bytes each time, and others for another seed', async () => {
    const input = planted(120);
    const first = await projectRows(input, { signal: never });
    expect(await projectRows(input, { signal: never })).toEqual(first);
    expect(await projectRows({ ...input, seed: 6 }, { signal: never })).not.toEqual(first);
  });

  it('puts regions that were not sampled among their own kind, and a small cluster is sampled too', async () => {
    // 1,200 rows of which 180 are fitted; the last 4 are a cluster of their own, a seventh direction.
    const input = planted(1200);
    input.embeddings.set(unitRows(4, dim, 1, 0.1, 77), 1196 * dim);
    input.cluster.fill(6, 1196);
    const points = await projectRows(input, { signal: never, mostFitted: 180 });
    expect(points.every(Number.isFinite)).toBe(true);
    expect(purity(points.subarray(0, 2 * 1196), 1196)).toBeGreaterThan(0.95);
    const own = [1196, 1197, 1198, 1199];
    const apart = Math.min(...own.map((i) => planeDistance(points, i, order(1200, i, (j) => (own.includes(j) ? 9 : planeDistance(points, i, j)))[0]!)));
    expect(apart).toBeGreaterThan(Math.max(...own.map((i) => planeDistance(points, i, 1196))));
    expect(projectionMethod(1200, 180)).toBe('UMAP (15 neighbours, cosine) of 180 regions drawn from all clusters; each of the other 1,020 regions lies among its 5 nearest of them.');
    expect(projectionMethod(180, 180)).toBe('UMAP (15 neighbours, cosine) of all 180 regions.');
  });

  it('puts a region that was not sampled right beside one that looks the same', async () => {
    // Every row twice.
    const input = planted(600);
    input.embeddings.copyWithin(300 * dim, 0, 300 * dim);
    const points = await projectRows(input, { signal: never, mostFitted: 200 });
    const mean = (pair: (i: number) => number) => Array.from({ length: 300 }, (_, i) => planeDistance(points, i, pair(i))).reduce((sum, d) => sum + d, 0) / 300;
    expect(mean((i) => i + 300)).toBeLessThan(0.2 * mean((i) => (i + blobs) % 300));
  });

  it.each([0, 1, 2, 3, 15, 16])('takes %i regions', async (n) => {
    const points = await projectRows(planted(n), { signal: never });
    expect(points).toHaveLength(2 * n);
    expect(points.every((value) => value >= 0 && value <= 1)).toBe(true);
    if (n >= 2) expect(new Set(Array.from({ length: n }, (_, i) => `${points[2 * i]} ${points[2 * i + 1]}`)).size).toBe(n);
  });

  it('puts regions that are all the same in the middle, and stays finite where embeddings are not', async () => {
    const same = { ...planted(40), embeddings: new Float32Array(40 * dim).fill(1 / Math.sqrt(dim)) };
    expect(await projectRows(same, { signal: never })).toEqual(new Float32Array(80).fill(0.5));
    const broken = planted(60);
    broken.embeddings[7 * dim] = NaN;
    broken.embeddings[9 * dim + 3] = Infinity;
    const points = await projectRows(broken, { signal: never });
    expect(points.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(broken.embeddings[7 * dim]).toBeNaN();
  });

  it('tells how far it is and stops when told to', async () => {
    const told: [number, number][] = [];
    await projectRows(planted(700), { signal: never, mostFitted: 100, progress: (done, total) => told.push([done, total]) });
    expect(told[0]![0]).toBe(0);
    expect(told.at(-1)![0]).toBe(told.at(-1)![1]);
    expect(told.every(([done], i) => i === 0 || done >= told[i - 1]![0])).toBe(true);
    const stop = new AbortController();
    const stopped = projectRows(planted(200), { signal: stop.signal, progress: (done) => done === 3 && stop.abort(new Error('enough')) });
    await expect(stopped).rejects.toThrow('enough');
  });
});

describe('the layout in a thread', () => {
  let folder: string;
  let threaded: typeof layoutThread;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ravl-layout-'));
    const room = join(import.meta.dirname, '../../../src/engine/viewer');
    await build({ entryPoints: [join(room, 'layoutThread.ts'), join(room, 'projectionThread.ts')], outdir: folder, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
    threaded = (await import(pathToFileURL(join(folder, 'layoutThread.js')).href)) as typeof layoutThread;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A ring of 40 rows. */
  const ring = (epochs: number): LayoutInput => ({
    n: 40, k: 5, epochs, seed: 1,
    neighbours: Int32Array.from({ length: 200 }, (_, at) => (Math.floor(at / 5) + [0, 1, 39, 2, 38][at % 5]!) % 40),
    distances: Float32Array.from({ length: 200 }, (_, at) => [0, 0.1, 0.1, 0.2, 0.2][at % 5]!),
    start: Float32Array.from({ length: 80 }, (_, at) => Math.sin(at * 7)),
  });

  it('equals the layout in one', async () => {
    const told: number[] = [];
    const found = await threaded.layoutInThread(ring(30), (done) => told.push(done), never);
    const steps = umapLayout(ring(30));
    let step = steps.next();
    while (!step.done) step = steps.next();
    expect(found).toEqual(step.value);
    expect(told).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    await expect(threaded.layoutInThread(ring(1e6), () => stop.abort(new Error('enough')), stop.signal)).rejects.toThrow('enough');
    await expect(threaded.layoutInThread(ring(3), () => undefined, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});
