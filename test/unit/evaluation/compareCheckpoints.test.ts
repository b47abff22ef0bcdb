import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGrouping } from '../../../src/engine/evaluation/compareCheckpoints';
import type { KnownRun } from '../../../src/engine/evaluation/sides';
import { regionsArrow } from '../../../src/engine/run/regionsArrow';
import { configSchema } from '../../../src/shared/config';
import { exampleFindings } from '../../fixtures/exampleFindings';

const folder = await mkdtemp(join(tmpdir(), 'ravl-grouping-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'v.csv' } });
const run: KnownRun = { id: 'run-1', folder, kind: 'analyze', complete: true, config, baseDir: folder };
const quiet = () => undefined;

beforeAll(async () => {
  const column = () => new Float32Array(1);
  const label = () => ({ ids: new Int32Array(1), values: ['x'] });
  const floats = { x: column(), y: column(), width: column(), height: column(), similarity: column(), scorePredicted: column(), scoreLabel: column() };
  await writeFile(join(folder, 'regions.arrow'), regionsArrow({ image: { ids: Int32Array.of(0), values: ['a.png'] }, row: Int32Array.of(0), label: label(), predicted: label(), cluster: Int32Array.of(12), ...floats }));
  await writeFile(join(folder, 'findings.json'), JSON.stringify(exampleFindings()));
});

describe('readGrouping', () => {
  const ranks = async (...given: Parameters<typeof readGrouping>) => (await readGrouping(...given)).features.map(({ rank }) => rank);

  it('takes what the analysis flagged, and what the config names, by rank', async () => {
    expect(await ranks(run, config, quiet)).toEqual([1, 2, 3]);
    expect(await ranks(run, { ...config, mitigation: { ...config.mitigation, findings: [4, 1] } }, quiet)).toEqual([1, 2, 3, 4]);
  });

  it('says so where nothing was flagged', async () => {
    const findings = exampleFindings();
    const calm = await mkdtemp(join(folder, 'calm-'));
    await writeFile(join(calm, 'findings.json'), JSON.stringify({ ...findings, findings: findings.findings.filter(({ flagged }) => !flagged) }));
    await writeFile(join(calm, 'regions.arrow'), regionsArrow({ image: { ids: new Int32Array(0), values: [] }, row: new Int32Array(0), label: { ids: new Int32Array(0), values: [] }, predicted: { ids: new Int32Array(0), values: [] }, cluster: new Int32Array(0), x: new Float32Array(0), y: new Float32Array(0), width: new Float32Array(0), height: new Float32Array(0), similarity: new Float32Array(0), scorePredicted: new Float32Array(0), scoreLabel: new Float32Array(0) }));
    const notes: string[] = [];
    expect(await ranks({ ...run, folder: calm }, config, (event) => void (event.type === 'note' && notes.push(event.text)))).toEqual([]);
    expect(notes).toEqual(['The analysis run-1 flagged nothing, so there are no groups to tell apart.']);
  });

  it('refuses a run that is none, or not finished', async () => {
    await expect(readGrouping({ ...run, kind: 'mitigate' }, config, quiet)).rejects.toMatchObject({ code: 'mitigation-run-unknown' });
    await expect(readGrouping({ ...run, complete: false }, config, quiet)).rejects.toMatchObject({ code: 'mitigation-run-unfinished' });
  });
});
