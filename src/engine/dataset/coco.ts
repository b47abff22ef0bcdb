import { readFile } from 'node:fs/promises';
import { basename, isAbsolute, relative, dirname } from 'node:path';
import { z } from 'zod';
import type { Box } from '../../shared/boxes';
import { systemCode } from '../../shared/errors';
import { asBox } from './boxes';
import { boxesMissing, cocoBroken, quoted } from './errors';
import type { Table } from './table';

const id = z.union([z.number(), z.string()]);
const cocoSchema = z.object({
  images: z.array(z.object({ id, file_name: z.string(), width: z.number().optional(), height: z.number().optional() })),
  annotations: z.array(z.object({ image_id: id, bbox: z.array(z.unknown()), iscrowd: z.union([z.number(), z.boolean()]).optional() })),
});
type Coco = z.infer<typeof cocoSchema>;

/**
 * Gives each image of a table its boxes from a COCO JSON file. An image is found by the path the table gives it (or its
 * end, at a folder), then by its bare file name. COCO's boxes are [x, y, width, height] in pixels; annotators disagree
 * on whether a rotated (EXIF) photo is meant as stored or upright, so COCO's image sizes are kept in `boxSizes` and
 * compared with the upright image later. Crowd annotations, which outline many things at once, are left out.
 *
 * Throws `dataset-coco-broken`, `dataset-box-invalid`, and `dataset-boxes-missing` when no image of the table has one.
 */
export async function withCocoBoxes(table: Table, file: string): Promise<Table> {
  const coco = await readCoco(file);
  const find = imageFinder(coco.images, table, file);
  const rowOf = new Map<number | string, number[]>();
  const boxes: Box[][] = table.images.map(() => []);
  const boxSizes = new Int32Array(2 * table.images.length);
  table.images.forEach((image, row) => {
    const entry = find(image);
    if (entry === undefined) return;
    rowOf.set(entry.id, [...(rowOf.get(entry.id) ?? []), row]);
    boxSizes.set([entry.width ?? 0, entry.height ?? 0], 2 * row);
  });
  coco.annotations.forEach(({ image_id, bbox, iscrowd }, index) => {
    const rows = rowOf.get(image_id);
    if (rows === undefined || Boolean(iscrowd)) return;
    const box = asBox(bbox, `${file}, annotations[${index}]`);
    for (const row of rows) boxes[row]!.push(box);
  });
  if (boxes.every((list) => list.length === 0)) throw boxesMissing(table.source);
  return { ...table, boxes, boxSizes };
}

async function readCoco(file: string): Promise<Coco> {
  let content: unknown;
  try {
    content = JSON.parse((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (cause) {
    const code = systemCode(cause);
    const problem = code === undefined ? 'it is not JSON' : code === 'ENOENT' ? 'it does not exist' : `it cannot be read (${code})`;
    throw cocoBroken(file, problem, cause);
  }
  const parsed = cocoSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const place = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('').replace(/^\./, '');
  throw cocoBroken(file, place === '' ? 'it is not an object with images and annotations' : `${place} is missing or of the wrong kind`);
}

type CocoImage = Coco['images'][number];

/** A look-up by whole path, then by file name; names that several COCO images share are refused when they are needed. */
function imageFinder(images: readonly CocoImage[], table: Table, file: string): (image: string) => CocoImage | undefined {
  const byPath = grouped(images, ({ file_name }) => tidy(file_name));
  const byName = grouped(images, ({ file_name }) => basename(tidy(file_name)));
  const root = dirname(table.source);
  const only = (found: CocoImage[] | undefined, image: string) => {
    if (found !== undefined && found.length > 1) throw cocoBroken(file, `${found.length} of its images match ${quoted(image)}`);
    return found?.[0];
  };
  return (image) => {
    const path = tidy(isAbsolute(image) ? relative(root, image) : image);
    return only(byPath.get(path), image) ?? only(byName.get(basename(path)), image);
  };
}

function grouped(images: readonly CocoImage[], key: (image: CocoImage) => string): Map<string, CocoImage[]> {
  const groups = new Map<string, CocoImage[]>();
  for (const image of images) {
    const group = groups.get(key(image));
    if (group === undefined) groups.set(key(image), [image]);
    else group.push(image);
  }
  return groups;
}

function tidy(path: string): string {
  return path.replaceAll('\\', '/').replace(/^(\.\/)+/, '');
}
