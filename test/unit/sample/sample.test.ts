import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSample } from '../../fixtures/sample';

const committed = join(import.meta.dirname, '../../../media/sample');
let rebuilt: string;

beforeAll(async () => {
  rebuilt = await mkdtemp(join(tmpdir(), 'ravl-sample-'));
  await writeSample(rebuilt);
});
afterAll(() => rm(rebuilt, { recursive: true, force: true }));

/** Every file of a folder by its path in it, but for what runs leave there. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return files.filter((file) => !file.startsWith('.ravl')).sort();
}

describe('media/sample is what npm run build:sample writes', () => {
  it('file by file', async () => {
    expect(await filesOf(committed)).toEqual(await filesOf(rebuilt));
  });

  it('in every byte of its checkpoint, table and config', async () => {
    const files = (await filesOf(rebuilt)).filter((file) => !file.endsWith('.png'));
    expect(files).toHaveLength(9);
    for (const file of files) expect(await readFile(join(committed, file)), file).toEqual(await readFile(join(rebuilt, file)));
  });

  // How zlib packs the same pixels may differ between processors, so the pixels count.
  it('in every pixel of its pictures', async () => {
    const pictures = (await filesOf(rebuilt)).filter((file) => file.endsWith('.png'));
    expect(pictures).toHaveLength(200);
    for (const file of pictures) {
      const [before, after] = await Promise.all([committed, rebuilt].map((folder) => sharp(join(folder, file)).raw().toBuffer()));
      expect(before!.equals(after!), file).toBe(true);
    }
  });
});
