/** What a person names to have it compared: a checkpoint, or a run that stands for one. */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { configSchema, type CheckpointConfig, type Config } from '../../shared/config';
import { writtenConfig } from '../checkpoint/checkpointFiles';
import { findLayout } from '../checkpoint/layout';
import { readRunFile, type RunFile } from '../run/runFile';
import { nothingMade, sideMissing } from './errors';

/** A run on disk, with the configuration it ran with. */
export interface KnownRun {
  readonly id: string;
  readonly folder: string;
  readonly kind: RunFile['kind'];
  readonly complete: boolean;
  readonly config: Config;
  /** Folder that the config's relative paths start from: the one that `.ravl` lies in. */
  readonly baseDir: string;
}

export interface Side {
  /** In words, for titles: the checkpoint's name, and the run that made it. */
  readonly name: string;
  readonly checkpoint: CheckpointConfig;
  /** Folder that relative paths of the checkpoint start from. */
  readonly baseDir: string;
  /** The run that was named, if one was. */
  readonly run: KnownRun | null;
}

/**
 * A run by its folder, relative to `cwd`, or by its id in the `.ravl/runs` of one of `roots`; null where there is none.
 * Throws `run-newer-version` and `run-artifact-damaged`.
 */
export async function findRun(named: string, cwd: string, roots: readonly string[]): Promise<KnownRun | null> {
  for (const folder of [resolve(cwd, named), ...roots.map((root) => join(root, '.ravl', 'runs', basename(named)))]) {
    const file = await readRunFile(folder);
    const config = configSchema.safeParse(file?.config).data;
    if (file && config) return { id: file.id, folder, kind: file.kind, complete: file.state === 'complete', config, baseDir: resolve(folder, '..', '..', '..') };
  }
  return null;
}

/**
 * A checkpoint by its path, or by a run: an analysis stands for the checkpoint that it analysed, a fine-tuning run for the
 * one that it made. Throws `checkpoint-missing` where there is neither, and `mitigation-run-unfinished` where a run has not
 * made one yet.
 */
export async function resolveSide(named: string, cwd: string, roots: readonly string[]): Promise<Side> {
  const run = await findRun(named, cwd, roots);
  if (!run) {
    if ((await firstWith(named, [cwd])) === undefined) throw sideMissing(named);
    return { name: named, checkpoint: named, baseDir: cwd, run: null };
  }
  const { checkpoint } = run.config;
  const baseDir = (await firstWith(checkpoint, [run.baseDir, ...roots])) ?? run.baseDir;
  if (run.kind === 'analyze') return { name: `${nameOf(checkpoint)} (analysis ${run.id})`, checkpoint, baseDir, run };
  if (!run.complete) throw nothingMade(run.id, run.kind);
  const made = join(run.folder, 'checkpoint');
  // A mapping names its files one by one, and they lie in the new folder as they lay in the old one.
  const written = typeof checkpoint === 'string' ? made : writtenConfig(checkpoint, await findLayout(checkpoint, baseDir), made);
  const how = run.kind === 'mitigate' ? 'region-aware fine-tuning' : 'fine-tuning';
  return { name: `${nameOf(checkpoint)} (${how} ${run.id})`, checkpoint: written, baseDir, run };
}

const mainFile = (checkpoint: CheckpointConfig) => (typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''));
const nameOf = (checkpoint: CheckpointConfig) => basename(mainFile(checkpoint));

/** A run made with --out lies apart from its config, which may be the one given now. */
async function firstWith(checkpoint: CheckpointConfig, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const there = await stat(resolve(folder, mainFile(checkpoint))).catch(() => null);
    if (there) return folder;
  }
  return undefined;
}
