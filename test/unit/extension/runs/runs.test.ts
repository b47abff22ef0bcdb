import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context, Job, Runs } from '../../../../src/extension/context';
import { createRuns } from '../../../../src/extension/runs/runs';
import type { RunSummary } from '../../../../src/shared/runSummary';
import { aRun } from '../../../fixtures/fakeContext';
import { EventEmitter, fake, Uri, window } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

let root: string;
let runs: Runs;
/** What the viewer finds in each folder, and what it was asked. */
let disk: Map<string, () => Promise<readonly RunSummary[]>>;
let asked: string[];
let configs: Uri[];
let jobChanges: EventEmitter<Job>;
let filesChanges: EventEmitter<void>;
beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-runs-'));
  fake.folder(root);
  [disk, asked, configs, jobChanges, filesChanges] = [new Map(), [], [], new EventEmitter<Job>(), new EventEmitter<void>()];
  const viewer = { api: { listRuns: async ({ root: folder }: { root: string }) => (asked.push(folder), (await disk.get(folder)?.()) ?? []) } };
  const files = { configs: async () => configs, onDidChange: filesChanges.event, dispose: () => undefined };
  runs = createRuns({ viewer, jobs: { onDidChange: jobChanges.event }, log: window.createOutputChannel() } as unknown as Pick<Context, 'viewer' | 'jobs' | 'log'>, files as never);
});
afterEach(() => {
  runs.dispose();
  rmSync(root, { recursive: true });
});

const folderWithRuns = (name: string, ...found: RunSummary[]): string => {
  const folder = join(root, name);
  mkdirSync(join(folder, '.ravl/runs'), { recursive: true });
  disk.set(folder, async () => found);
  return folder;
};
const ids = () => runs.all.map(({ id }) => id);

it('asks about workspace folders and those of configs where there are runs, and starts no worker where there are none', async () => {
  configs = ['ravl.yaml', 'a/ravl.yaml', 'a/b.ravl.yaml', 'c/ravl.yaml'].map((name) => Uri.file(join(root, name)));
  await runs.refresh();
  expect(asked).toEqual([]);
  folderWithRuns('', aRun({ id: 'old', created: '2025-01-01T00:00:00.000Z' }));
  folderWithRuns('a', aRun({ id: 'new', folder: '/a/.ravl/runs/new', created: '2026-05-01T00:00:00.000Z' }));
  await runs.refresh();
  expect(asked.sort()).toEqual([root, join(root, 'a')]);
  expect(ids()).toEqual(['new', 'old']);
  expect(runs.find('/a/.ravl/runs/./new/')?.id).toBe('new');
  expect(runs.find('/a/.ravl/runs/other')).toBeUndefined();
});

it('reads again when a run, a config or a job changes, once for many changes', async () => {
  folderWithRuns('');
  await runs.refresh();
  let told = 0;
  runs.onDidChange(() => told++);
  const [watcher] = fake.watchers;
  for (let i = 0; i < 50; i++) watcher!.fire('change', Uri.file(join(root, '.ravl/runs/x/run.json')));
  await runs.refresh();
  // The one at work, and one for all that changed meanwhile.
  expect(asked).toHaveLength(3);
  expect(told).toBe(2);
  const counted = async (change: () => void) => {
    const before = asked.length;
    change();
    await runs.refresh();
    return asked.length - before;
  };
  for (const change of [() => watcher!.fire('create', Uri.file('/x')), () => watcher!.fire('delete', Uri.file('/x')), () => filesChanges.fire(), () => jobChanges.fire({ run: { id: 'x', folder: '/x' }, state: 'complete' } as Job)]) {
    expect(await counted(change)).toBe(2);
  }
  expect(await counted(() => jobChanges.fire({ run: { id: 'x', folder: '/x' }, state: 'running', progress: { phase: 'embed' } } as unknown as Job))).toBe(1);
  expect(await counted(() => jobChanges.fire({ run: null, state: 'running', progress: null } as Job))).toBe(1);
});

it('keeps what it knew of a folder whose reading fails, and says so in the log', async () => {
  const one = folderWithRuns('', aRun({ id: 'one', folder: join(root, '.ravl/runs/one') }));
  await runs.refresh();
  disk.set(one, () => Promise.reject(new Error('the worker died')));
  await runs.refresh();
  expect(ids()).toEqual(['one']);
  expect(fake.log.map(({ text }) => text)).toEqual([expect.stringContaining('the worker died')]);
});

describe('in an untrusted workspace', () => {
  const write = (name: string, run: unknown) => {
    const file = join(root, '.ravl/runs', name, 'run.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof run === 'string' ? run : JSON.stringify(run));
  };
  const file = { kind: 'analyze', id: 'one', created: '2026-01-01T00:00:00.000Z', state: 'complete', config: { checkpoint: { vision: 'v.onnx' }, data: { validation: 'v.csv' } } };

  it('lists what is there without a worker, and leaves out what it cannot read', async () => {
    fake.trusted = false;
    write('one', file);
    write('two', { ...file, id: 'two', created: '2026-02-01T00:00:00.000Z', kind: 'mitigate', state: 'running' });
    write('damaged', '{');
    write('hostile', { ...file, state: '<b>' });
    write('huge', JSON.stringify({ ...file, id: 'x'.repeat(1_100_000) }));
    await runs.refresh();
    expect(runs.all).toMatchObject([
      { id: 'two', kind: 'mitigate', state: 'interrupted', folder: join(root, '.ravl/runs/two'), baseDir: root, checkpoint: 'v.onnx', validation: 'v.csv' },
      { id: 'one', kind: 'analyze', state: 'complete' },
    ]);
    expect(asked).toEqual([]);
  });

  it('asks the worker from the moment it is trusted', async () => {
    fake.trusted = false;
    folderWithRuns('', aRun({ id: 'whole' }));
    await runs.refresh();
    fake.trusted = true;
    fake.emitters.trust.fire();
    await runs.refresh();
    expect(ids()).toEqual(['whole']);
  });
});

it('waits for no one that it has left', async () => {
  runs.dispose();
  fake.watchers[0]!.fire('change', Uri.file('/x'));
  await settled();
  expect(asked).toEqual([]);
});
