/** The whole way, on a checkpoint with a known shortcut: red pulls towards "nine". */
import { tableFromIPC } from 'apache-arrow';
import { parquetWriteFile } from 'hyparquet-writer';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findingsSchema } from '../../src/shared/findings';
import { plantedClasses, writePlantedClip, writePlantedDataset, type PlantedImage } from '../fixtures/plantedClip';
import { writeTinyClip, type TinyClipOptions } from '../fixtures/tinyClip';
import { newestFindings, onlyJson, ravl, readNpy, runFolders, runJson, temporaryFolder } from './ravl';

/** What the command line promises under --json; more keys may come, none may go. */
const resultSchema = z.object({
  run: z.object({ id: z.string(), folder: z.string(), resumed: z.boolean() }),
  device: z.object({ requested: z.string(), used: z.string(), reason: z.string() }),
  images: z.int(),
  regions: z.int(),
  accuracy: z.object({
    overall: z.number(),
    worstClass: z.object({ label: z.string(), accuracy: z.number() }),
    perClass: z.array(z.object({ label: z.string(), n: z.int(), accuracy: z.number() })),
  }),
  clusters: z.object({ k: z.int(), silhouette: z.number() }),
  findings: z.array(
    z.object({
      rank: z.int(),
      cluster: z.int(),
      name: z.array(z.string()),
      attribute: z.string(),
      gap: z.number(),
      influence: z.number(),
      pValue: z.number().nullable(),
      support: z.int(),
      flagged: z.boolean(),
      classes: z.array(
        z.object({
          label: z.string(),
          presentN: z.int(),
          presentAcc: z.number().nullable(),
          absentN: z.int(),
          absentAcc: z.number().nullable(),
          gap: z.number().nullable(),
          interval: z.tuple([z.number(), z.number()]).nullable(),
        }),
      ),
      regions: z.array(z.object({ image: z.string(), box: z.tuple([z.number(), z.number(), z.number(), z.number()]) })),
    }),
  ),
});

const folder = temporaryFolder();
let images: PlantedImage[];

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  images = await writePlantedDataset(join(folder, 'data'), { images: 160, seed: 3 });
  await writeFile(join(folder, 'words.txt'), 'turquoise\nyellow\nred\nblue\ngreen\nblack\n');
  await writeFile(join(folder, 'ravl.yaml'), config('data/validation.csv'));
});

const config = (table: string) => `checkpoint: clip\ndata:\n  validation: ${table}\ndiscovery:\n  vocabulary: words.txt\n`;

/** Images of each class with a red quadrant: what a perfect cluster of the feature holds. */
const redImages = () => plantedClasses.map((label) => [label, images.filter((image) => image.label === label && image.red >= 0).length]);

describe.each(['crop', 'roi-align', 'auto'])('analyze --mode %s', (mode) => {
  const root = join(folder, `out-${mode}`);
  let result: z.infer<typeof resultSchema>;
  let run: string;
  let progress: string;

  beforeAll(async () => {
    const { code, stdout, stderr } = await ravl(['analyze', 'ravl.yaml', '--mode', mode, '--json', '--out', root], folder);
    expect({ code, error: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, error: '' });
    progress = stderr;
    result = resultSchema.parse(onlyJson(stdout));
    run = (await runFolders(root))[0]!;
  });

  it('flags the red quadrants, and names them', () => {
    const [first] = result.findings;
    expect(first).toMatchObject({ rank: 1, flagged: true, attribute: 'nine' });
    expect(first!.name[0]).toBe('red');
    expect(first!.pValue).toBeLessThan(0.05);
    const quadrants = first!.regions.slice(0, 10).map(({ image, box: [x, y] }) => ({ image, quadrant: (y >= 32 ? 2 : 0) + (x >= 32 ? 1 : 0) }));
    const red = new Map(images.map((image) => [image.image, image.red]));
    expect(quadrants).toEqual(quadrants.map(({ image }) => ({ image, quadrant: red.get(image) })));
    expect(quadrants).toHaveLength(10);
    expect(first!.classes.map(({ label, presentN }) => [label, presentN])).toEqual(redImages());
    expect(result.findings.filter(({ flagged }) => flagged)).toHaveLength(1);
  });

  it('counts every image and its four quadrants', () => {
    expect(result).toMatchObject({ images: 160, regions: 640, device: { used: 'cpu' }, run: { resumed: false, folder: run, id: basename(run) } });
    expect(result.accuracy.perClass.map(({ label, n }) => [label, n])).toEqual(plantedClasses.map((label) => [label, 40]));
    const right = result.accuracy.perClass.reduce((sum, { n, accuracy }) => sum + n * accuracy, 0);
    expect(result.accuracy.overall).toBeCloseTo(right / 160, 12);
    expect(result.accuracy.worstClass.accuracy).toBe(Math.min(...result.accuracy.perClass.map(({ accuracy }) => accuracy)));
  });

  it('reports each phase once, in order, on stderr', () => {
    const ends = [...progress.matchAll(/^(\w+): ([\d,]+) (\w+) in /gm)].map(([, phase, amount, unit]) => `${phase} ${amount} ${unit}`);
    expect(ends).toEqual(['embed 160 images', 'text 4 texts', 'text 6 texts', 'cluster 12 clusterings', expect.stringMatching(/^report \d+ pictures$/)]);
    expect(progress).not.toMatch(/warning|error/i);
  });

  it('leaves a run that other tools read', async () => {
    expect(await runJson(run)).toMatchObject({ state: 'complete', error: null, seed: 0, embedding: { mode: mode === 'auto' ? 'roi-align' : mode } });
    const table = tableFromIPC(await readFile(join(run, 'regions.arrow')));
    expect(table.numRows).toBe(640);
    const wanted = ['region', 'image', 'x', 'y', 'width', 'height', 'label', 'predicted', 'cluster', 'similarity'];
    expect(table.schema.fields.map(({ name }) => name)).toEqual(expect.arrayContaining(wanted));
    // Row i is quadrant i mod 4 of image i / 4, in the order of the table.
    for (const i of [0, 5, 639]) {
      const image = images[Math.floor(i / 4)]!;
      const corner = { x: i % 2 === 1 ? 32 : 0, y: i % 4 >= 2 ? 32 : 0, width: 32, height: 32 };
      expect(table.get(i)!.toJSON()).toMatchObject({ image: image.image, label: image.label, ...corner });
    }
    expect(await embeddings(join(run, 'embeddings.npy'))).toEqual({ shape: [640, 8], dtype: 'float32', unit: true });
  });

  it('prints what findings.json holds', async () => {
    const findings = findingsSchema.parse(JSON.parse(await readFile(join(run, 'findings.json'), 'utf8')));
    const ranked = findings.findings.filter(({ rank }) => rank !== null).sort((a, b) => a.rank! - b.rank!);
    expect(result.findings.map(({ cluster, gap, pValue }) => ({ cluster, gap, pValue }))).toEqual(ranked.map(({ cluster, gap, pValue }) => ({ cluster, gap, pValue })));
    expect(findings.findings).toHaveLength(result.clusters.k);
    for (const { regions } of findings.findings) {
      const similarities = regions.map(({ similarity }) => similarity);
      expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
    }
    expect(JSON.stringify(findings)).not.toContain(folder);
  });

  it('writes a report that needs nothing from elsewhere', async () => {
    const page = await readFile(join(run, 'report.html'), 'utf8');
    const references = [...page.matchAll(/(?:src|href|action|srcset|poster|data)\s*=\s*["']?([^"'\s>]*)/gi), ...page.matchAll(/(?:url\(|@import)\s*["']?([^"')]*)/gi)];
    expect(references.length).toBeGreaterThan(0);
    // Pictures are inside; the run's own files, beside the page, may be linked to.
    const own = new Set(await readdir(run));
    expect(references.map(([, target]) => target!.slice(0, 40)).filter((target) => !/^(?:data:image\/|#)/.test(target) && !own.has(target))).toEqual([]);
    expect(page).toMatch(/<html[\s>]/);
    expect(page).toContain('red');
  });
});

describe('the same data', () => {
  it('gives findings.json byte by byte, run after run', async () => {
    const root = join(folder, 'twice');
    for (let i = 0; i < 2; i++) expect((await ravl(['analyze', 'ravl.yaml', '--fresh', '--out', root], folder)).code).toBe(0);
    const [first, second] = await Promise.all((await runFolders(root)).map((run) => readFile(join(run, 'findings.json'))));
    expect(second!.equals(first!)).toBe(true);
  });

  it('gives the same findings as JSONL, TSV and Parquet, and as a folder per class', async () => {
    const data = join(folder, 'data');
    await writeFile(join(data, 'v.jsonl'), images.map(({ image, label }) => `${JSON.stringify({ label, image })}\n`).join(''));
    await writeFile(join(data, 'v.tsv'), ['red\tlabel\timage', ...images.map(({ image, label, red }) => `${red}\t${label}\t${image}`)].join('\r\n'));
    const column = (name: 'image' | 'label') => ({ name, data: images.map((row) => row[name]), type: 'STRING' as const });
    parquetWriteFile({ filename: join(data, 'v.parquet'), columnData: [column('image'), column('label')] });
    for (const label of plantedClasses) await mkdir(join(folder, 'classes', label), { recursive: true });
    await Promise.all(images.map(({ image, label }) => cp(join(data, image), join(folder, 'classes', label, basename(image)))));

    const analyzed = async (table: string) => {
      const root = join(folder, `out-${basename(table)}`);
      expect(await ravl(['analyze', 'ravl.yaml', '--validation', table, '--out', root], folder)).toMatchObject({ code: 0 });
      return newestFindings(root);
    };
    const csv = await analyzed('data/validation.csv');
    for (const table of ['data/v.jsonl', 'data/v.tsv', 'data/v.parquet']) expect((await analyzed(table)).text).toBe(csv.text);

    // There the images come in another order and under other names.
    const { findings } = await analyzed('classes');
    const [top, expected] = [findings.findings[0]!, csv.findings.findings[0]!];
    expect(findings.accuracy).toEqual(csv.findings.accuracy);
    expect(top).toMatchObject({ flagged: true, name: expected.name, attribute: expected.attribute, classes: expected.classes });
    const names = ({ regions }: typeof top) => regions.map(({ image, box }) => `${basename(image)} ${box.join(' ')}`).sort();
    expect(names(top)).toEqual(names(expected));
    expect(top.regions.every(({ image, label }) => dirname(image) === label)).toBe(true);
  });
});

describe('checkpoints in other forms', () => {
  const analyzed = async (name: string, options: TinyClipOptions) => {
    await writeTinyClip(join(folder, name), options);
    const table = ['image,label', ...images.slice(0, 24).map(({ image, label }) => `${image},${label}`)].join('\n');
    await writeFile(join(folder, 'data', 'few.csv'), table);
    const inspected = await ravl(['inspect', name, '--json'], folder);
    expect(inspected).toMatchObject({ code: 0, stderr: '' });
    const root = join(folder, `out-${name}`);
    expect(await ravl(['analyze', name, '--validation', 'data/few.csv', '--mode', 'crop', '--out', root], folder)).toMatchObject({ code: 0 });
    const { values } = await readNpy(join((await runFolders(root)).at(-1)!, 'embeddings.npy'));
    return { description: onlyJson(inspected.stdout) as Description, values };
  };
  interface Description {
    readonly image: { readonly dtype: string; readonly externalData: boolean };
    readonly dim: number;
    readonly files: readonly { readonly role: string; readonly path: string }[];
  }
  let plain: Awaited<ReturnType<typeof analyzed>>;
  beforeAll(async () => {
    plain = await analyzed('tiny', {});
  });

  it.each<[string, TinyClipOptions, number, object]>([
    ['float16 weights and pixels', { dtype: 'float16' }, 5e-3, { image: { dtype: 'float16', externalData: false } }],
    ['both encoders in one file', { layout: 'merged' }, 1e-5, { image: { dtype: 'float32', externalData: false } }],
    ['weights in files of their own', { externalData: true }, 0, { image: { dtype: 'float32', externalData: true } }],
  ])('%s give the embeddings of the plain checkpoint', async (name, options, tolerance, expected) => {
    const { description, values } = await analyzed(`tiny ${name}`, options);
    expect(description).toMatchObject(expected);
    expect(description.dim).toBe(24);
    expect(values).toHaveLength(24 * 4 * 24);
    expect(Math.max(...values.map((value, i) => Math.abs(value - plain.values[i]!)))).toBeLessThanOrEqual(tolerance);
  });
});

/** What numpy, or a check of the header where there is no numpy, says about a file of embeddings. */
async function embeddings(file: string): Promise<{ shape: number[]; dtype: string; unit: boolean }> {
  if (numpy) return JSON.parse(python(describeScript, file)) as { shape: number[]; dtype: string; unit: boolean };
  const { header, values } = await readNpy(file);
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header)!.slice(1).map(Number);
  const row = (i: number) => Math.hypot(...values.subarray(i * shape[1]!, (i + 1) * shape[1]!));
  return { shape, dtype: header.includes("'descr': '<f4'") ? 'float32' : header, unit: Array.from({ length: shape[0]! }, (_, i) => row(i)).every((norm) => Math.abs(norm - 1) < 1e-5) };
}

const describeScript = `
import json, sys, numpy
a = numpy.load(sys.argv[1], allow_pickle=False)
print(json.dumps({"shape": list(a.shape), "dtype": str(a.dtype), "unit": bool((abs((a.astype(float) ** 2).sum(1) - 1) < 1e-5).all())}))`;

const python = (script: string, ...args: string[]) => execFileSync('python3', ['-c', script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const numpy = (() => {
  try {
    python('import numpy');
    return true;
  } catch {
    console.warn('Without numpy the .npy files are read by the test itself only (Debian: apt-get install python3-numpy).');
    return false;
  }
})();
