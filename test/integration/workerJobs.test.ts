/** Jobs in a real worker on the sample: cancelled, killed, resumed, finished early; and what they leave on disk. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runFolders, runJson, temporaryFolder } from './ravl';
import { bundledWorker, moment, sampleIn, started } from './worker';
import { comparisonSchema, metricsLineSchema } from '../../src/shared/comparison';
import { findingsSchema } from '../../src/shared/findings';
import type { ProgressEvent } from '../../src/shared/progress';
import type { AnalyzeDone } from '../../src/shared/workerApi';

type Progress = Extract<ProgressEvent, { type: 'progress' }>;
type Run = { id: string; folder: string; resumed: boolean; state: string };

const folder = temporaryFolder();
const whole = sampleIn(join(folder, 'whole'));
let file: string;
let analyzed: AnalyzeDone;
let uninterrupted: Buffer;

const findings = (run: string) => readFile(join(run, 'findings.json'));

beforeAll(async () => {
  file = bundledWorker();
  const opened = moment<Run>();
  const { api, dispose } = started({ file, events: { run: opened.heard } });
  analyzed = await api.analyze(whole);
  dispose();
  expect(await opened.happened).toEqual({ ...analyzed.run, state: 'running' });
  uninterrupted = await findings(analyzed.run.folder);
}, 300_000);

/** An analysis in a folder of its own, that has come to this moment. */
async function analyzing(name: string, when: (event: Progress) => boolean) {
  const request = sampleIn(join(folder, name));
  const [opened, reached] = [moment<Run>(), moment<ProgressEvent>((event) => event.type === 'progress' && when(event))];
  const worker = started({ file, events: { run: opened.heard, progress: reached.heard } });
  const controller = new AbortController();
  const done = worker.api.analyze(request, { signal: controller.signal, untilAnswered: true });
  done.catch(() => undefined);
  const run = await opened.happened;
  await reached.happened;
  return { request, worker, controller, done, run };
}

describe('an analysis', () => {
  it('finds the planted feature first, and says so in a few numbers', () => {
    expect(analyzed).toMatchObject({ run: { resumed: false }, device: { used: 'cpu' }, flagged: 1, top: { attribute: 'pullover' } });
    expect(analyzed.top!.name[0]).toBe('red');
    expect(existsSync(analyzed.reportFile)).toBe(true);
  });

  it('in a pool starts the tasks beside the worker, and ends in the same bytes', async () => {
    const request = sampleIn(join(folder, 'pool'));
    const { api, dispose } = started({ file });
    const { run } = await api.analyze({ ...request, config: { ...request.config, launcher: { kind: 'pool', processes: 2 } } });
    dispose();
    expect(await readdir(join(run.folder, 'launch', 'logs'))).not.toEqual([]);
    expect((await findings(run.folder)).equals(uninterrupted)).toBe(true);
  });

  it('cancelled in the middle is closed by the time the call ends, and resumed ends in the same bytes', async () => {
    const { request, worker, controller, done, run } = await analyzing('cancelled', ({ phase, done }) => phase === 'embed' && done > 0);
    const reason = new Error('cancelled by the person');
    controller.abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(await runJson(run.folder)).toMatchObject({ state: 'interrupted' });
    expect(await readdir(join(run.folder, 'locks'))).toEqual([]);
    // The same process, and then another, go on with it.
    const again = await worker.api.analyze(request);
    expect(again.run).toEqual({ id: run.id, folder: run.folder, resumed: true });
    expect((await findings(run.folder)).equals(uninterrupted)).toBe(true);
    expect(await runFolders(request.root)).toHaveLength(1);
  });

  it('whose process is killed is explained, listed as interrupted, and resumed by another process', async () => {
    const { request, worker, done, run } = await analyzing('killed', ({ phase, done }) => phase === 'embed' && done > 0);
    process.kill(worker.pid!, 'SIGKILL');
    await expect(done).rejects.toMatchObject({ code: 'worker-died', message: expect.stringMatching(/SIGKILL/) as string, hint: expect.stringMatching(/resumed/) as string });
    await worker.ended;
    const next = started({ file });
    expect(await next.api.listRuns({ root: request.root })).toMatchObject([{ id: run.id, state: 'interrupted', flagged: null }]);
    expect((await next.api.analyze(request)).run).toMatchObject({ id: run.id, resumed: true });
    expect((await findings(run.folder)).equals(uninterrupted)).toBe(true);
    expect(await next.api.listRuns({ root: request.root })).toMatchObject([{ id: run.id, state: 'complete', flagged: 1, top: { rank: 1 } }]);
  });

  it('is not deleted while it runs, and is afterwards', async () => {
    const { request, worker, controller, done, run } = await analyzing('deleted', ({ phase }) => phase === 'embed');
    const other = started({ file });
    await expect(other.api.deleteRun({ folder: run.folder })).rejects.toMatchObject({ code: 'run-busy' });
    controller.abort();
    await expect(done).rejects.toMatchObject({ name: 'AbortError' });
    expect(await other.api.deleteRun({ folder: run.folder })).toBe(true);
    expect(await other.api.listRuns({ root: request.root })).toEqual([]);
    worker.dispose();
  });
});

describe('a fine-tuning', () => {
  it('asked to finish stops after its step, keeps the best, and is compared', async () => {
    const training = moment<ProgressEvent>((event) => event.type === 'progress' && event.phase === 'train' && event.done >= 3);
    const opened = moment<Run>();
    const { api, dispose } = started({ file, events: { run: opened.heard, progress: training.heard } });
    expect(await api.finish({})).toBe(false);
    const done = api.fineTune({ ...whole, kind: 'mitigate' });
    const run = await opened.happened;
    await training.happened;
    expect(await api.finish({})).toBe(true);
    const result = await done;
    dispose();
    expect(result.run).toMatchObject({ id: run.id, folder: run.folder });
    const steps = Number(/^finished on request after step (\d+)$/.exec(result.ended)![1]);
    const lines = (await readFile(join(run.folder, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => metricsLineSchema.parse(JSON.parse(line)));
    expect(lines.filter(({ type }) => type === 'step')).toHaveLength(steps);
    // Of the steps made, the last was judged; the config asks for many more.
    expect(lines.at(-1)).toMatchObject({ type: 'epoch', step: steps });
    expect(await runJson(run.folder)).toMatchObject({ state: 'complete', kind: 'mitigate' });
    const comparison = comparisonSchema.parse(JSON.parse(await readFile(join(run.folder, 'comparison.json'), 'utf8')));
    expect(result.comparison).toEqual({ summary: comparison.summary, overall: comparison.overall, worstGroup: comparison.worstGroup });
    expect(existsSync(join(result.checkpoint, 'onnx', 'vision_model.onnx'))).toBe(true);
  });

  it('with its analysis is measured and compared, by the ids of the runs', async () => {
    const { api } = started({ file });
    const { baseDir } = whole;
    const { accuracy, findings: found } = findingsSchema.parse(JSON.parse(uninterrupted.toString('utf8')));
    const evaluated = await api.evaluate({ baseDir, named: analyzed.run.id });
    expect(evaluated).toMatchObject({ overall: accuracy.overall, worstGroup: { rank: 1 } });
    expect(evaluated.perClass.map(({ label, accuracy }) => [label, accuracy])).toEqual(accuracy.perClass.map(({ label, accuracy }) => [label, accuracy]));
    // By a config alone there are no groups.
    expect(await api.evaluate({ baseDir, config: whole.config })).toMatchObject({ overall: accuracy.overall, groups: [], worstGroup: null });
    const tuned = (await api.listRuns({ root: baseDir })).find(({ kind }) => kind === 'mitigate')!;
    const out = join(folder, 'compared');
    const compared = await api.compare({ baseDir, before: analyzed.run.id, after: tuned.id, out });
    const comparison = comparisonSchema.parse(JSON.parse(await readFile(join(out, 'comparison.json'), 'utf8')));
    expect(comparison).toMatchObject({ summary: compared.summary, overall: { before: accuracy.overall } });
    expect(comparison.findings.map(({ name }) => name)).toEqual([found[0]!.name]);
    await expect(api.compare({ baseDir, before: analyzed.run.id, after: 'no-such-run', out })).rejects.toMatchObject({ code: 'checkpoint-missing' });
    await expect(api.evaluate({ baseDir, named: join(baseDir, 'checkpoint') })).rejects.toMatchObject({ code: 'run-no-data' });
    await expect(api.evaluate({ baseDir, named: analyzed.run.id, run: 'no-such-run' })).rejects.toMatchObject({ code: 'run-unknown' });
  });
});

describe('questions', () => {
  it('about a run bring numbers and pictures as typed arrays, never as buffers of Node.js', async () => {
    const { api } = started({ file, args: ['1000000'] });
    const ask = (query: string, params: unknown) => api.view({ folder: analyzed.run.folder, query, params });
    const table = (await ask('regions', {})) as Record<string, unknown>;
    expect(Object.getPrototypeOf(table['cluster'])).toBe(Int32Array.prototype);
    expect(Object.getPrototypeOf(table['x'])).toBe(Float32Array.prototype);
    const view = (await ask('image', { image: 0 })) as { bytes: Uint8Array };
    expect(Object.getPrototypeOf(view.bytes)).toBe(Uint8Array.prototype);
    expect(Buffer.from(view.bytes).toString('latin1', 8, 12)).toBe('WEBP');
    await expect(ask('image', { image: -1 })).rejects.toMatchObject({ code: 'message-invalid' });
  });

  it('about tables and checkpoints are answered', async () => {
    const { api } = started({ file });
    const source = join(whole.baseDir, 'validation.csv');
    const columns = await api.tableColumns({ source });
    expect(columns).toEqual((await readFile(source, 'utf8')).split(/\r?\n/)[0]!.split(','));
    expect(new Set(await api.tableLabels({ source, image: 'image', label: 'label' })).size).toBe(10);
    await expect(api.tableColumns({ source: join(folder, 'none.csv') })).rejects.toMatchObject({ code: 'dataset-table-missing' });
    expect(await api.inspect({ checkpoint: 'checkpoint', baseDir: whole.baseDir })).toMatchObject({ dim: expect.any(Number) as number, image: { opset: expect.any(Number) as number } });
    await expect(api.inspect({ checkpoint: 'nothing', baseDir: whole.baseDir })).rejects.toMatchObject({ code: expect.stringMatching(/^checkpoint-/) as string });
  });
});
