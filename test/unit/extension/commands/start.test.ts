import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../../../src/extension/names';
import { RavlError } from '../../../../src/shared/errors';
import type { Task } from '../../../fixtures/fakeVscodeTypes';
import { aConfig, fakeExtension } from '../../../fixtures/fakeExtension';
import { fake, window } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

let world: ReturnType<typeof fakeExtension>;
beforeEach(() => {
  world = fakeExtension();
});
afterEach(() => world.stop());

const started = () => world.workers.started.map(({ call }) => [call!.method, (call!.params['config'] as { checkpoint: unknown } | undefined)?.checkpoint, call!.params['baseDir']]);

describe('Analyze', () => {
  it('starts at once on a config, with its paths from where it lies', async () => {
    world.write('garments/ravl.yaml', aConfig);
    await world.start();
    await world.command(commands.analyze, world.uri('garments/ravl.yaml'));
    expect(started()).toEqual([['analyze', 'clip', world.path('garments')]]);
    expect(world.workers.started[0]!.call!.params).toMatchObject({ root: world.path('garments') });
    expect(world.messages()).toEqual([]);
  });

  it('of a checkpoint or a model in it takes the nearest config that names it', async () => {
    world.write('clip/onnx/vision_model.onnx');
    world.write('ravl.yaml', aConfig);
    world.write('other.ravl.yaml', aConfig.replace('clip', 'resnet'));
    world.write('deep/down/ravl.yaml', aConfig.replace('clip', '../../clip'));
    await world.start();
    for (const target of ['clip', 'clip/onnx/vision_model.onnx']) {
      await world.command(commands.analyze, world.uri(target));
      world.workers.started.at(-1)!.answer({ run: { folder: '/r' } });
      await settled();
    }
    expect(started()).toEqual([['analyze', 'clip', world.root], ['analyze', 'clip', world.root]]);
  });

  it('of a checkpoint that no config names makes one first, and starts nothing where that is given up', async () => {
    world.write('clip/model.onnx');
    await world.start();
    const made: unknown[] = [];
    fake.builtIn.set(commands.createConfig, () => made[0]);
    await world.command(commands.analyze, world.uri('clip'));
    expect(fake.executed.at(-1)).toMatchObject({ command: commands.createConfig, args: [{ path: world.path('clip') }] });
    expect(started()).toEqual([]);
    world.write('ravl.yaml', aConfig);
    made.push(world.uri('ravl.yaml'));
    await world.command(commands.analyze, world.uri('clip'));
    expect(started()).toEqual([['analyze', 'clip', world.root]]);
  });

  it('starts one of each that is selected; the second waits', async () => {
    for (const name of ['a', 'b']) world.write(`${name}/ravl.yaml`, aConfig);
    await world.start();
    await world.command(commands.analyze, world.uri('a/ravl.yaml'), [world.uri('a/ravl.yaml'), world.uri('b/ravl.yaml')]);
    expect(world.jobs.active.map(({ state, spec }) => [state, spec.params.baseDir])).toEqual([['running', world.path('a')], ['queued', world.path('b')]]);
  });

  it('in the palette takes the config in the active editor, the only one, or asks', async () => {
    world.write('ravl.yaml', aConfig);
    world.write('b/ravl.yaml', aConfig);
    await world.start();
    fake.choices.push('b/ravl.yaml', undefined);
    await world.command(commands.analyze);
    expect(fake.picks[0]!.items.map(({ label }) => label)).toEqual(['ravl.yaml', 'b/ravl.yaml']);
    await world.command(commands.analyze);
    expect(world.jobs.active.map(({ spec }) => spec.params.baseDir)).toEqual([world.path('b')]);
    fake.activate(fake.open(world.path('ravl.yaml'), aConfig));
    await world.command(commands.analyze);
    expect(world.jobs.active.map(({ spec }) => spec.params.baseDir)).toEqual([world.path('b'), world.root]);
  });

  it('without any config offers to create one', async () => {
    await world.start();
    fake.builtIn.set(commands.createConfig, () => undefined);
    fake.clicks.push('Create Config');
    await world.command(commands.analyze);
    expect(world.messages()).toEqual([['error', 'There is no ravl.yaml in this workspace to say what to work on.', 'Create Config', 'Show Log']]);
    expect(fake.executed.at(-1)!.command).toBe(commands.createConfig);
  });

  it('names the first line to mend, and goes there', async () => {
    world.write('ravl.yaml', 'checkpoint: clip\ndata:\n  validation: v.csv\nseed: never\ndevice: gpu\n');
    await world.start();
    fake.clicks.push('Open File');
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    const [[kind, text, ...buttons]] = world.messages() as [string[]];
    expect([kind, ...buttons!]).toEqual(['error', 'Open File', 'Show Log']);
    expect(text).toMatch(/^ravl\.yaml:4: seed must be a number, not "never"\. There is 1 more problem\.$/);
    expect(window.activeTextEditor).toMatchObject({ document: { uri: { path: world.path('ravl.yaml') } }, selection: { start: { line: 3, character: 6 } } });
    expect(started()).toEqual([]);
  });

  it('says when the config is gone, is a folder or is no text', async () => {
    await world.start();
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    world.write('folder/ravl.yaml/file');
    await world.command(commands.analyze, world.uri('folder/ravl.yaml'));
    world.write('ravl.yaml');
    writeFileSync(world.path('ravl.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    expect(world.messages().map(([, text]) => text)).toEqual([
      'ravl.yaml cannot be read; it is not there any more, or not for you to read.',
      'folder/ravl.yaml cannot be read; it is not there any more, or not for you to read.',
      'ravl.yaml cannot be read: it is not UTF-8 text.',
    ]);
  });

  it('saves what is typed but not saved, and stops where that does not work', async () => {
    world.write('ravl.yaml', aConfig);
    await world.start();
    const document = fake.open(world.path('ravl.yaml'), aConfig.replace('clip', 'resnet'), { dirty: true });
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    expect(started()).toEqual([['analyze', 'resnet', world.root]]);
    expect(readFileSync(world.path('ravl.yaml'), 'utf8')).toContain('resnet');
    document.isDirty = true;
    document.save = async () => false;
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    expect(world.messages().map(([, text]) => text)).toEqual(['ravl.yaml cannot be read: its changes could not be saved.']);
    expect(world.jobs.active).toHaveLength(1);
  });

  it('takes device and memory from the settings where the config leaves them open', async () => {
    world.write('ravl.yaml', `${aConfig}training: { memoryBudget: 700 }\n`);
    world.write('cpu.ravl.yaml', `${aConfig}device: cpu\n`);
    fake.settings.set('ravl.device', 'webgpu').set('ravl.memoryBudget', 2048).set('ravl.parallelRuns', 2);
    await world.start();
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    await world.command(commands.analyze, world.uri('cpu.ravl.yaml'));
    expect(world.workers.started.map(({ call }) => call!.params['config'])).toMatchObject([
      { device: 'webgpu', discovery: { memoryBudget: 2048 }, training: { memoryBudget: 700 } },
      { device: 'cpu', discovery: { memoryBudget: 2048 }, training: { memoryBudget: 2048 } },
    ]);
  });

  it('starts nothing in an untrusted workspace, and says how to trust it', async () => {
    world.write('ravl.yaml', aConfig);
    await world.start();
    fake.trusted = false;
    for (const command of [commands.analyze, commands.mitigate, commands.fineTune, commands.plan, commands.inspect, commands.evaluate, commands.compareRuns, commands.resumeRun]) {
      fake.shown.length = 0;
      fake.clicks.push('Manage Trust');
      await world.command(command, world.uri('ravl.yaml'));
      expect(world.messages()).toEqual([['error', expect.stringMatching(/^RaVL starts no work in a workspace that you do not trust[^.]*\.$/), 'Manage Trust', 'Show Log']]);
      expect(fake.executed.at(-1)!.command).toBe('workbench.trust.manage');
    }
    expect([started(), fake.tasks]).toEqual([[], []]);
  });
});

describe('an analysis', () => {
  beforeEach(async () => {
    world.write('ravl.yaml', aConfig);
    await world.start();
    await world.command(commands.analyze, world.uri('ravl.yaml'));
  });

  it('that ends well opens its findings, without a notification', async () => {
    world.workers.started[0]!.answer({ run: { id: 'one', folder: '/work/.ravl/runs/one', resumed: false } });
    await settled();
    await world.rest();
    expect(world.opened).toEqual([['findings', '/work/.ravl/runs/one']]);
    expect(world.messages()).toEqual([]);
  });

  it('that is killed says so and can be resumed', async () => {
    const [worker] = world.workers.started;
    const run = world.run('one', { state: 'interrupted' });
    world.write('.ravl/runs/one/run.json', JSON.stringify({ config: { checkpoint: 'clip', data: { validation: 'v.csv' }, seed: 7 } }));
    worker!.listeners.run({ id: 'one', folder: run.folder });
    fake.clicks.push('Resume');
    worker!.die(new RavlError('worker-died', 'The RaVL worker process was killed by SIGKILL.', 'It can be resumed.'));
    await settled();
    await world.rest();
    expect(world.messages()).toEqual([['error', 'The RaVL worker process was killed by SIGKILL. It can be resumed.', 'Resume', 'Show Log']]);
    // The run is gone on with by what it began with.
    expect(world.workers.started[1]!.call).toMatchObject({ method: 'analyze', params: { config: { seed: 7 }, baseDir: world.root, root: world.root } });
    expect(world.opened).toEqual([]);
  });

  it('that fails on its input offers no Resume, and one that is cancelled says nothing', async () => {
    world.workers.started[0]!.listeners.run({ id: 'one', folder: '/r' });
    world.workers.started[0]!.fail(new RavlError('dataset-image-missing', 'Row 3 names no image.', 'Mend it.'));
    await settled();
    await world.rest();
    expect(world.messages()).toEqual([['error', 'Row 3 names no image. Mend it.', 'Show Log']]);
    await world.command(commands.analyze, world.uri('ravl.yaml'));
    await world.command(commands.cancelRun);
    world.workers.started[1]!.fail(new RavlError('cancelled', 'It was cancelled.', ''));
    await settled();
    await world.rest();
    expect(world.messages()).toHaveLength(1);
    expect(world.jobs.active).toEqual([]);
  });

  it('that meets a defect shows no stack', async () => {
    world.workers.started[0]!.fail(new TypeError('x is undefined'));
    await settled();
    await world.rest();
    expect(world.messages()).toEqual([['error', 'RaVL ran into a defect of its own: x is undefined', 'Show Log']]);
  });
});

describe('fine-tuning', () => {
  it('runs as a task of the config', async () => {
    world.write('sub/ravl.yaml', aConfig);
    await world.start();
    await world.command(commands.mitigate, world.uri('sub/ravl.yaml'));
    await world.command(commands.fineTune);
    expect(fake.tasks.map(({ definition, source }: Task) => [definition, source])).toEqual([
      [{ type: 'ravl', command: 'mitigate', config: 'sub/ravl.yaml' }, 'RaVL'],
      [{ type: 'ravl', command: 'finetune', config: 'sub/ravl.yaml' }, 'RaVL'],
    ]);
  });

  it('needs training data, and says which key names them', async () => {
    world.write('ravl.yaml', aConfig.replace(/ {2}train.*\n/, ''));
    await world.start();
    for (const command of [commands.mitigate, commands.fineTune, commands.plan]) await world.command(command, world.uri('ravl.yaml'));
    expect(new Set(world.messages().map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify(['error', 'ravl.yaml names no training data: data.train is the table of image-caption pairs to fine-tune on.', 'Open File', 'Analyze', 'Show Log'])]),
    );
    expect([fake.tasks, started()]).toEqual([[], []]);
  });

  it('says what is wrong with the config before any task starts', async () => {
    world.write('ravl.yaml', 'checkpoint: clip\n');
    await world.start();
    await world.command(commands.mitigate, world.uri('ravl.yaml'));
    expect(world.messages()[0]![1]).toMatch(/^ravl\.yaml:1: data is missing/);
    expect(fake.tasks).toEqual([]);
  });
});
