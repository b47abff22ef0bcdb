/** From a checkpoint and a table to a first result, without a word of YAML written by hand. */
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { plantedClasses, writePlantedClip, writePlantedDataset } from '../fixtures/plantedClip';
import { newestFindings, onlyJson, ravl, temporaryFolder } from './ravl';

const folder = temporaryFolder();

beforeAll(async () => {
  await writePlantedClip(join(folder, 'clip'));
  await writePlantedDataset(join(folder, 'data'), { images: 64, seed: 13 });
});

describe('init', () => {
  it('writes a config that analyze runs as it is', async () => {
    expect(await ravl(['init', 'clip', 'data/validation.csv'], folder)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('ravl analyze ravl.yaml') as string });
    expect(await ravl(['analyze', 'ravl.yaml'], folder)).toMatchObject({ code: 0 });
    const { findings } = await newestFindings(folder);
    expect(findings).toMatchObject({ images: 64, regions: 256, classes: plantedClasses });

    // Settings left out and settings written out at their defaults are the same thing.
    await writeFile(join(folder, 'short.yaml'), 'checkpoint: clip\ndata:\n  validation: data/validation.csv\n');
    expect(await ravl(['analyze', 'short.yaml', '--out', 'short'], folder)).toMatchObject({ code: 0 });
    expect((await newestFindings(join(folder, 'short'))).findings).toEqual(findings);
  });

  it('finds columns that are named otherwise, and paths from another folder', async () => {
    const text = await readFile(join(folder, 'data', 'validation.csv'), 'utf8');
    await writeFile(join(folder, 'data', 'other.tsv'), text.replace('image,label,red', 'File Path,Class Name,red').replaceAll(',', '\t'));
    expect(await ravl(['init', 'clip', 'data/other.tsv', '-o', 'data/other.yaml'], folder)).toMatchObject({ code: 0 });
    const { code, stdout } = await ravl(['analyze', 'data/other.yaml', '--json'], folder);
    expect(code).toBe(0);
    expect(onlyJson(stdout)).toMatchObject({ images: 64 });
    await access(join(folder, 'data', '.ravl', 'runs'));
  });

  it('never overwrites a config unasked', async () => {
    await writeFile(join(folder, 'mine.yaml'), '# mine\n');
    const { code, stderr } = await ravl(['init', 'clip', 'data/validation.csv', '-o', 'mine.yaml'], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Error: mine\.yaml is already there\.\n {2}.*--force/);
    expect(await readFile(join(folder, 'mine.yaml'), 'utf8')).toBe('# mine\n');
  });
});

describe('inspect', () => {
  it('--json prints what was found, from the folder and through a config', async () => {
    const { code, stdout, stderr } = await ravl(['inspect', 'clip', '--json'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const found = onlyJson(stdout);
    expect(found).toMatchObject({
      name: 'clip',
      dim: 8,
      image: { family: 'cnn', width: 64, height: 64, dtype: 'float32', output: { name: 'image_embeds' }, inputs: [{ name: 'pixel_values' }] },
      text: { inputs: [{ name: 'input_ids' }], output: { name: 'text_embeds' } },
      tokenizer: { vocabulary: 22 },
    });
    await writeFile(join(folder, 'named.yaml'), 'checkpoint: clip\ndata: { validation: data/validation.csv }\n');
    expect(onlyJson((await ravl(['inspect', 'named.yaml', '--json'], folder)).stdout)).toEqual(found);
  });

  it('prints text that names the same facts', async () => {
    const { code, stdout } = await ravl(['inspect', 'clip'], folder);
    expect(code).toBe(0);
    for (const fact of [/CNN, 64 × 64 pixels/, /pixel_values {2}float32 \[batch, 3, 64, 64\]/, /image_embeds/, /22 tokens/, /vision_model\.onnx/]) expect(stdout).toMatch(fact);
  });
});

describe('a file map', () => {
  it('names files that lie anywhere', async () => {
    await writePlantedClip(join(folder, 'scattered'));
    await rename(join(folder, 'scattered', 'onnx', 'vision_model.onnx'), join(folder, 'eyes.onnx'));
    await rename(join(folder, 'scattered', 'onnx', 'text_model.onnx'), join(folder, 'words.onnx'));
    const checkpoint = '{ vision: eyes.onnx, text: words.onnx, tokenizer: scattered, preprocessor: scattered/preprocessor_config.json }';
    await writeFile(join(folder, 'map.yaml'), `checkpoint: ${checkpoint}\ndata: { validation: data/validation.csv }\n`);
    const { code, stdout } = await ravl(['analyze', 'map.yaml', '--json', '--out', 'map'], folder);
    expect(code).toBe(0);
    expect(onlyJson(stdout)).toMatchObject({ images: 64 });
  });
});
