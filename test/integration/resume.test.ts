/** What is left when a run is killed, interrupted or started twice, and that nothing of it shows in the findings. */
import { watch } from 'node:fs';
import { mkdir, readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePlantedClip, writePlantedDataset } from '../fixtures/plantedClip';
import { newestFindings, ravl, runFolders, runJson, startRavl, temporaryFolder, type Outcome } from './ravl';

const folder = temporaryFolder();
/** Five shards of at most 64 images. */
const images = 300;
let uninterrupted: string;

const arguments_ = (root: string) => ['analyze', 'ravl.yaml', '--out', root];

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  await writePlantedDataset(join(folder, 'data'), { images, seed: 5 });
  await writeFile(join(folder, 'words.txt'), 'red\ngreen\nblue\n');
  await writeFile(join(folder, 'ravl.yaml'), 'checkpoint: clip\ndata:\n  validation: data/validation.csv\ndiscovery:\n  vocabulary: words.txt\n');
  expect(await ravl(arguments_('whole'), folder)).toMatchObject({ code: 0 });
  uninterrupted = (await newestFindings(join(folder, 'whole'))).text;
});

const shards = async (run: string) => (await readdir(join(run, 'shards')).catch(() => [])).filter((name) => /^\d+$/.test(name)).length;

/** Kills a run as soon as it says `moment`. */
async function killed(root: string, moment: RegExp): Promise<Outcome> {
  const running = startRavl(arguments_(root), folder);
  await running.says(moment);
  running.process.kill('SIGKILL');
  return running.outcome;
}

async function expectFinished(root: string): Promise<void> {
  const runs = await runFolders(root);
  expect(runs).toHaveLength(1);
  expect(await runJson(runs[0]!)).toMatchObject({ state: 'complete', error: null });
  expect((await newestFindings(root)).text).toBe(uninterrupted);
  const left = ['embeddings.npy', 'findings.json', 'image_embeddings.npy', 'locks', 'regions.arrow', 'report.html', 'run.json'];
  expect((await readdir(runs[0]!)).sort()).toEqual(left);
}

describe('kill -9', () => {
  /**
   * What a process has said when it is killed: this, or later where it resumed behind it. The lines of `embed` come just
   * before a shard is written.
   */
  const moments = [
    /embed: \d+ of 300/,
    /embed: .*\([2-9]\d%\)|text:/,
    /embed: .*\([4-9]\d%\)|text:/,
    /embed: .*\([7-9]\d%\)|text:/,
    /text: \d+ /,
    /cluster: 0 of/,
    /cluster: .*\([5-9]\d%\)/,
    /report: \d+ of/,
    /report: .*\([6-9]\d%\)/,
  ];

  it('at any moment, over and over, loses nothing', async () => {
    const root = join(folder, 'killed');
    let embedded = 0;
    let finished = false;
    for (const [i, moment] of moments.entries()) {
      const { signal, stderr } = await killed(root, moment);
      // The last phases are short: on a slow day the process is done before the signal is there.
      finished = signal === null;
      if (finished) break;
      expect(signal).toBe('SIGKILL');
      const run = (await runFolders(root))[0]!;
      expect((await runJson(run)).state).toBe('running');
      if (i > 0) expect(stderr).toMatch(/Resuming run \S+, which was interrupted\./);
      if (embedded > 0) expect(stderr).toMatch(new RegExp(`${Math.min(images, 64 * embedded)} of 300 images were embedded before`));
      const now = await shards(run);
      expect(now).toBeGreaterThanOrEqual(embedded);
      embedded = now;
    }
    expect(embedded).toBe(5);
    if (!finished) {
      const { code, stderr } = await ravl(arguments_(root), folder);
      expect(code).toBe(0);
      expect(stderr).toMatch(/Resuming run/);
      expect(stderr).toMatch(/300 of 300 images were embedded before/);
    }
    await expectFinished(root);
  });

  it('while shards are written leaves whole ones only', async () => {
    const root = join(folder, 'torn');
    await killed(root, /embed: .*\([3-9]\d%\)/);
    const run = (await runFolders(root))[0]!;
    let signal: NodeJS.Signals | null = 'SIGKILL';
    for (let i = 0; i < 3 && signal !== null; i++) {
      const watcher = watch(join(run, 'shards'));
      const running = startRavl(arguments_(root), folder);
      // The first thing a writer does there is to make its temporary folder.
      watcher.on('change', (_, name) => String(name).startsWith('.ravl-tmp-') && running.process.kill('SIGKILL'));
      signal = (await running.outcome).signal;
      watcher.close();
    }
    if (signal !== null) expect(await ravl(arguments_(root), folder)).toMatchObject({ code: 0 });
    await expectFinished(root);
  });

  it('with a power cut leaves a damaged shard, which is found and computed again', async () => {
    const root = join(folder, 'damaged');
    await killed(root, /embed: .*\([4-9]\d%\)/);
    const run = (await runFolders(root))[0]!;
    await truncate(join(run, 'shards', '000000', 'regions.npy'), 1000);
    await mkdir(join(run, 'shards', '.ravl-tmp-half'));
    await writeFile(join(run, 'shards', '.ravl-tmp-half', 'regions.npy'), 'half');
    await writeFile(join(run, '.ravl-tmp-half'), 'half of run.json');
    const { code, stderr } = await ravl(arguments_(root), folder);
    expect(code).toBe(0);
    expect(stderr).toMatch(/Shard 0 is damaged \(regions\.npy has 1000 bytes in place of \d+\) and is computed again\./);
    await expectFinished(root);
  });
});

describe('Ctrl-C', () => {
  /** Stops a run as soon as it says `moment`, and looks at what a person is left with. */
  async function interrupted(config: string, root: string, moment: RegExp, ...more: string[]): Promise<void> {
    const running = startRavl(['analyze', config, '--out', root, ...more], folder);
    await running.says(moment);
    running.process.kill('SIGINT');
    const { code, signal, stdout, stderr } = await running.outcome;
    expect({ code, signal, stdout }).toEqual({ code: 130, signal: null, stdout: '' });
    expect(stderr).toMatch(/Run the same command again to resume\.\n$/);
    const [run] = await runFolders(root);
    expect(await runJson(run!)).toMatchObject({ state: 'interrupted', error: null });
    expect(await readdir(join(run!, 'locks'))).toEqual([]);
  }

  it('ends with 130 and leaves a run that goes on', async () => {
    const root = join(folder, 'interrupted');
    await interrupted('ravl.yaml', root, /embed: .*\([3-9]\d%\)/);
    expect(await shards((await runFolders(root))[0]!)).toBeGreaterThan(0);
    const again = await ravl(arguments_(root), folder);
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/Resuming run \S+, which was interrupted\.\n/);
    expect(again.stderr).toMatch(/\d+ of 300 images were embedded before and are not embedded again\./);
    await expectFinished(root);
  });

  // Both would take many times the time limit if they were finished first.
  it('does not wait for the clusterings that are left', async () => {
    await writeFile(join(folder, 'long.yaml'), `${await readFile(join(folder, 'ravl.yaml'), 'utf8')}  clusters: { min: 2, max: 2000 }\n`);
    await interrupted('long.yaml', join(folder, 'clustering'), /cluster: 0 of 1,999/, '--grid', '4x4');
  }, 60_000);

  it('does not wait for the texts that are left', async () => {
    await writeFile(join(folder, 'many.txt'), Array.from({ length: 2_000_000 }, (_, i) => `red ${i}\n`).join(''));
    await writeFile(join(folder, 'many.yaml'), (await readFile(join(folder, 'ravl.yaml'), 'utf8')).replace('words.txt', 'many.txt'));
    await interrupted('many.yaml', join(folder, 'texts'), /text: \d+ of 2,000,000/);
  }, 60_000);
});

describe('a second process', () => {
  it('on the same run is told who works there; the first is not disturbed', async () => {
    const root = join(folder, 'shared');
    const first = startRavl(arguments_(root), folder);
    await first.says(/embed: \d+ of 300/);
    first.process.kill('SIGSTOP');
    try {
      const second = await ravl(arguments_(root), folder);
      expect(second).toMatchObject({ code: 4, stdout: '' });
      expect(second.stderr).toMatch(new RegExp(`^Error: Another RaVL process \\(pid ${first.process.pid}\\) is working on run \\S+\\.\\n  .*--fresh`, 'm'));
    } finally {
      first.process.kill('SIGCONT');
    }
    expect(await first.outcome).toMatchObject({ code: 0 });
    await expectFinished(root);
  });
});
