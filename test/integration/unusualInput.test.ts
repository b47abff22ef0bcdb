/** Odd, but right: what must work although it is not what the examples look like. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { writePlantedClip, writePlantedDataset, type PlantedImage } from '../fixtures/plantedClip';
import { newestFindings, ravl, readNpy, runFolders, temporaryFolder } from './ravl';

const folder = temporaryFolder();
let images: PlantedImage[];

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  images = await writePlantedDataset(join(folder, 'data'), { images: 64, seed: 11 });
  await writeFile(join(folder, 'words.txt'), 'red\ngreen\nblue\n');
});

/** Analyzes a table of `rows`, written to data/<name>.csv. */
async function analyzed(name: string, rows: readonly { image: string; label: string }[], args: readonly string[] = []) {
  await writeFile(join(folder, 'data', `${name}.csv`), ['image,label', ...rows.map(({ image, label }) => `${image},${label}`)].join('\n'));
  return analyzedTable(`data/${name}.csv`, name, args);
}

async function analyzedTable(table: string, name: string, args: readonly string[] = []) {
  await writeFile(join(folder, `${name}.yaml`), `checkpoint: clip\ndata: { validation: ${table} }\ndiscovery: { vocabulary: words.txt }\n`);
  const { code, stdout, stderr } = await ravl(['analyze', `${name}.yaml`, '--out', name, ...args], folder);
  expect({ code, error: code === 0 ? '' : stderr }).toEqual({ code: 0, error: '' });
  const root = join(folder, name);
  return { stdout, stderr, ...(await newestFindings(root)), run: (await runFolders(root)).at(-1)! };
}

describe('images', () => {
  const pixels = (image: Sharp) => image.raw().toBuffer();
  const raw = { width: 64, height: 64, channels: 3 } as const;

  /** Each writes an image another way; the mean cosine distance that this may cost. */
  const forms: [string, string, (png: string) => Promise<Buffer>, number][] = [
    ['of 16 bits', 'png', (png) => sharp(png).toColourspace('rgb16').png().toBuffer(), 1e-6],
    ['with an alpha channel, wholly transparent', 'png', (png) => sharp(png).ensureAlpha(0).png().toBuffer(), 1e-6],
    // Print inks hold no pure colours; inverted ones, the usual mistake, would be off by .7.
    ['in CMYK', 'jpg', (png) => sharp(png).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(), 0.2],
    ['that turn upright by EXIF', 'png', (png) => sharp(png).rotate(90).withMetadata({ orientation: 8 }).png().toBuffer(), 1e-6],
    [
      'that are animated, by their first frame',
      'gif',
      async (png) => {
        const second = Buffer.alloc(64 * 64 * 3, Buffer.from([255, 255, 0]));
        const frames = Buffer.concat([await pixels(sharp(png).removeAlpha()), second]);
        return sharp(frames, { raw: { ...raw, height: 128, pageHeight: 64 } }).gif({ dither: 0 }).toBuffer();
      },
      0.01,
    ],
  ];

  let plain: { values: Float32Array };
  const few = () => images.slice(0, 16);
  beforeAll(async () => {
    plain = await readNpy(join((await analyzed('plain', few())).run, 'embeddings.npy'));
  });

  it.each(forms)('%s', async (form, extension, write, tolerance) => {
    const place = `form ${form.replaceAll(/\W+/g, ' ')}`;
    await mkdir(join(folder, 'data', place), { recursive: true });
    const rows = await Promise.all(
      few().map(async ({ image, label }, i) => {
        await writeFile(join(folder, 'data', place, `${i}.${extension}`), await write(join(folder, 'data', image)));
        return { image: `${place}/${i}.${extension}`, label };
      }),
    );
    const { run } = await analyzed(form.replaceAll(/\W+/g, '-'), rows);
    // Regions, for they know where they lie: the whole image looks the same to this encoder whichever way it is turned.
    const { values } = await readNpy(join(run, 'embeddings.npy'));
    expect(values).toHaveLength(plain.values.length);
    // Rows have length 1, so their distances are 1 - dot products; the sum over all entries is that over all rows.
    const dots = values.reduce((sum, value, i) => sum + value * plain.values[i]!, 0);
    expect(1 - dots / (4 * rows.length)).toBeLessThanOrEqual(tolerance);
  });
});

describe('tables', () => {
  it('with a byte order mark, CRLF, quoted line breaks and hostile texts', async () => {
    const hostile = '<img src=x onerror=alert(1)></script>';
    const awkward = 'images/ä #1 100%?.png';
    await copyFile(join(folder, 'data', images[0]!.image), join(folder, 'data', awkward));
    const rows = images.map(({ image, label }, i) => `${i === 0 ? awkward : image},"a ""quoted""\r\nnote, with a comma",${label === 'two' ? hostile : label}`);
    await writeFile(join(folder, 'data', 'bom.csv'), `\uFEFFimage,note,label\r\n${rows.join('\r\n')}\r\n`);
    const { findings, run } = await analyzedTable('data/bom.csv', 'bom');
    expect(findings.images).toBe(64);
    expect(findings.classes).toEqual([hostile, 'nine', 'one', 'three']);
    const page = await readFile(join(run, 'report.html'), 'utf8');
    expect(page).not.toContain('<img src=x');
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });
});

describe('analyses without a finding', () => {
  it('with a single region an image end and say why nothing is flagged', async () => {
    const { findings, stdout } = await analyzed('single', images, ['--grid', '1x1']);
    expect(findings).toMatchObject({ images: 64, regions: 64 });
    expect(findings.findings.filter(({ flagged }) => flagged)).toEqual([]);
    for (const { reasons } of findings.findings) expect(reasons).not.toEqual([]);
    expect(stdout).toMatch(/^No spurious feature found/m);
  });

  it('with every image right end and flag nothing', async () => {
    const rows = images.filter(({ label, red }) => (label === 'one' || label === 'two') && red < 0);
    expect(rows.length).toBeGreaterThan(8);
    const { findings, stdout } = await analyzed('right', rows);
    expect(findings.accuracy).toMatchObject({ overall: 1, worstClass: { accuracy: 1 } });
    expect(findings.findings.filter(({ flagged }) => flagged)).toEqual([]);
    expect(stdout).toMatch(/Zero-shot accuracy 100\.0%/);
    expect(stdout).toMatch(/^No spurious feature found/m);
  });

  it('on two images alone end and flag nothing', async () => {
    const { findings } = await analyzed('two', images.slice(0, 2));
    expect(findings).toMatchObject({ images: 2, regions: 8 });
    expect(findings.findings.filter(({ flagged }) => flagged)).toEqual([]);
  });

  it('on two images of one region each end as well', async () => {
    const { findings } = await analyzed('two-regions', images.slice(0, 2), ['--grid', '1x1']);
    expect(findings).toMatchObject({ images: 2, regions: 2 });
    expect(findings.findings.filter(({ flagged }) => flagged)).toEqual([]);
  });
});
