import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFindings } from '../../../src/engine/discovery/readFindings';
import { featuresIn, readFeatures } from '../../../src/engine/evaluation/features';
import { regionsArrow } from '../../../src/engine/run/regionsArrow';
import { exampleFindings } from '../../fixtures/exampleFindings';

const folder = await mkdtemp(join(tmpdir(), 'ravl-features-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Two regions an image; cluster 12 (rank 1) in the images a and c, cluster 3 (rank 2) twice in b, cluster 8 nowhere. */
const images = ['a.png', 'b.png', 'ü c.png'];
const clusters = [12, 5, 3, 3, 5, 12];

beforeAll(async () => {
  // Arrays of their own each: Arrow's writer takes equal buffers for one and the same.
  const owners = () => Int32Array.of(0, 0, 1, 1, 2, 2);
  const floats = () => new Float32Array(6);
  const label = () => ({ ids: new Int32Array(6), values: ['x'] });
  const boxes = { x: floats(), y: floats(), width: floats(), height: floats() };
  const arrow = regionsArrow({ image: { ids: owners(), values: images }, row: owners(), ...boxes, label: label(), predicted: label(), cluster: Int32Array.from(clusters), similarity: floats(), scorePredicted: floats(), scoreLabel: floats() });
  await writeFile(join(folder, 'regions.arrow'), arrow);
  await writeFile(join(folder, 'findings.json'), JSON.stringify(exampleFindings()));
});

describe('readFeatures', () => {
  it('gives the chosen findings in their order, with the images that have a region of them', async () => {
    const features = await readFeatures(folder, [2, 1, 4, 2]);
    expect(features.map(({ rank, cluster, name, attribute, present }) => [rank, cluster, name[0], attribute, [...present]])).toEqual([
      [2, 3, 'bare legs', 'dress', ['b.png']],
      [1, 12, 'white', 'topwear', ['a.png', 'ü c.png']],
      [4, 8, 'grey', 'shoes', []],
    ]);
    expect(featuresIn(features, ['ü c.png', 'new.png', 'b.png', 'a.png']).map(({ present }) => Array.from(present))).toEqual([[0, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]]);
    expect(await readFeatures(folder, [])).toEqual([]);
  });

  it('refuses a rank that no finding has', async () => {
    await expect(readFeatures(folder, [5])).rejects.toMatchObject({ code: 'mitigation-rank-unknown', hint: expect.stringContaining('1 to 4') as string });
  });

  it('says so where a run is damaged, newer or not there', async () => {
    const table = await readFile(join(folder, 'regions.arrow'));
    await writeFile(join(folder, 'regions.arrow'), table.subarray(0, 40));
    await expect(readFeatures(folder, [1])).rejects.toMatchObject({ code: 'run-artifact-damaged', message: expect.stringContaining('regions.arrow') as string });
    await writeFile(join(folder, 'findings.json'), '{"version":2}');
    await expect(readFindings(folder)).rejects.toMatchObject({ code: 'run-newer-version' });
    await writeFile(join(folder, 'findings.json'), '{');
    await expect(readFindings(folder)).rejects.toMatchObject({ code: 'run-artifact-damaged' });
    await expect(readFindings(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'run-storage-failed' });
  });
});
