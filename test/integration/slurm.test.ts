/** `ravl analyze --launcher slurm` on a real cluster of virtual nodes: whatever is lost on the way, the results are those of a local run, byte for byte. */
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRun } from '../../src/engine/run/runFolder';
import { slurmInstalled, startSlurmCluster, until, type SlurmCluster } from '../fixtures/slurmCluster';
import { writePlantedClip, writePlantedDataset } from '../fixtures/plantedClip';
import { ravl, runFolders, runJson, startRavl, temporaryFolder, type Running } from './ravl';

const folder = temporaryFolder();
const preload = join(folder, 'holdPreload.mjs');
/** Five shards of at most 64 images. */
const images = 300;
/** Of the task that is held: neither the first nor the last. */
const held = 2;

const slurm = ['--launcher', 'slurm'];
const arguments_ = (root: string, ...more: string[]) => ['analyze', 'ravl.yaml', '--out', root, ...more];

const results = ['findings.json', 'embeddings.npy', 'image_embeddings.npy', 'regions.arrow'];
let local: Buffer[];

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  await writePlantedDataset(join(folder, 'data'), { images, seed: 5 });
  await writeFile(join(folder, 'words.txt'), 'red\ngreen\nblue\n');
  await writeFile(join(folder, 'ravl.yaml'), 'checkpoint: clip\ndata:\n  validation: data/validation.csv\ndiscovery:\n  vocabulary: words.txt\n  clusters: { min: 8, max: 11 }\n');
  await build({ entryPoints: [join(import.meta.dirname, '../fixtures/holdPreload.ts')], outfile: preload, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
  expect(await ravl(arguments_(join(folder, 'local')), folder)).toMatchObject({ code: 0 });
  local = await resultsOf((await runFolders(join(folder, 'local')))[0]!);
});

const resultsOf = (run: string) => Promise.all(results.map((name) => readFile(join(run, name))));

/** The one run under `root` is complete, and what it holds is what a local run holds. */
async function expectLocalResults(root: string): Promise<string> {
  const runs = await runFolders(root);
  expect(runs).toHaveLength(1);
  const [run] = runs as [string];
  expect(await runJson(run)).toMatchObject({ state: 'complete', error: null, device: { used: 'cpu' } });
  for (const [i, bytes] of (await resultsOf(run)).entries()) expect(bytes.equals(local[i]!), `${results[i]!} is as after a local run`).toBe(true);
  expect(existsSync(join(run, 'shards'))).toBe(false);
  expect(await readdir(join(run, 'locks'))).toEqual([]);
  return run;
}

/** What the jobs that were submitted last for a run are: `embed` and `merge`, by id. */
async function jobsOf(run: string): Promise<Record<string, string>> {
  const { jobs } = JSON.parse(await readFile(join(run, 'launch', 'jobs.json'), 'utf8')) as { jobs: { stage: string; id: string }[] };
  return Object.fromEntries(jobs.map(({ stage, id }) => [stage, id]));
}

/** Starts a run one of whose tasks stops in the middle, and waits until it has. */
async function startHeld(root: string, env: NodeJS.ProcessEnv, more: readonly string[]): Promise<{ running: Running; task: { pid: number; node: string }; letGo(): Promise<void> }> {
  const at = join(root, 'hold');
  await mkdir(at, { recursive: true });
  const running = startRavl(arguments_(root, ...more), folder, { ...env, NODE_OPTIONS: `--import=${preload}`, RAVL_TEST_HOLD: JSON.stringify([held, at]) });
  await until('a task is held', () => existsSync(join(at, 'held')));
  const task = JSON.parse(await readFile(join(at, 'held'), 'utf8')) as { pid: number; node: string };
  return { running, task, letGo: () => writeFile(join(at, 'go'), '') };
}

/** While a task is held, until all others have ended: what is left then is the task's alone. */
const othersEnded = (run: string) => until('the other tasks have ended', async () => (await shardsOf(run)).length === 4);
const shardsOf = async (run: string) => (await readdir(join(run, 'shards'))).filter((name) => /^\d+$/.test(name));

describe.runIf(slurmInstalled())('on a Slurm cluster', () => {
  let cluster: SlurmCluster;
  beforeAll(async () => {
    cluster = await startSlurmCluster(3);
    // For what this process asks by itself.
    process.env['SLURM_CONF'] = cluster.env.SLURM_CONF;
  });
  afterAll(async () => {
    delete process.env['SLURM_CONF'];
    await cluster.stop();
  });

  const states = (job: string) => cluster.slurm('squeue', '--noheader', '--array', `--jobs=${job}`, '--states=all', '--format=%i %T').trim().split('\n').sort();
  const isActive = (job: string) => /PENDING|RUNNING|COMPLETING/.test(states(job).join());

  it('an array of shards and a job that merges them give what a local run gives', async () => {
    const root = join(folder, 'plain');
    const { code, stdout, stderr } = await ravl(arguments_(root, ...slurm), folder, cluster.env);
    expect(stderr).toMatch(/Submitted to Slurm: \d+ \(embed, 5 tasks\), \d+ \(merge, 1 task\)\./);
    expect(stderr).toMatch(/embed: 300 images in/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Findings {2}/);
    const run = await expectLocalResults(root);
    const { embed, merge } = await jobsOf(run);
    expect(states(embed!)).toEqual([0, 1, 2, 3, 4].map((i) => `${embed}_${i} COMPLETED`));
    expect((await readdir(join(run, 'launch', 'logs'))).sort()).toEqual([...[0, 1, 2, 3, 4].map((i) => `embed-${embed}_${i}.log`), `merge-${merge}_0.log`]);
  });

  it('a folder and options that look like commands stay names', async () => {
    const root = join(folder, '%j $(touch pwned) #SBATCH --array=0-99\n#SBATCH --hold');
    const { code, stderr } = await ravl(arguments_(root, ...slurm, '--sbatch', '--comment=$(touch pwned); "%j"'), folder, cluster.env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const run = await expectLocalResults(root);
    expect(await readdir(join(run, 'launch', 'logs'))).toHaveLength(6);
    expect(existsSync(join(folder, 'pwned')) || existsSync(join(run, 'launch', 'pwned'))).toBe(false);
  });

  it('a node that is lost in the middle costs nothing but time', async () => {
    const root = join(folder, 'node');
    const { running, task } = await startHeld(root, cluster.env, slurm);
    const [run] = (await runFolders(root)) as [string];
    await othersEnded(run);
    cluster.slurm('scontrol', 'update', `nodename=${task.node}`, 'state=down', 'reason=test');
    const { embed } = await jobsOf(run);
    await until('the task waits or runs elsewhere', () => cluster.slurm('scontrol', 'show', 'job', `${embed}_${held}`).includes('Restarts=1'));
    cluster.slurm('scontrol', 'update', `nodename=${task.node}`, 'state=resume');
    const { code, stderr } = await running.outcome;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(new RegExp(`Task ${embed}_${held} was lost, and Slurm starts it again`));
    await expectLocalResults(root);
  });

  it('a task that is killed is started again', async () => {
    const root = join(folder, 'killed');
    const { running, task } = await startHeld(root, cluster.env, slurm);
    process.kill(task.pid, 'SIGKILL');
    const { code, stderr } = await running.outcome;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const run = await expectLocalResults(root);
    const { embed } = await jobsOf(run);
    expect(await readFile(join(run, 'launch', 'logs', `embed-${embed}_${held}.log`), 'utf8')).toMatch(/ended with status 137 and is put back into the queue/);
  });

  it('Ctrl-C cancels the jobs, and running it again does what is left', async () => {
    const root = join(folder, 'cancelled');
    const { running } = await startHeld(root, cluster.env, slurm);
    const [run] = (await runFolders(root)) as [string];
    await othersEnded(run);
    running.process.kill('SIGINT');
    const { code, signal, stdout, stderr } = await running.outcome;
    expect({ code, signal, stdout }).toEqual({ code: 130, signal: null, stdout: '' });
    expect(stderr).toMatch(/Run the same command again to resume\.\n$/);
    const { embed, merge } = await jobsOf(run);
    expect(states(embed!)).toContain(`${embed}_${held} CANCELLED`);
    expect(states(merge!)).toEqual([`${merge}_0 CANCELLED`]);
    expect(await runJson(run)).toMatchObject({ state: 'interrupted', error: null });

    const again = await ravl(arguments_(root, ...slurm), folder, cluster.env);
    expect(again.stderr).toMatch(/Resuming run \S+, which was interrupted\./);
    expect(again.stderr).toMatch(/Submitted to Slurm: \d+ \(embed, 1 task\), \d+ \(merge, 1 task\)\./);
    expect(again.code).toBe(0);
    await expectLocalResults(root);
  });

  it('a watcher that is killed leaves the jobs at work, and the next one waits for them', async () => {
    const root = join(folder, 'watcher');
    const { running, letGo } = await startHeld(root, cluster.env, slurm);
    const [run] = (await runFolders(root)) as [string];
    await othersEnded(run);
    running.process.kill('SIGKILL');
    await running.outcome;
    const { embed } = await jobsOf(run);
    expect(isActive(embed!)).toBe(true);
    // Nobody holds its lock, and yet it is at work: for a list of runs, and for who would start on it as well.
    expect(await readRun(run)).toMatchObject({ file: { state: 'running' } });
    const beside = await ravl(arguments_(root), folder, cluster.env);
    expect(beside).toMatchObject({ code: 4, stdout: '' });
    expect(beside.stderr).toMatch(new RegExp(`Slurm jobs \\(${embed}, \\d+\\) are at work on run `));

    const next = startRavl(arguments_(root, ...slurm), folder, cluster.env);
    await next.says(/Slurm jobs \d+, \d+ are at work on run \S+; waiting for them\./);
    await letGo();
    const { code, stderr } = await next.outcome;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/Submitted/);
    await expectLocalResults(root);
    expect(await jobsOf(run)).toMatchObject({ embed });
  });

  it('what is wrong with an image is said as it is locally, and the rest is cancelled', async () => {
    const at = join(folder, 'broken');
    await mkdir(at);
    execFileSync('cp', ['-r', ...['clip', 'data', 'words.txt', 'ravl.yaml'].map((name) => join(folder, name)), at]);
    await writeFile(join(at, 'data', 'images', '0200.png'), 'no picture');
    const here = await ravl(arguments_('here'), at, cluster.env);
    const there = await ravl(arguments_('there', ...slurm), at, cluster.env);
    expect(here.code).toBe(3);
    expect(there.code).toBe(3);
    const sentence = /^Error: (.*0200\.png.*)$/m;
    expect(sentence.exec(there.stderr)?.[1]).toBe(sentence.exec(here.stderr)?.[1]);
    expect(there.stderr).toMatch(/The log of that task: \S+embed-\d+_3\.log/);
    const [run] = (await runFolders(join(at, 'there'))) as [string];
    const { embed, merge } = await jobsOf(run);
    expect(isActive(embed!) || isActive(merge!)).toBe(false);
    expect(await runJson(run)).toMatchObject({ state: 'failed', error: { message: sentence.exec(here.stderr)![1] } });
  });

  it('what Slurm refuses is said in its words, and leaves no job', async () => {
    const root = join(folder, 'refused');
    const { code, stderr } = await ravl(arguments_(root, ...slurm, '--sbatch', '--partition=nowhere'), folder, cluster.env);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^Error: Slurm did not do what sbatch asked for: .*invalid partition specified: nowhere/m);
    expect(await runJson((await runFolders(root))[0]!)).toMatchObject({ state: 'failed', error: { code: 'launcher-slurm-refused' } });
  });
});

describe('without Slurm', () => {
  it('one sentence says so', async () => {
    const { code, stdout, stderr } = await ravl(arguments_(join(folder, 'without'), ...slurm), folder, { PATH: join(folder, 'no-programs') });
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/^Error: The launcher is slurm, and there is no Slurm on this machine: the command sbatch was not found\.\n {2}Run it on a machine of the cluster/m);
  });
});

describe('a pool', () => {
  it('of processes gives what one process gives', async () => {
    const root = join(folder, 'pool');
    const { code, stderr } = await ravl(arguments_(root, '--launcher', 'pool'), folder);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const run = await expectLocalResults(root);
    expect((await readdir(join(run, 'launch', 'logs'))).sort()).toEqual([0, 1, 2, 3, 4].map((i) => `embed-${i}.log`));
  });

  it('starts a task again that was killed', async () => {
    const root = join(folder, 'poolKilled');
    const { running, task } = await startHeld(root, {}, ['--launcher', 'pool']);
    process.kill(task.pid, 'SIGKILL');
    const { code, stderr } = await running.outcome;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/Task 2 of embed was ended by SIGKILL and is started again\./);
    await expectLocalResults(root);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('ends its tasks when it is ended by %s, and goes on where it was', async (signal) => {
    const root = join(folder, `pool-${signal}`);
    const { running, task } = await startHeld(root, {}, ['--launcher', 'pool']);
    const [run] = (await runFolders(root)) as [string];
    await othersEnded(run);
    running.process.kill(signal);
    expect(await running.outcome).toMatchObject(signal === 'SIGINT' ? { code: 130 } : { signal });
    await until('the task is gone', () => !existsSync(`/proc/${task.pid}`));
    // By whichever launcher.
    const again = await ravl(arguments_(root, ...(signal === 'SIGINT' ? [] : ['--launcher', 'pool'])), folder);
    expect(again.stderr).toMatch(/236 of 300 images were embedded before and are not embedded again\./);
    expect(again.code).toBe(0);
    await expectLocalResults(root);
  });
});
