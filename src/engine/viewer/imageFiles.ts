/** Where the images of a run lie: by their number, and only those that its data still lists. */
import { access, realpath, stat } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import type { Config } from '../../shared/config';
import { RavlError } from '../../shared/errors';
import { linkOutside } from '../dataset/errors';
import { loadTable, type Table } from '../dataset/table';
import { notListed } from './errors';

export interface ImageFiles {
  readonly table: Table;
  /** [images] row of the table; -1 for an image that it no longer lists. */
  readonly rows: Int32Array;
  /** The file of an image, which is there or not. Throws `viewer-image-gone`, and `dataset-link-outside` for a link out of a folder of images. */
  fileOf(image: number): Promise<string>;
  /** The number of the image in a file; null where it is none of them. */
  find(file: string): Promise<number | null>;
  /** Why images cannot be shown; null where they can, going by a few of them. */
  problem(): Promise<string | null>;
}

/** Finds the images of the given names in the data of a config. Throws `dataset-*` where the table cannot be read. */
export async function openImageFiles({ data }: Pick<Config, 'data'>, baseDir: string, names: readonly string[]): Promise<ImageFiles> {
  const table = await loadTable(resolve(baseDir, data.validation), { image: data.columns.image });
  const rows = rowsOf(names, table.images);
  const byFile = new Map<string, number>();
  rows.forEach((row, image) => {
    const file = row < 0 ? undefined : table.files[row]!;
    if (file !== undefined && !byFile.has(file)) byFile.set(file, image);
  });
  const fileOf = async (image: number) => {
    const row = rows[image]!;
    if (row < 0) throw notListed(names[image]!, table.source);
    if (table.format === 'folder') await assertInside(table.files[row]!, table.source);
    return table.files[row]!;
  };
  return {
    table,
    rows,
    fileOf,
    async find(file) {
      const named = byFile.get(resolve(file));
      if (named !== undefined) return named;
      // The editor may know the file by another path than the table, through a link.
      const real = await realpath(file).catch(() => null);
      if (real === null) return null;
      for (const [candidate, image] of byFile) {
        if (basename(candidate) === basename(file) || basename(candidate) === basename(real)) {
          if ((await realpath(candidate).catch(() => null)) === real) return image;
        }
      }
      return null;
    },
    async problem() {
      const listed = rows.filter((row) => row >= 0);
      if (listed.length === 0) return `${table.source} lists none of the images that were analyzed.`;
      const some = Array.from({ length: Math.min(lookedAt, listed.length) }, (_, i) => table.files[listed[Math.floor((i * listed.length) / Math.min(lookedAt, listed.length))]!]!);
      const there = await Promise.all(some.map((file) => access(file).then(() => true, () => false)));
      return there.includes(true) ? null : `The images are no longer where ${table.source} says: ${some[0]!} does not exist.`;
    },
  };
}

/** Images that `problem` looks for. */
const lookedAt = 16;

/**
 * The row of each image: a run goes through its table in order, but may have left rows out, and a table may list an image
 * more than once.
 */
function rowsOf(names: readonly string[], listed: readonly string[]): Int32Array {
  const places = new Map<string, number[]>();
  listed.forEach((name, row) => {
    const rows = places.get(name);
    if (rows) rows.push(row);
    else places.set(name, [row]);
  });
  let last = -1;
  return Int32Array.from(names, (name) => {
    const rows = places.get(name) ?? [];
    const row = rows.find((candidate) => candidate > last) ?? rows[0] ?? -1;
    if (row > last) last = row;
    return row;
  });
}

/** A folder of images is listed without links that lead out of it; one may have been put there since. */
async function assertInside(file: string, root: string): Promise<void> {
  const [real, realRoot] = await Promise.all([realpath(file).catch(() => null), realpath(root)]);
  if (real !== null && !real.startsWith(realRoot + sep)) throw linkOutside(file, root);
}

/** What the images of a data set depend on. */
export async function imageFilesStamp({ data }: Pick<Config, 'data'>, baseDir: string): Promise<string> {
  const source = resolve(baseDir, data.validation);
  const stats = await stat(source).catch(() => null);
  return `${source} ${data.columns.image} ${stats ? `${stats.mtimeMs}:${stats.size}` : '-'}`;
}

/** Why the images cannot be shown, in one sentence. Anything but a RavlError is thrown on. */
export async function problemOf(opening: Promise<ImageFiles>): Promise<string | null> {
  try {
    return await (await opening).problem();
  } catch (error) {
    if (error instanceof RavlError) return error.message;
    throw error;
  }
}
