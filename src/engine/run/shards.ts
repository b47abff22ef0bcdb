/**
 * The finished parts of a long phase. A shard is a folder `<index>` of named columns, one .npy each, written whole or
 * not at all, with hashes; a killed run goes on from those that are whole.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { readFolder, removeLeftovers, writeFolderAtomically } from './atomic';
import { damagedArtifact, storageError, withStorageErrors } from './errors';
import { npyContent, parseNpy, type NpyArray } from './npy';

export type Columns = Readonly<Record<string, NpyArray>>;

/** Writes shard `index` in `folder`, which is made when it is missing. Throws storage errors; a half-written shard never shows. */
export async function writeShard(folder: string, index: number, columns: Columns): Promise<void> {
  await withStorageErrors(folder, () => mkdir(folder, { recursive: true }));
  const files = Object.entries(columns).map(([name, column]) => [`${name}.npy`, npyContent(column)] as const);
  await writeFolderAtomically(shardFolder(folder, index), Object.fromEntries(files));
}

/**
 * The indices of the whole shards in `folder`. Every hash is checked; a damaged shard is left out, with a note that
 * it is computed again. What a killed process left half-written is removed. For the holder of the run's lock only.
 * Throws `run-newer-version`.
 */
export async function finishedShards(folder: string, report: Report): Promise<Set<number>> {
  const finished = new Set<number>();
  const indices = await shardIndices(folder);
  if (indices.length > 0) await removeLeftovers(folder);
  for (const index of indices) {
    const shard = await readFolder(shardFolder(folder, index));
    if ('files' in shard) finished.add(index);
    else report({ type: 'note', level: 'warning', text: `Shard ${index} is damaged (${shard.damage}) and is computed again.` });
  }
  return finished;
}

/** Reads one shard, hashes checked. Throws `run-artifact-damaged`. */
export async function readShard(folder: string, index: number): Promise<Columns> {
  const path = shardFolder(folder, index);
  const shard = await readFolder(path);
  if ('damage' in shard) throw damagedArtifact(path, shard.damage);
  return Object.fromEntries([...shard.files].map(([name, bytes]) => [name.replace(/\.npy$/, ''), parseNpy(bytes, join(path, name))]));
}

const shardFolder = (folder: string, index: number) => join(folder, String(index).padStart(6, '0'));

/** The indices of the shards that are there, ascending, unread. Throws storage errors. */
export async function shardIndices(folder: string): Promise<number[]> {
  try {
    const names = await readdir(folder);
    if (names.length === 0) return [];
    return names.filter((name) => /^\d{6,}$/.test(name)).map(Number).sort((a, b) => a - b);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw storageError(error, folder);
  }
}
