import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listRuns } from '../../../src/engine/run/runFolder';
import { finishedShards, readShard, writeShard } from '../../../src/engine/run/shards';
import type { ProgressEvent } from '../../../src/shared/progress';
import { shardCount, shardOf } from '../../fixtures/shardContent';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ravl-shards-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const notes = () => {
  const events: ProgressEvent[] = [];
  return { report: (event: ProgressEvent) => void events.push(event), texts: () => events.map((event) => (event.type === 'note' ? event.text : '')) };
};
const expectWhole = (columns: Awaited<ReturnType<typeof readShard>>, index: number) => expect(columns).toEqual(shardOf(index));

describe('shards', () => {
  it('reads back what was written, in whatever order', async () => {
    const folder = join(base, 'plain');
    for (const index of [2, 0, 1]) await writeShard(folder, index, shardOf(index));
    expect([...(await finishedShards(folder, () => undefined))]).toEqual([0, 1, 2]);
    for (const index of [0, 1, 2]) expectWhole(await readShard(folder, index), index);
  });

  it('has no shards where the folder is missing', async () => {
    expect(await finishedShards(join(base, 'nowhere'), () => undefined)).toEqual(new Set());
  });

  const damages: [string, (shard: string) => Promise<unknown>][] = [
    ['a flipped bit', async (shard) => {
      const file = join(shard, 'embedding.npy');
      const bytes = await readFile(file);
      bytes[bytes.length - 100]! ^= 1;
      await writeFile(file, bytes);
    }],
    ['a short file', (shard) => truncate(join(shard, 'row.npy'), 200)],
    ['a missing file', (shard) => rm(join(shard, 'row.npy'))],
    ['a missing manifest', (shard) => rm(join(shard, 'ravl-manifest.json'))],
    ['a garbled manifest', (shard) => writeFile(join(shard, 'ravl-manifest.json'), '{"version":1,"files":')],
  ];
  it.each(damages)('names a shard with %s, leaves it out, and writes it anew', async (name, damage) => {
    const folder = join(base, `damage ${name}`);
    for (const index of [6, 7]) await writeShard(folder, index, shardOf(index));
    await damage(join(folder, '000007'));
    const { report, texts } = notes();
    expect(await finishedShards(folder, report)).toEqual(new Set([6]));
    expect(texts()).toEqual([expect.stringMatching(/^Shard 7 is damaged \(.+\) and is computed again\.$/)]);
    await expect(readShard(folder, 7)).rejects.toMatchObject({ code: 'run-artifact-damaged' });
    await writeShard(folder, 7, shardOf(7));
    expectWhole(await readShard(folder, 7), 7);
    expect((await readdir(folder)).sort()).toEqual(['000006', '000007']);
  });

  it('refuses a shard of a newer format', async () => {
    const folder = join(base, 'newer');
    await mkdir(join(folder, '000000'), { recursive: true });
    await writeFile(join(folder, '000000', 'ravl-manifest.json'), '{"version": 2}');
    await expect(finishedShards(folder, () => undefined)).rejects.toMatchObject({ code: 'run-newer-version' });
  });
});

describe('kill -9', () => {
  it('at random file operations leaves whole shards only, and the resumed run ends with the content of an unbroken one', async () => {
    const script = join(base, 'shardWriter.mjs');
    await build({ entryPoints: [join(import.meta.dirname, '../../fixtures/shardWriter.ts')], outfile: script, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
    const root = join(base, 'killed');
    const run = (killAt: number) => promisify(execFile)(process.execPath, [script, root, String(killAt)]);

    const generator = xoroshiro128plus(7);
    let resumed = 0;
    for (let kill = 0; kill < 10; kill++) {
      const moment = uniformInt(generator, 1, kill < 3 ? 12 : 40);
      const outcome = await run(moment).then(() => 'finished', (error: { signal?: string; stderr?: string }) => error.signal ?? error.stderr);
      expect(outcome).toBe('SIGKILL');
      const [entry] = await listRuns(root);
      if (!entry) continue; // Killed before its run.json.
      expect(entry).toMatchObject({ file: { state: 'interrupted' } });
      const shards = join(entry.folder, 'shards');
      const finished = (await readdir(shards).catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
      for (const index of finished) expectWhole(await readShard(shards, index), index);
      expect(finished.length).toBeGreaterThanOrEqual(resumed);
      resumed = finished.length;
    }
    expect(resumed).toBeGreaterThan(0);
    expect(resumed).toBeLessThan(shardCount);

    await run(0);
    const runs = await listRuns(root);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ file: { state: 'complete' } });
    const shards = join(runs[0]!.folder, 'shards');
    for (let index = 0; index < shardCount; index++) expectWhole(await readShard(shards, index), index);
    expect((await readdir(shards)).length).toBe(shardCount);
    expect((await readdir(runs[0]!.folder)).sort()).toEqual(['locks', 'run.json', 'shards']);
  });
});
