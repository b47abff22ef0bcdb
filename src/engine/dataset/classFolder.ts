import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { linkOutside, tableEmpty } from './errors';

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp']);

/**
 * Lists a folder with a folder of images per class; images may lie deeper inside. Everything is sorted by code unit,
 * hidden files and files that are no image by their extension are left out.
 * Throws `dataset-link-outside` for a link out of the folder, `dataset-table-empty` when there is no image.
 */
export async function readClassFolder(root: string): Promise<{ images: string[]; labels: string[] }> {
  const images: string[] = [];
  const labels: string[] = [];
  const realRoot = await realpath(root);
  for (const entry of await sorted(root)) {
    if (!(await resolved(root, entry, realRoot)).isDirectory()) continue;
    for await (const image of imagesIn(root, entry.name, realRoot)) {
      images.push(image);
      labels.push(entry.name);
    }
  }
  if (images.length === 0) throw tableEmpty(root, 'holds no folder with images');
  return { images, labels };
}

/** Paths of the images under `root`/`folder`, relative to `root` with forward slashes. */
async function* imagesIn(root: string, folder: string, realRoot: string): AsyncGenerator<string> {
  for (const entry of await sorted(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    const kind = await resolved(join(root, folder), entry, realRoot);
    // A linked folder could lead round in circles; a class folder itself may be one.
    if (kind.isDirectory() && !entry.isSymbolicLink()) yield* imagesIn(root, path, realRoot);
    else if (kind.isFile() && extensions.has(extname(entry.name).toLowerCase())) yield path;
  }
}

async function sorted(folder: string): Promise<Dirent[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What an entry is after following a link, which must stay inside the data set. */
async function resolved(folder: string, entry: Dirent, realRoot: string): Promise<{ isDirectory(): boolean; isFile(): boolean }> {
  if (!entry.isSymbolicLink()) return entry;
  const path = join(folder, entry.name);
  const target = await realpath(path).catch(() => null);
  // A dangling link counts as a file: it is reported as a missing image when it is read.
  if (target === null) return { isDirectory: () => false, isFile: () => true };
  if (target !== realRoot && !target.startsWith(realRoot + sep)) throw linkOutside(path, realRoot);
  return stat(target);
}
