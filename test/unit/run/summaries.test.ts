import { appendFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRun, type Outcome, type RunOptions } from '../../../src/engine/run/runFolder';
import { runSummaries, runSummary } from '../../../src/engine/run/summaries';
import { configSchema } from '../../../src/shared/config';
import { exampleComparison } from '../../fixtures/exampleComparison';
import { classRow, exampleFindings } from '../../fixtures/exampleFindings';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ravl-summaries-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const config = configSchema.parse({ checkpoint: 'models/clip', data: { validation: 'data/validation.csv' }, discovery: { minSupport: 10 } });

/** A run that ended so, with these files in it. */
async function run(fingerprint: string, outcome: Outcome, files: Record<string, unknown> = {}, describe: Partial<RunOptions['describe']> = {}) {
  const options = { root: join(root, '.ravl', 'runs'), fingerprint, describe: { versions: {}, seed: 0, config, inputs: {}, ...describe }, fresh: true };
  const opened = await openRun(options, () => undefined);
  await opened.update({ device: { requested: 'auto', used: 'webgpu', reason: 'fast', maxDifference: null }, timings: { embed: 2.5, cluster: 4 } });
  for (const [name, content] of Object.entries(files)) await writeFile(join(opened.folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  await opened.close(outcome);
  return opened;
}

const complete = { state: 'complete' } as const;
/** findings.json whose one flagged finding has these rows. */
const findings = (...classes: ReturnType<typeof classRow>[]) => {
  const example = exampleFindings();
  const [first] = example.findings;
  const pruned = { ...first!, flagged: false, rank: null, name: ['pruned'] };
  return { ...example, findings: [pruned, { ...first!, flagged: true, rank: 1, name: ['red', 'crimson'], attribute: 'two', gap: 0.75, classes }, { ...pruned, rank: 2 }] };
};

describe('runSummaries', () => {
  it('tells of an analysis what was found first, and where it hurts most among groups that are large enough', async () => {
    const made = await run('aaaaaa', complete, { 'findings.json': findings(classRow(['one', 2, 20, 18, 20]), classRow(['two', 1, 9, 15, 20]), classRow(['three', 0, 0, 20, 20])) });
    expect(await runSummaries(root)).toEqual([
      {
        id: made.id, folder: made.folder, baseDir: root, kind: 'analyze', state: 'complete', created: made.current().created,
        checkpoint: 'models/clip', validation: 'data/validation.csv', seconds: 6.5, device: 'webgpu', error: null, jobs: [], problem: null,
        flagged: 1, top: { rank: 1, name: ['red', 'crimson'], attribute: 'two', gap: 0.75 },
        worstGroup: { label: 'one', feature: 'present', accuracy: 0.1, before: null },
      },
    ]);
  });

  it('tells of fine-tuning how the weakest group fared', async () => {
    await run('aaaaaa', complete, { 'comparison.json': exampleComparison() }, { kind: 'mitigate', config: { ...config, checkpoint: { vision: 'v.onnx', text: 't.onnx' } } });
    // Before, "nine" without red: 6 of 40. After, "one" without red, which paid for it: 20 of 40.
    expect(await runSummaries(root)).toMatchObject([{ kind: 'mitigate', checkpoint: 'v.onnx', flagged: null, top: null, worstGroup: { feature: 'absent', before: 0.15, accuracy: 0.5 } }]);
  });

  it('lists the newest first, whatever became of them', async () => {
    const failed = await run('aaaaaa', { state: 'failed', error: new Error('broken') });
    const interrupted = await run('bbbbbb', { state: 'interrupted' });
    const none = await run('cccccc', complete, { 'findings.json': { ...exampleFindings(), findings: [] } });
    expect(await runSummaries(root)).toMatchObject([
      { id: none.id, flagged: 0, top: null, worstGroup: null },
      { id: interrupted.id, state: 'interrupted', flagged: null },
      { id: failed.id, state: 'failed', error: { message: 'broken' } },
    ]);
  });

  it('lists a damaged run with what is wrong with it', async () => {
    await mkdir(join(root, '.ravl', 'runs', '20260304-050607-abcdef'), { recursive: true });
    await writeFile(join(root, '.ravl', 'runs', '20260304-050607-abcdef', 'run.json'), '{"version": 1, "id":');
    await mkdir(join(root, '.ravl', 'runs', 'mine'));
    await writeFile(join(root, '.ravl', 'runs', 'mine', 'run.json'), '{"version": 99}');
    const runs = await runSummaries(root);
    expect(runs.find(({ id }) => id !== 'mine')).toMatchObject({ created: '2026-03-04T05:06:07.000Z', problem: { message: expect.stringMatching(/run\.json is damaged/) as string } });
    expect(runs.find(({ id }) => id === 'mine')).toMatchObject({ created: '1970-01-01T00:00:00.000Z', problem: { message: expect.stringMatching(/newer version/) as string, hint: expect.stringMatching(/Update/) as string } });
  });

  it('makes do without findings that cannot be read', async () => {
    await run('aaaaaa', complete, { 'findings.json': '{"findings": [' });
    expect(await runSummaries(root)).toMatchObject([{ state: 'complete', flagged: null, top: null, problem: null }]);
  });

  it('reads findings again only when the file has changed', async () => {
    const made = await run('aaaaaa', complete, { 'findings.json': findings(classRow(['one', 2, 20, 18, 20])) });
    const file = join(made.folder, 'findings.json');
    const moment = new Date('2026-03-04T05:06:07Z');
    await utimes(file, moment, moment);
    expect(await runSummaries(root)).toMatchObject([{ flagged: 1 }]);
    const text = await readFile(file, 'utf8');
    // Of the same size and time, it counts as the same.
    await writeFile(file, ' '.repeat(text.length));
    await utimes(file, moment, moment);
    expect(await runSummaries(root)).toMatchObject([{ flagged: 1 }]);
    await appendFile(file, ' ');
    expect(await runSummaries(root)).toMatchObject([{ flagged: null }]);
  });

  it('of a folder without runs are none', async () => {
    expect(await runSummaries(join(root, 'nowhere'))).toEqual([]);
    expect(await runSummary(join(root, '.ravl', 'runs', 'nothing'))).toBeNull();
  });
});
