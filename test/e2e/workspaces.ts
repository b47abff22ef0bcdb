/** What the tests' workspaces hold, and what is found in them afterwards. */
import { execFile } from 'node:child_process';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Copies the shipped sample, without what runs have left in it. */
export async function copySample(workspace: string): Promise<void> {
  const sample = join(import.meta.dirname, '../../media/sample');
  await cp(sample, workspace, { recursive: true, filter: (source) => !source.startsWith(join(sample, '.ravl')) });
}

/** The sample with a short training, analyzed by the packaged command line. */
export async function analyzedSample(workspace: string, cli: string): Promise<void> {
  await copySample(workspace);
  await editConfig(workspace, (text) => text.replace('epochs: 8', 'epochs: 8\n  steps: 16'));
  await ravl(cli, workspace, 'analyze', 'ravl.yaml');
}

/** The sample cut into many regions, each encoded by itself: half a minute of work, most of it in batches that can be stopped between. */
export async function slowSample(workspace: string): Promise<void> {
  await copySample(workspace);
  await editConfig(workspace, (text) =>
    text.replace(/regions:.*/, 'regions: { kind: grid, rows: 5, cols: 5 }\nembedding: { mode: crop, batch: 1 }').replace('vocabulary: words.txt', 'vocabulary: words.txt\n  clusters: { min: 20, max: 20 }'),
  );
}

/** The sample's checkpoint and data, and no config. */
export async function sampleWithoutConfig(workspace: string): Promise<void> {
  await copySample(workspace);
  await rm(join(workspace, 'ravl.yaml'));
}

export async function editConfig(workspace: string, edit: (text: string) => string): Promise<void> {
  const file = join(workspace, 'ravl.yaml');
  const text = await readFile(file, 'utf8');
  const edited = edit(text);
  if (edited === text) throw new Error('The edit of ravl.yaml changed nothing: has the sample changed?');
  await writeFile(file, edited);
}

/** Runs the packaged command line in a folder. */
export async function ravl(cli: string, cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { cwd, maxBuffer: 2 ** 26 });
  return stdout;
}

export interface RunOnDisk {
  readonly id: string;
  readonly folder: string;
  readonly kind: string;
  readonly state: string;
  /** Batches of embeddings that are written. */
  readonly shards: number;
}

/** The runs of a workspace, oldest first. */
export async function runsOnDisk(workspace: string): Promise<RunOnDisk[]> {
  const folder = join(workspace, '.ravl', 'runs');
  const runs: (RunOnDisk & { sequence: number })[] = [];
  for (const id of await readdir(folder).catch(() => [])) {
    try {
      const { kind, state, sequence } = JSON.parse(await readFile(join(folder, id, 'run.json'), 'utf8')) as { kind: string; state: string; sequence: number };
      const shards = (await readdir(join(folder, id, 'shards')).catch(() => [])).length;
      runs.push({ id, folder: join(folder, id), kind, state, shards, sequence });
    } catch {
      // It is being made.
    }
  }
  return runs.sort((a, b) => a.sequence - b.sequence);
}

export const findingsBytes = (run: RunOnDisk): Promise<Buffer> => readFile(join(run.folder, 'findings.json'));
