import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeFileAtomically } from '../run/atomic';
import { withStorageErrors } from '../run/errors';
import { paint, type Scenes } from './compose';
import type { GreyImages } from './idx';

export interface SceneTable {
  /** Of the table, `<name>.csv`, and of the folder of its images, `images/<name>`. */
  readonly name: string;
  /** Header of the second column. */
  readonly column: 'caption' | 'label';
  /** [images] its cells. */
  readonly cells: readonly string[];
}

/**
 * Writes scenes as PNG files and a CSV table with the columns image and caption or label, the table last. The bytes are
 * the same every time, on one machine: how zlib packs may differ between processors. What is there already is overwritten.
 * Throws RavlError `run-*` where the disk refuses.
 */
export async function writeScenes(folder: string, source: GreyImages, scenes: Scenes, { name, column, cells }: SceneTable): Promise<void> {
  const images = `images/${name}`;
  const digits = String(scenes.count - 1).length;
  const files = Array.from({ length: scenes.count }, (_, image) => `${images}/${String(image).padStart(digits, '0')}.png`);
  const [height, width] = [2 * source.height, 2 * source.width];
  await withStorageErrors(folder, async () => {
    await mkdir(join(folder, images), { recursive: true });
    for (let start = 0; start < files.length; start += atOnce) {
      await Promise.all(
        files.slice(start, start + atOnce).map(async (file, at) => {
          const pixels = paint(source, scenes, start + at);
          const png = await sharp(pixels, { raw: { width, height, channels: 3 } }).png({ compressionLevel: 9 }).toBuffer();
          await writeFile(join(folder, file), png);
        }),
      );
    }
  });
  const rows = files.map((file, image) => `${file},${cell(cells[image]!)}`);
  await writeFileAtomically(join(folder, `${name}.csv`), [`image,${column}`, ...rows, ''].join('\n'));
}

/** Images encoded side by side. */
const atOnce = 16;

/** RFC 4180. */
const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
