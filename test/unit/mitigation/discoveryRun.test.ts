import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { chooseFindings, findDiscoveryRun, readMedoids, type DiscoveryRun } from '../../../src/engine/mitigation/discoveryRun';
import { npyContent } from '../../../src/engine/run/npy';
import { writeFileAtomically } from '../../../src/engine/run/atomic';
import { openRun, type Outcome } from '../../../src/engine/run/runFolder';
import { configSchema } from '../../../src/shared/config';
import type { Findings } from '../../../src/shared/findings';
import type { Verdict, Verdicts } from '../../../src/shared/verdicts';
import { exampleFindings } from '../../fixtures/exampleFindings';

const base = await mkdtemp(join(tmpdir(), 'ravl-discovery-'));
afterAll(() => rm(base, { recursive: true, force: true }));
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(base, 'runs-'));
});

const models = new Set(['vision_model.onnx', 'text_model.onnx', 'config.json']);
const inputs = { 'vision_model.onnx': 'a', 'text_model.onnx': 'b', 'config.json': 'c', 'validation.csv': 'd', images: 'e' };
const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'validation.csv' }, regions: { kind: 'grid', rows: 3 } });

interface Given {
  readonly changed?: Record<string, string>;
  readonly kind?: 'analyze' | 'mitigate';
  readonly outcome?: Outcome;
  readonly config?: unknown;
}

/** A run in `root`, each newer than the last; returns its id. */
async function made({ changed = {}, kind = 'analyze', outcome = { state: 'complete' }, config: its = config }: Given = {}): Promise<string> {
  const run = await openRun({ root, fingerprint: '123456', describe: { kind, versions: {}, seed: 0, config: its, inputs: { ...inputs, ...changed } }, fresh: true }, () => undefined);
  await run.update({ embedding: { mode: 'roi-align', featureMap: 'stage3' } });
  await writeFile(join(run.folder, 'findings.json'), JSON.stringify(exampleFindings()));
  await run.close(outcome);
  return run.id;
}
const find = (id?: string) => findDiscoveryRun(root, id, inputs, models);

describe('the analysis that fine-tuning starts from', () => {
  it('is the newest complete one on the same checkpoint and data', async () => {
    await made();
    const fitting = await made();
    await made({ changed: { 'vision_model.onnx': 'other' } });
    await made({ changed: { images: 'other' } });
    await made({ outcome: { state: 'interrupted' } });
    await made({ kind: 'mitigate' });
    expect(await find()).toMatchObject({ id: fitting, folder: join(root, fitting), config: { regions: { rows: 3 } }, embedding: { mode: 'roi-align', featureMap: 'stage3' }, findings: { version: 1 } });
  });

  it('is the one named, by its id or folder', async () => {
    const first = await made();
    await made();
    expect((await find(first)).id).toBe(first);
    expect((await find(join('.ravl', 'runs', first))).id).toBe(first);
  });

  it('is missed where there is none, or none by that name', async () => {
    await expect(find()).rejects.toMatchObject({ code: 'mitigation-no-discovery', hint: expect.stringContaining('ravl analyze') as string });
    await made({ outcome: { state: 'interrupted' } });
    await expect(find()).rejects.toMatchObject({ code: 'mitigation-no-discovery' });
    const tuned = await made({ kind: 'mitigate' });
    const known = await made();
    await expect(find('nonsense')).rejects.toMatchObject({ code: 'mitigation-run-unknown', message: expect.stringContaining('nonsense') as string, hint: expect.stringContaining(known) as string });
    await expect(find(tuned)).rejects.toMatchObject({ code: 'mitigation-run-unknown' });
  });

  it('is refused by name where it is not finished', async () => {
    const id = await made({ outcome: { state: 'failed', error: new Error('x') } });
    await expect(find(id)).rejects.toMatchObject({ code: 'mitigation-run-unfinished', message: `The analysis ${id} is not finished (failed).` });
  });

  it('is refused where it is of another checkpoint, naming its files', async () => {
    const id = await made({ changed: { 'vision_model.onnx': 'x', 'config.json': 'x', images: 'x' } });
    const expected = { code: 'mitigation-other-checkpoint', message: `The analysis ${id} is of another checkpoint: vision_model.onnx, config.json are not the same now.` };
    await expect(find()).rejects.toMatchObject(expected);
    await expect(find(id)).rejects.toMatchObject(expected);
  });

  it('is refused where the data has changed, and a newer analysis of another checkpoint does not hide that', async () => {
    const id = await made({ changed: { 'validation.csv': 'x', 'words_data.json': 'gone' } });
    await made({ changed: { 'vision_model.onnx': 'new', 'vision_model.onnx_data': 'new' } });
    await expect(find()).rejects.toMatchObject({ code: 'mitigation-data-changed', message: `The data has changed since the analysis ${id}: validation.csv, words_data.json.` });
  });

  it('is refused where its config is none', async () => {
    const id = await made({ config: { checkpoint: 3 } });
    await expect(find()).rejects.toMatchObject({ code: 'run-artifact-damaged', message: expect.stringContaining(id) as string });
  });
});

/** Findings with the given ranks and flags, one a cluster. */
const discovery = (list: readonly (readonly [rank: number | null, flagged: boolean])[]): DiscoveryRun => {
  const [example] = exampleFindings().findings;
  const findings = list.map(([rank, flagged], cluster) => ({ ...example!, rank, flagged, cluster, medoid: 2 * cluster + 1 }));
  return { id: 'run-7', folder: root, config, embedding: { mode: 'crop', featureMap: null }, findings: { ...exampleFindings(), clusters: { ...exampleFindings().clusters, k: list.length }, findings } as Findings };
};
const chosen = (run: DiscoveryRun, ranks?: number[], verdicts: Record<number, Verdict['verdict']> = {}, notes: string[] = []) =>
  chooseFindings(run, ranks, judged(verdicts), (event) => event.type === 'note' && notes.push(event.text)).map(({ rank }) => rank);
/** Verdicts by cluster. */
const judged = (verdicts: Record<number, Verdict['verdict']>): Verdicts => ({ version: 1, clusters: Object.fromEntries(Object.entries(verdicts).map(([cluster, verdict]) => [cluster, { verdict, note: '' }])) });

describe('the findings of an analysis', () => {
  it('that are pushed away are the first flagged one, or those of the given ranks, once each', () => {
    const run = discovery([[1, false], [2, true], [null, false], [3, true]]);
    expect(chosen(run)).toEqual([2]);
    expect(chosen(run, [3, 1, 3])).toEqual([3, 1]);
  });

  it('may hold no flagged one: then what there is is said', () => {
    expect(() => chosen(discovery([[1, false], [2, false], [null, false]]))).toThrow(expect.objectContaining({ code: 'mitigation-no-finding', hint: expect.stringMatching(/2 unflagged findings.*--finding/) as string }));
    expect(() => chosen(discovery([[null, false]]))).toThrow(expect.objectContaining({ code: 'mitigation-no-finding', hint: expect.stringMatching(/mitigation\.regions/) as string }));
    expect(() => chosen(discovery([]))).toThrow(expect.objectContaining({ code: 'mitigation-no-finding' }));
  });

  it('that a person judged spurious come before all others, by rank, flagged or not, and that is told', () => {
    const run = discovery([[3, false], [1, true], [2, true], [null, false]]);
    const notes: string[] = [];
    expect(chosen(run, undefined, { 0: 'spurious', 1: 'core', 2: 'spurious', 3: 'spurious' }, notes)).toEqual([2, 3]);
    expect(notes).toEqual(['Findings 2 and 3 of run-7 are pushed away: judged spurious.']);
    expect(chosen(run, [1], { 0: 'spurious', 1: 'core' }, notes)).toEqual([1]);
    expect(notes).toHaveLength(1);
  });

  it('that a person judged part of the object or noise are passed over; a note alone is no verdict', () => {
    const run = discovery([[1, true], [2, true], [3, true]]);
    const notes: string[] = [];
    expect(chosen(run, undefined, { 0: 'noise', 1: null, 2: 'core' }, notes)).toEqual([2]);
    expect(notes).toEqual(['Finding 2 of run-7 is pushed away: those before it were judged part of the object or noise.']);
    expect(chosen(run, undefined, { 2: 'core' }, notes)).toEqual([1]);
    expect(notes).toHaveLength(1);
    expect(() => chosen(run, undefined, { 0: 'noise', 1: 'core', 2: 'core' })).toThrow(expect.objectContaining({ code: 'mitigation-all-judged', message: expect.stringContaining('All 3 flagged') as string, hint: expect.stringContaining('--finding') as string }));
  });

  it('may not have the rank: then the ranks there are are said', () => {
    expect(() => chosen(discovery([[1, true], [2, false]]), [1, 5])).toThrow(expect.objectContaining({ code: 'mitigation-rank-unknown', message: 'The analysis run-7 has no finding of rank 5.', hint: 'Its findings have the ranks 1 to 2.' }));
    expect(() => chosen(discovery([]), [1])).toThrow(expect.objectContaining({ hint: 'It has none at all.' }));
  });

  it('have the medoids that embeddings.npy holds, cluster by cluster', async () => {
    const run = discovery([[1, true], [null, false]]);
    await writeFileAtomically(join(root, 'embeddings.npy'), npyContent({ shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => i) }));
    expect(await readMedoids(run, 3)).toEqual(Float32Array.of(3, 4, 5, 9, 10, 11));
    await expect(readMedoids(run, 4)).rejects.toMatchObject({ code: 'run-artifact-damaged', message: expect.stringMatching(/3 dimensions, the checkpoint's 4/) as string });
  });
});
