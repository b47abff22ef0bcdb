import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../../../src/extension/names';
import { RavlError } from '../../../../src/shared/errors';
import type { RunSummary } from '../../../../src/shared/runSummary';
import { aFinding, anOverview } from '../../../fixtures/fakeContext';
import { aConfig, fakeExtension } from '../../../fixtures/fakeExtension';
import { fake } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

let world: ReturnType<typeof fakeExtension>;
beforeEach(async () => {
  world = fakeExtension();
  await world.start();
});
afterEach(() => world.stop());

const row = (run: RunSummary) => ({ type: 'run', folder: run.folder, run, job: undefined });

/** A job at work on a run. */
async function activeJob(run: RunSummary): Promise<void> {
  world.write('ravl.yaml', aConfig);
  await world.command(commands.analyze, world.uri('ravl.yaml'));
  world.workers.started.at(-1)!.listeners.run({ id: run.id, folder: run.folder });
}

describe('a command on runs', () => {
  const onRuns = [commands.openRun, commands.openFindings, commands.exportReport, commands.resumeRun, commands.revealRun, commands.deleteRun, commands.compareRuns];

  it('says that there is none yet, and offers to analyze', async () => {
    world.write('ravl.yaml', aConfig);
    for (const command of onRuns) await world.command(command);
    expect(new Set(world.messages().map((each) => JSON.stringify(each)))).toEqual(new Set([JSON.stringify(['error', 'There is no run for this yet; analyze a checkpoint first.', 'Analyze', 'Show Log'])]));
    expect(world.messages()).toHaveLength(onRuns.length);
  });

  it('says that the run of a row is gone', async () => {
    for (const command of onRuns) await world.command(command, { folder: '/work/.ravl/runs/20260101-000000-abcdef' });
    expect(world.messages()).toEqual(onRuns.map(() => ['error', 'The run 20260101-000000-abcdef is not there any more.', 'Show Log']));
  });

  it('does nothing where the person picks none', async () => {
    world.run('one');
    world.run('two', { state: 'interrupted' });
    for (const command of onRuns) await world.command(command);
    expect(fake.picks).toHaveLength(onRuns.length);
    expect([world.messages(), world.opened, world.jobs.active]).toEqual([[], [], []]);
  });
});

describe('Open Run', () => {
  it('opens what there is to see', async () => {
    const of = (kind: RunSummary['kind'], state: RunSummary['state']) => world.run(`${kind}-${state}`, { kind, state });
    for (const run of [of('analyze', 'complete'), of('mitigate', 'complete'), of('finetune', 'interrupted'), of('mitigate', 'running')]) await world.command(commands.openRun, row(run));
    expect(world.opened.map(([panel, folder]) => [panel, String(folder).split('/').at(-1)])).toEqual([['findings', 'analyze-complete'], ['comparison', 'mitigate-complete'], ['training', 'finetune-interrupted'], ['training', 'mitigate-running']]);
  });

  it('of an analysis without findings says why, and offers to resume', async () => {
    await world.command(commands.openRun, row(world.run('one', { state: 'interrupted' })));
    await world.command(commands.openRun, row(world.run('two', { state: 'failed', error: { code: 'run-disk-full', message: 'The disk is full.', hint: 'Free some.' } })));
    await world.command(commands.openRun, row(world.run('three', { state: 'running' })));
    await world.command(commands.openRun, row(world.run('four', { problem: { message: 'run.json is damaged.', hint: 'Delete the run.' } })));
    expect(world.messages()).toEqual([
      ['info', 'Analysis was interrupted before its findings were there.', 'Resume'],
      ['error', 'The disk is full. Free some.', 'Resume', 'Show Log'],
      ['info', 'Analysis is at work in another process; its findings are not there yet.'],
      ['error', 'run.json is damaged. Delete the run.', 'Show Log'],
    ]);
    expect(world.opened).toEqual([]);
  });

  it('of an analysis at work shows the log', async () => {
    const run = world.run('one', { state: 'running' });
    await activeJob(run);
    await world.command(commands.openRun, row(run));
    expect(fake.log.at(-1)!.level).toBe('show');
  });
});

describe('Open Findings', () => {
  it('of a fine-tuning run are those of the analysis of the checkpoint that it started from', async () => {
    const tuned = world.run('tuned', { kind: 'mitigate' });
    world.run('other', { validation: 'other.csv' });
    world.run('after', { checkpoint: '.ravl/runs/tuned/checkpoint' });
    const analysis = world.run('analysis');
    await world.command(commands.openFindings, { folder: tuned.folder, rank: 2 });
    expect(world.opened).toEqual([['findings', analysis.folder, 2]]);
  });

  it('says so where there are none', async () => {
    await world.command(commands.openFindings, row(world.run('one', { state: 'interrupted' })));
    expect(world.messages()).toEqual([['error', 'This run has no findings yet. Resume it, or analyze again.', 'Show Log']]);
  });

  it('says what the panel met', async () => {
    const run = world.run('one');
    world.context.panels.openFindings = () => Promise.reject(new RavlError('run-artifact-damaged', 'findings.json is damaged.', 'Run again.'));
    await world.command(commands.openFindings, row(run));
    expect(world.messages()).toEqual([['error', 'findings.json is damaged. Run again.', 'Show Log']]);
  });

  it('offers hostile names as text, without icons', async () => {
    world.run('one', { checkpoint: '$(bug) <b>\u202e', top: { rank: 1, name: ['$(alert)\n'], attribute: null, gap: 0.4 } });
    await world.command(commands.openFindings);
    expect(fake.picks[0]!.items).toMatchObject([{ label: 'Analysis: \\$(bug) <b>\ufffd', detail: '\\$(alert)' }]);
  });
});

describe('Compare Runs', () => {
  it('compares the two that are selected, the older as before, and opens the comparison', async () => {
    const [newer, older] = [world.run('b', { kind: 'mitigate', created: '2026-02-01T00:00:00.000Z' }), world.run('a')];
    await world.command(commands.compareRuns, row(newer), [row(newer), row(older)]);
    const [worker] = world.workers.started;
    expect(worker!.call).toMatchObject({ method: 'compare', params: { before: older.folder, after: newer.folder, run: older.folder, baseDir: world.root, out: world.path('.ravl/comparisons/a-b') } });
    worker!.answer({ folder: '/work/.ravl/comparisons/a-b' });
    await settled();
    expect(world.opened).toEqual([['comparison', '/work/.ravl/comparisons/a-b']]);
  });

  it('asks for the second, and tells what goes wrong with a button to the log', async () => {
    const [first] = [world.run('a', { kind: 'finetune' }), world.run('b', { kind: 'mitigate', created: '2025-01-01T00:00:00.000Z' }), world.run('c', { state: 'failed' })];
    fake.choices.push((items) => items[0]);
    await world.command(commands.compareRuns, row(first!));
    expect(fake.picks[0]!.items).toHaveLength(1);
    expect(world.workers.started[0]!.call!.params).toMatchObject({ before: world.path('.ravl/runs/b'), after: first!.folder });
    world.workers.started[0]!.fail(new RavlError('evaluation-nothing-in-common', 'The two have no image in common.', ''));
    await settled();
    await world.rest();
    expect(world.messages()).toEqual([['error', 'The two have no image in common.', 'Show Log']]);
  });

  it('says that there is no other run', async () => {
    await world.command(commands.compareRuns, row(world.run('a')));
    expect(world.messages()[0]![1]).toBe('There is no run for this yet; analyze a checkpoint first.');
  });
});

describe('Export Report', () => {
  it('copies the report to where the person says, over what is there', async () => {
    const run = world.run('one');
    world.write('.ravl/runs/one/report.html', '<p>findings');
    world.write('out.html', 'old');
    fake.choices.push('Report', 'Report');
    fake.saves.push(world.uri('out.html'), undefined);
    await world.command(commands.exportReport, row(run));
    expect(readFileSync(world.path('out.html'), 'utf8')).toBe('<p>findings');
    await world.command(commands.exportReport, row(run));
    expect(world.messages()).toEqual([]);
  });

  it('says what cannot be read, and where nothing can be written', async () => {
    const run = world.run('one');
    fake.choices.push('Findings');
    fake.saves.push(world.uri('out.json'));
    await world.command(commands.exportReport, row(run));
    expect(world.messages()).toEqual([['error', expect.stringMatching(/^out\.json cannot be written: .*findings\.json.*\. Choose another place/), 'Show Log']]);
    expect(existsSync(world.path('out.json'))).toBe(false);
  });

  it('writes the members of the finding that is picked', async () => {
    const run = world.run('one');
    world.answers.set('overview', () => anOverview(run, [aFinding(), aFinding({ cluster: 9, rank: null, name: [] })]));
    world.answers.set('exportMembers', ({ cluster, format }: { cluster: number; format: string }) => ({ name: '../members.csv', text: `${cluster} ${format}` }));
    fake.choices.push((items) => items.find((item) => (item as { description?: string }).description === 'CSV'), 'cluster 9');
    fake.saves.push(world.uri('members.csv'));
    await world.command(commands.exportReport, row(run));
    expect(readFileSync(world.path('members.csv'), 'utf8')).toBe('9 csv');
  });

  it('says what the viewer met', async () => {
    const run = world.run('one');
    world.answers.set('overview', () => Promise.reject(new RavlError('worker-died', 'The RaVL worker process was killed.', 'Try again.')));
    fake.choices.push((items) => items.at(-1));
    await world.command(commands.exportReport, row(run));
    expect(world.messages()).toEqual([['error', 'The RaVL worker process was killed. Try again.', 'Show Log']]);
  });
});

describe('Cancel and Stop', () => {
  it('say so where nothing runs, or nothing trains', async () => {
    const nothing = ['error', 'Nothing of that kind runs in this window.', 'Show Log'];
    await world.command(commands.cancelRun);
    await world.command(commands.finishRun);
    await world.command(commands.cancelRun, row(world.run('one')));
    await activeJob(world.run('two', { state: 'running' }));
    await world.command(commands.finishRun, { folder: world.path('.ravl/runs/two') });
    expect(world.messages()).toEqual([nothing, nothing, nothing, nothing]);
  });

  it('reach the one that is meant: by its row, the only one, or the one that is picked', async () => {
    fake.settings.set('ravl.parallelRuns', 3);
    for (const id of ['one', 'two', 'three']) await activeJob(world.run(id, { state: 'running' }));
    await world.command(commands.cancelRun, { folder: world.path('.ravl/runs/two') });
    fake.choices.push((items) => items[2]);
    await world.command(commands.cancelRun);
    expect(world.jobs.active.map(({ state }) => state)).toEqual(['running', 'stopping', 'stopping']);
  });
});

describe('Resume Run', () => {
  const config = { checkpoint: { vision: 'v.onnx', text: 't.onnx' }, data: { validation: 'v.csv', train: 't.csv' } };

  it('goes on with fine-tuning as a task that insists on that run', async () => {
    const run = world.run('one', { kind: 'finetune', state: 'interrupted' });
    world.write('.ravl/runs/one/run.json', JSON.stringify({ config }));
    await world.command(commands.resumeRun, row(run));
    expect(fake.tasks.map(({ definition }) => definition)).toEqual([{ type: 'ravl', command: 'finetune', config: run.folder, resume: 'one' }]);
    const terminal = (await (fake.tasks[0]!.execution as { callback(definition: unknown): Promise<unknown> }).callback({})) as { open(): void };
    terminal.open();
    await settled();
    expect(world.workers.started[0]!.call).toMatchObject({ method: 'fineTune', params: { kind: 'finetune', resume: 'one', root: world.root, config: { checkpoint: config.checkpoint } } });
  });

  it('says what there is not to resume', async () => {
    const [complete, bare, damaged, active] = [world.run('one'), world.run('two', { state: 'failed' }), world.run('three', { state: 'failed' }), world.run('four', { state: 'running' })];
    world.write('.ravl/runs/three/run.json', '{"config": {"checkpoint": 3}}');
    await activeJob(active);
    for (const run of [complete, bare, damaged, active]) await world.command(commands.resumeRun, row(run));
    const unknown = (id: string) => `The run.json of ${id} does not say what the run was asked for. Start it anew from its ravl.yaml.`;
    expect(world.messages().map(([, text]) => text)).toEqual(['The run one is complete; there is nothing to resume.', unknown('two'), unknown('three'), 'The run four is at work already.']);
    expect(world.jobs.active).toHaveLength(1);
  });
});

describe('Delete Run', () => {
  const deleted: string[] = [];
  beforeEach(() => {
    deleted.length = 0;
    world.api['deleteRun'] = async ({ folder }: { folder: string }) => deleted.push(folder) > 0;
  });

  it('asks first, and then deletes all that are selected', async () => {
    const [one, two] = [world.run('one'), world.run('two', { kind: 'mitigate' })];
    await world.command(commands.deleteRun, row(one));
    expect([deleted, fake.shown[0]!.modal, fake.shown[0]!.text]).toEqual([[], true, expect.stringMatching(/^Delete Analysis of .*2026/)]);
    fake.clicks.push('Delete');
    await world.command(commands.deleteRun, row(one), [row(one), row(two)]);
    expect([fake.shown[1]!.text, deleted, world.runs.refreshed]).toEqual(['Delete 2 runs?', [one.folder, two.folder], 1]);
  });

  it('leaves a run at work alone', async () => {
    const run = world.run('one', { state: 'running' });
    await activeJob(run);
    await world.command(commands.deleteRun, row(run));
    expect(world.messages()).toEqual([['error', 'The run one is at work. Cancel it first.', 'Show Log']]);
    expect(deleted).toEqual([]);
  });

  it('says what was refused, and looks again at what is there', async () => {
    world.api['deleteRun'] = () => Promise.reject(new RavlError('run-locked', 'Another process works on it.', 'Wait for it.'));
    fake.clicks.push('Delete');
    await world.command(commands.deleteRun, row(world.run('one')));
    expect(world.messages().at(-1)).toEqual(['error', 'Another process works on it. Wait for it.', 'Show Log']);
    expect(world.runs.refreshed).toBe(1);
  });
});

describe('Reveal Files', () => {
  it('shows a folder of the workspace in the explorer, and another one in the file manager', async () => {
    await world.command(commands.revealRun, row(world.run('one')));
    const elsewhere = world.run('two', { folder: '/elsewhere/.ravl/runs/two' });
    await world.command(commands.revealRun, row(elsewhere));
    const reveals = fake.executed.filter(({ command }) => command.startsWith('reveal'));
    expect(reveals.map(({ command, args }) => [command, (args[0] as { path: string }).path])).toEqual([['revealInExplorer', world.path('.ravl/runs/one')], ['revealFileInOS', '/elsewhere/.ravl/runs/two']]);
  });
});

describe('Refresh and Show Log', () => {
  it('say what cannot be read, and clear a failure from the status bar', async () => {
    world.context.runs.refresh = () => Promise.reject(new RavlError('node-missing', 'No Node.js was found.', 'Install it.'));
    await world.command(commands.refreshRuns);
    expect(world.messages()).toEqual([['error', 'No Node.js was found. Install it.', 'Show Log']]);
    await world.command(commands.showLog);
    expect([fake.log.at(-1)!.level, world.seen.log]).toEqual(['show', 1]);
  });
});
