import { beforeEach, describe, expect, it } from 'vitest';
import type { Context, Job } from '../../../../src/extension/context';
import { commands } from '../../../../src/extension/names';
import { type CheckpointRow, type Row, arrangeRows, treeItem } from '../../../../src/extension/runs/rows';
import { createRunsView } from '../../../../src/extension/runs/runsView';
import { createStatusItem } from '../../../../src/extension/runs/statusItem';
import { configSchema } from '../../../../src/shared/config';
import type { RunSummary } from '../../../../src/shared/runSummary';
import { aRun } from '../../../fixtures/fakeContext';
import { EventEmitter, fake, type MarkdownString, type ThemeIcon, type TreeItem } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

beforeEach(() => fake.reset());

const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'v.csv' } });
const aJob = (more: Partial<Job> = {}): Job =>
  ({ id: 1, spec: { kind: 'analyze', title: 'clip', params: { config, baseDir: '/work', root: '/work' } }, state: 'running', run: null, progress: null, eta: null, ...more }) as Job;
const embed = { type: 'progress', phase: 'embed', done: 500, total: 1000, unit: 'images' } as const;
const analysis = aRun({ checkpoint: 'clip', top: { rank: 1, name: ['red', 'corner'], attribute: 'coat', gap: 0.5 }, worstGroup: { label: 'coat', feature: 'present', accuracy: 0.125, before: null } });
const tuned = aRun({ id: 't', folder: '/work/.ravl/runs/t', kind: 'mitigate', checkpoint: 'clip', flagged: null, worstGroup: { label: 'coat', feature: 'present', accuracy: 0.7, before: 0.125 } });

const item = (row: Row) => treeItem(row) as unknown as TreeItem & { description: string; tooltip: MarkdownString; iconPath: ThemeIcon; contextValue: string; accessibilityInformation: { label: string } };
const runItem = (run: RunSummary, job?: Job) => item({ type: 'run', folder: run.folder, run, job });

describe('the rows', () => {
  it('are runs by checkpoint, newest first, the ones that work and wait on top', () => {
    const other = aRun({ id: 'o', folder: '/work/.ravl/runs/o', checkpoint: 'resnet' });
    const working = aJob({ id: 3, run: { id: 't', folder: tuned.folder } });
    const rows = arrangeRows([tuned, other, analysis], [working, aJob({ id: 4, state: 'queued' }), aJob({ id: 5, spec: { kind: 'compare', title: 'a → b', params: { baseDir: '/work', before: 'a', after: 'b', out: 'c' } } })]);
    const told = (row: Row): unknown => (row.type === 'checkpoint' ? [row.checkpoint, ...row.children.map(told)] : row.type === 'job' ? `job ${row.job.id}` : `run ${row.run.id} ${row.job?.id ?? ''}`);
    expect(rows.map(told)).toEqual(['job 5', ['clip', 'job 4', 'run t 3', `run ${analysis.id} `], ['resnet', 'run o ']]);
  });

  it('keep checkpoints of the same name in different folders apart', () => {
    const rows = arrangeRows([analysis, { ...analysis, baseDir: '/other', folder: '/other/.ravl/runs/x' }], []) as CheckpointRow[];
    expect(new Set(rows.map((row) => item(row).id)).size).toBe(2);
    fake.folder('/work');
    expect(rows.map((row) => [item(row).label, item(row).description])).toEqual([['clip', undefined], ['clip', '/other/clip']]);
  });

  it('tell the checkpoints that runs made from those that were there', () => {
    const made = aRun({ id: 'm', folder: '/work/.ravl/runs/m', checkpoint: '.ravl/runs/t/checkpoint' });
    fake.folder('/work');
    expect(arrangeRows([made], []).map((row) => [item(row).label, item(row).description])).toEqual([['fine-tuned checkpoint', '.ravl/runs/t/checkpoint']]);
  });

  it('say in words what a run found, when, and how weak the weakest group is', () => {
    const row = runItem(analysis);
    expect(row.label).toBe('Analysis');
    expect(row.description).toMatch(/^red, corner → coat · worst group 13% · .*2026/);
    expect(row.accessibilityInformation.label).toMatch(/^Analysis, complete, red, corner → coat, worst group 13%, /);
    expect(row.tooltip.value).toContain('gap 0.500');
    expect(row.iconPath.id).toBe('warning');
    expect(row.command).toMatchObject({ command: commands.openRun, arguments: [{ folder: analysis.folder }] });
    expect(runItem({ ...analysis, flagged: 0, top: null, worstGroup: null }).description).toMatch(/^nothing flagged · /);
    expect(runItem(tuned)).toMatchObject({ label: 'Fine-tuning', accessibilityInformation: { label: expect.stringMatching(/^Region-aware fine-tuning, /) }, description: expect.stringMatching(/^worst group 13% → 70% · /) });
  });

  it('name the Slurm jobs that are at work on a run', () => {
    const row = runItem({ ...analysis, state: 'running', jobs: ['41', '42'] });
    expect(row).toMatchObject({ description: expect.stringMatching(/^running · /), iconPath: { id: 'sync' } });
    expect(row.tooltip.value).toContain('Slurm jobs 41, 42');
    expect(runItem(analysis).tooltip.value).not.toContain('Slurm');
  });

  it('say how far a run is, and what became of it', () => {
    expect(runItem(analysis, aJob({ progress: embed, eta: 12 }))).toMatchObject({ description: expect.stringMatching(/^embed 500 of 1,000 images, 12s left · /), iconPath: { id: 'sync~spin' } });
    expect(item({ type: 'job', job: aJob({ state: 'queued' }) })).toMatchObject({ label: 'Analysis', description: 'queued' });
    expect(item({ type: 'job', job: aJob({ state: 'stopping', progress: embed }) }).description).toBe('stopping');
    expect(runItem({ ...analysis, state: 'interrupted', top: null, flagged: null }).description).toMatch(/^interrupted · /);
    const failed = runItem({ ...analysis, state: 'failed', error: { code: 'run-disk-full', message: 'The disk is full.', hint: 'Free some.' } });
    expect([failed.description, failed.iconPath.id]).toEqual([expect.stringMatching(/^failed · /), 'error']);
    expect(failed.tooltip.value).toContain('The disk is full');
    expect(runItem({ ...analysis, created: 'never', problem: { message: 'run.json is damaged.', hint: '' } })).toMatchObject({ iconPath: { id: 'error' }, description: expect.stringContaining('never') });
  });

  it('offer what fits their state', () => {
    // The patterns of package.json.
    const offered = (row: { contextValue: string }) =>
      Object.entries({
        cancel: /^(run|job) \w+ (active|queued)/, finish: /^run (mitigate|finetune) active/, resume: /^run \w+ (interrupted|failed)/, open: /^run/, findings: /^run analyze complete/, export: /^run \w+ complete/, delete: /^run \w+ (complete|interrupted|failed)/,
      }).flatMap(([action, pattern]) => (pattern.test(row.contextValue) ? [action] : []));
    expect(offered(runItem(analysis))).toEqual(['open', 'findings', 'export', 'delete']);
    expect(offered(runItem(tuned))).toEqual(['open', 'export', 'delete']);
    expect(offered(runItem({ ...tuned, state: 'interrupted' }))).toEqual(['resume', 'open', 'delete']);
    expect(offered(runItem({ ...tuned, state: 'running' }, aJob()))).toEqual(['cancel', 'finish', 'open']);
    expect(offered(runItem({ ...analysis, state: 'running' }, aJob()))).toEqual(['cancel', 'open']);
    expect(offered(runItem({ ...analysis, state: 'running' }))).toEqual(['open']);
    expect(offered(item({ type: 'job', job: aJob({ state: 'queued' }) }))).toEqual(['cancel']);
  });

  it('show hostile names as text', () => {
    const hostile = '[x](command:evil) <img src=y> \u202e\n'.repeat(1000);
    const row = runItem({ ...analysis, top: { rank: 1, name: [hostile], attribute: hostile, gap: 1 }, worstGroup: { label: hostile, feature: 'absent', accuracy: 0, before: null } });
    expect(row.description).not.toMatch(/[\n\u202e]/);
    expect(row.description.length).toBeLessThan(200);
    expect(row.tooltip).toMatchObject({ isTrusted: false });
    expect(row.tooltip.supportHtml).toBeFalsy();
    expect(row.tooltip.value).not.toMatch(/(?<!\\)\[x|(?<!\\)</);
  });
});

describe('the view', () => {
  it('reads when it is first shown, and draws again when runs or jobs change', async () => {
    const changes = [new EventEmitter<void>(), new EventEmitter<Job>()] as const;
    const all: RunSummary[] = [];
    let read = 0;
    const runs = { get all() { return all; }, refresh: async () => (read++, all.push(analysis), all), onDidChange: changes[0].event };
    const view = createRunsView({ runs, jobs: { active: [], onDidChange: changes[1].event } } as unknown as Context);
    const { options } = fake.trees.get('ravl.runs')!;
    const provider = options['treeDataProvider'] as { getChildren(row?: Row): Promise<Row[]>; onDidChangeTreeData(listener: () => void): void };
    expect([read, options['canSelectMany']]).toEqual([0, true]);
    const [group] = await provider.getChildren();
    expect(await provider.getChildren(group)).toMatchObject([{ type: 'run', run: analysis }]);
    await provider.getChildren();
    expect(read).toBe(1);
    let drawn = 0;
    provider.onDidChangeTreeData(() => drawn++);
    changes[0].fire();
    changes[1].fire(aJob());
    expect(drawn).toBe(2);
    view.dispose();
  });
});

describe('the status item', () => {
  const active: Job[] = [];
  let changes: EventEmitter<Job>;
  let status: ReturnType<typeof createStatusItem>;
  const shows = () => fake.statusItems.map(({ visible, text, command }) => (visible ? [text, command] : null));
  beforeEach(() => {
    active.length = 0;
    changes = new EventEmitter<Job>();
    status = createStatusItem({ jobs: { active, onDidChange: changes.event } } as unknown as Context);
  });

  it('is one, and there only while something runs', async () => {
    expect(shows()).toEqual([null]);
    const job = { ...aJob({ run: { id: 'one', folder: '/r/one' }, progress: embed, eta: 65 }) } as { -readonly [K in keyof Job]: Job[K] };
    active.push(job, aJob({ id: 2, state: 'queued' }));
    changes.fire(job);
    expect(shows()).toEqual([['$(sync~spin) RaVL: embed 500 of 1,000 images, 1m 05s left', { command: commands.openRun, title: 'Open Run', arguments: [{ folder: '/r/one' }] }]]);
    expect(fake.statusItems[0]!.tooltip).toContain('1 more wait');
    await settled();
    expect(fake.context.get('ravl.busy')).toBe(true);
    active.length = 0;
    job.state = 'complete';
    changes.fire(job);
    expect(shows()).toEqual([null]);
    expect(fake.context.get('ravl.busy')).toBe(false);
  });

  it('opens the log while there is no run to open', () => {
    active.push(aJob());
    changes.fire(active[0]!);
    expect(shows()).toEqual([['$(sync~spin) RaVL: starting', commands.showLog]]);
  });

  it('shows a failure until the log was looked at, or something ended well', () => {
    changes.fire(aJob({ state: 'failed' }));
    expect(shows()).toEqual([['$(error) RaVL: Analysis failed', commands.showLog]]);
    expect(fake.statusItems[0]!.accessibilityInformation).toEqual({ label: 'RaVL, Analysis failed' });
    status.seen();
    expect(shows()).toEqual([null]);
    changes.fire(aJob({ state: 'failed' }));
    changes.fire(aJob({ state: 'complete' }));
    expect(shows()).toEqual([null]);
    changes.fire(aJob({ state: 'cancelled' }));
    expect(shows()).toEqual([null]);
  });
});
