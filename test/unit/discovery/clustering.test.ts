import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterRegions } from '../../../src/engine/discovery/clustering';
import * as inProcess from '../../../src/engine/discovery/sweep';
import type { ProgressEvent } from '../../../src/shared/progress';
import { cosineDistancesReference, unitRows } from '../../fixtures/unitRows';

const options = { min: 2, max: 8, seed: 0, memoryBudget: 1024 };
/** Rows i and j lie in the same blob where i ≡ j; so must their clusters. */
function expectBlobs(assignment: Int32Array, blobs: number): void {
  const clusterOfBlob = assignment.subarray(0, blobs);
  expect(new Set(clusterOfBlob).size).toBe(blobs);
  assignment.forEach((cluster, row) => expect(cluster).toBe(clusterOfBlob[row % blobs]));
}

describe('clusterRegions', () => {
  it('recovers well-separated blobs and their number', async () => {
    for (const blobs of [2, 3, 5, 8]) {
      const [n, dim] = [160, 32];
      const rows = unitRows(n, dim, blobs, 0.4, blobs);
      const found = await clusterRegions(rows, n, dim, { ...options, max: 12 });
      expect(found.k).toBe(blobs);
      expectBlobs(found.assignment, blobs);
      expect(found.method).toBe('exact');
      expect(found.sweep.map(({ k }) => k)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(found.silhouette).toBe(Math.max(...found.sweep.map(({ silhouette }) => silhouette)));
      found.medoids.forEach((medoid) => expect(found.similarity[medoid]).toBeCloseTo(1, 5));
    }
  });

  it('reports every clustering, and the same for the same seed', async () => {
    const [n, dim] = [120, 16];
    const rows = unitRows(n, dim, 6, 1.5, 1);
    const events: ProgressEvent[] = [];
    const first = await clusterRegions(rows, n, dim, { ...options, report: (event) => events.push(event) });
    expect(await clusterRegions(rows, n, dim, options)).toEqual(first);
    expect(events.map((event) => (event.type === 'progress' ? `${event.phase} ${event.done}/${event.total} ${event.unit}` : event.text))).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((done) => `cluster ${done}/7 clusterings`),
    );
  });

  it('holds k below the number of regions, and says so', async () => {
    for (const [n, expected] of [[1, [1]], [2, [1]], [3, [2]], [5, [2, 3, 4]]] as const) {
      const notes: string[] = [];
      const rows = unitRows(n, 8, n, 0.1, n);
      const found = await clusterRegions(rows, n, 8, { ...options, report: (event) => event.type === 'note' && notes.push(event.text) });
      expect(found.sweep.map(({ k }) => k)).toEqual(expected);
      expect(found.assignment).toHaveLength(n);
      expect(notes).toEqual([expect.stringContaining(`at most ${Math.max(1, n - 1)} clusters`)]);
    }
    const found = await clusterRegions(unitRows(6, 8, 6, 0.1, 1), 6, 8, { ...options, min: 20, max: 49 });
    expect(found.sweep.map(({ k }) => k)).toEqual([5]);
  });

  it('takes the smallest k where all regions are the same', async () => {
    const one = unitRows(1, 9, 1, 1, 5);
    const rows = Float32Array.from({ length: 40 * 9 }, (_, at) => one[at % 9]);
    const found = await clusterRegions(rows, 40, 9, options);
    expect([found.k, found.silhouette]).toEqual([2, 0]);
    expect(new Set(found.assignment).size).toBe(2);
  });

  it('refuses embeddings that are no unit vectors, by row, and no regions at all', async () => {
    for (const bad of [NaN, Infinity, 0]) {
      const rows = unitRows(30, 4, 3, 0.5, 1);
      rows.fill(bad, 17 * 4, 18 * 4);
      await expect(clusterRegions(rows, 30, 4, options)).rejects.toMatchObject({
        code: 'discovery-embedding-not-unit',
        message: expect.stringContaining('region 17'),
      });
    }
    await expect(clusterRegions(new Float32Array(0), 0, 4, options)).rejects.toMatchObject({ code: 'dataset-nothing-left' });
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    const rows = unitRows(100, 8, 4, 1, 1);
    const report = (event: ProgressEvent) => event.type === 'progress' && event.done === 2 && stop.abort(new Error('enough'));
    await expect(clusterRegions(rows, 100, 8, { ...options, report, signal: stop.signal })).rejects.toThrow('enough');
  });
});

describe('clustering on samples', () => {
  const [n, dim] = [3000, 16];
  // 0.25 MiB hold the distances of 256 rows.
  const small = { ...options, memoryBudget: 0.25 };

  it('recovers blobs in all rows and says what it did', async () => {
    const notes: string[] = [];
    const found = await clusterRegions(unitRows(n, dim, 6, 0.4, 2), n, dim, {
      ...small,
      report: (event) => event.type === 'note' && notes.push(event.text),
    });
    expect(found.k).toBe(6);
    expectBlobs(found.assignment, 6);
    expect(found.method).toMatch(/CLARA on samples of 256 of 3000 regions.*35 MiB.*0\.25 MiB/);
    expect(notes).toEqual([`Clustering by ${found.method}.`]);
  });

  it("keeps the best of its samples: on average within 4.5% of the exact clustering's loss where there are no blobs", async () => {
    const rows = unitRows(n, dim, 40, 1, 4);
    const loss = async (seed: number, memoryBudget: number) => {
      const { similarity } = await clusterRegions(rows, n, dim, { min: 8, max: 8, seed, memoryBudget });
      return similarity.reduce((sum, s) => sum + Math.min(1, 1 - s), 0);
    };
    const sampled = ((await loss(0, 0.25)) + (await loss(1, 0.25)) + (await loss(2, 0.25))) / 3;
    // A single sample of 256 rows is off by 5.3%, five by 3.8%.
    expect(sampled).toBeLessThan(1.045 * (await loss(0, 1024)));
  });
});

describe('the sweep in threads', () => {
  let folder: string;
  let threaded: typeof inProcess;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ravl-sweep-'));
    const room = join(import.meta.dirname, '../../../src/engine/discovery');
    await build({
      entryPoints: [join(room, 'sweep.ts'), join(room, 'clusterThread.ts')],
      outdir: folder,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    threaded = (await import(pathToFileURL(join(folder, 'sweep.js')).href)) as typeof inProcess;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const n = 1500;
  const ks = Array.from({ length: 24 }, (_, i) => 2 + i);
  const distances = () => {
    const shared = new Float32Array(new SharedArrayBuffer(n * n * 4));
    shared.set(cosineDistancesReference(unitRows(n, 4, 9, 0.9, 1), n, 4));
    return shared;
  };

  it('equals the sweep in one', async () => {
    const shared = distances();
    const inOne = await inProcess.sweepClusters(shared, n, ks, { seed: 3 });
    expect(await threaded.sweepClusters(shared, n, ks, { seed: 3 })).toEqual(inOne);
    expect(inOne.map(({ k }) => k)).toEqual(ks);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    const report = (event: ProgressEvent) => event.type === 'progress' && event.done === 1 && stop.abort(new Error('enough'));
    await expect(threaded.sweepClusters(distances(), n, ks, { seed: 3, report, signal: stop.signal })).rejects.toThrow('enough');
  });
});
