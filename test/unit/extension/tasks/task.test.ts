import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../../../src/shared/exitCodes';
import { RavlError } from '../../../../src/shared/errors';
import { aConfig, fakeExtension } from '../../../fixtures/fakeExtension';
import { type CustomExecution, fake, Task, TaskScope } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

let world: ReturnType<typeof fakeExtension>;
beforeEach(async () => {
  world = fakeExtension();
  world.write('sub/ravl.yaml', aConfig);
  await world.start();
});
afterEach(() => world.stop());

/** A task as tasks.json says it, executed: its terminal, what it prints and what it exits with. */
async function execute(definition: Record<string, unknown>, scope: unknown = fake.folders[0]) {
  const task = fake.taskProviders.get('ravl')!.resolveTask(new Task({ type: 'ravl', ...definition }, scope, 'mine', 'Workspace')) as Task;
  const terminal = (await (task.execution as CustomExecution).callback(task.definition)) as {
    open(): void;
    close(): void;
    handleInput(text: string): void;
    onDidWrite(listener: (text: string) => unknown): void;
    onDidClose(listener: (code: number) => void): void;
  };
  const printed: string[] = [];
  const exits: number[] = [];
  terminal.onDidWrite((text) => printed.push(text));
  terminal.onDidClose((code) => exits.push(code));
  const started = world.workers.started.length;
  const ready = new Promise<unknown>((resolve) => {
    world.workers.onCall(resolve);
    terminal.onDidClose(resolve);
    terminal.onDidWrite((text) => text.includes('Waiting') && resolve(text));
  });
  terminal.open();
  await ready;
  return {
    task, terminal, exits, worker: world.workers.started[started]!,
    lines: () => printed.join('').split('\r\n').slice(0, -1).map((line) => line.replace(/\x1b\[\d+m/g, '')),
    raw: () => printed.join(''),
  };
}
const done = {
  run: { id: 'one', folder: '/work/.ravl/runs/one', resumed: false }, device: { requested: 'auto', used: 'cpu', reason: '' }, reportFile: '/work/report.html', checkpoint: '/work/checkpoint', ended: 'all epochs', bestEpoch: 3,
  comparison: { summary: 'The worst group gained.', overall: { before: 0.75, after: 0.8 }, worstGroup: { before: { accuracy: 0.125 }, after: { accuracy: 0.7 } } },
};

describe('a task of type ravl', () => {
  it('is offered for every config, both ways to train', async () => {
    const offered = (await fake.taskProviders.get('ravl')!.provideTasks()) as Task[];
    expect(offered.map(({ definition, name, source, detail }) => [definition, name, source, detail])).toEqual([
      [{ type: 'ravl', command: 'mitigate', config: 'sub/ravl.yaml' }, 'mitigate sub/ravl.yaml', 'RaVL', 'Region-aware fine-tuning'],
      [{ type: 'ravl', command: 'finetune', config: 'sub/ravl.yaml' }, 'finetune sub/ravl.yaml', 'RaVL', 'Plain fine-tuning'],
    ]);
  });

  it('does what tasks.json says', async () => {
    const { worker, task } = await execute({ command: 'finetune', config: 'sub/ravl.yaml', run: 'abc', findings: [2, 3], resume: true });
    expect(worker.call).toMatchObject({ method: 'fineTune', params: { kind: 'finetune', baseDir: world.path('sub'), root: world.path('sub'), run: 'abc', resume: true, config: { mitigation: { findings: [2, 3] } } } });
    // The editor knows a resolved task by its definition.
    expect(task.definition).toMatchObject({ type: 'ravl', findings: [2, 3] });
  });

  it('finds its config without a folder of its own, and by an absolute path', async () => {
    fake.settings.set('ravl.parallelRuns', 2);
    for (const [config, scope] of [['sub/ravl.yaml', TaskScope.Workspace], [world.path('sub/ravl.yaml'), fake.folders[0]]] as const) {
      const { worker } = await execute({ command: 'mitigate', config, resume: false }, scope);
      expect(worker.call!.params['baseDir']).toBe(world.path('sub'));
      expect(worker.call!.params).not.toHaveProperty('resume');
    }
  });

  it('prints what it does a line at a time, and what it came to', async () => {
    const { worker, lines, exits } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    const train = (count: number, phase = 'train') => worker.listeners.progress({ type: 'progress', phase, done: count, total: 100, unit: 'steps' });
    for (let i = 0; i <= 100; i++) {
      train(i);
      world.clock.move(100);
    }
    worker.listeners.progress({ type: 'note', level: 'warning', text: 'Accuracy fell.' });
    worker.answer(done);
    await settled();
    expect(lines()).toEqual([
      'Region-aware fine-tuning: clip',
      'train: 0 of 100 steps (0%)',
      // 10 steps a second.
      ...[10, 20, 30, 40, 50, 60, 70, 80, 90].map((i) => `train: ${i} of 100 steps (${i}%), ${(100 - i) / 10}s left`),
      'train: 100 of 100 steps (100%)',
      'Accuracy fell.',
      'Training ended (all epochs); epoch 3 is kept.',
      'The worst group gained.',
      'Overall accuracy 75.0% → 80.0%',
      'Worst group 12.5% → 70.0%',
      'Checkpoint  /work/checkpoint',
      'Report  /work/report.html',
    ]);
    expect(exits).toEqual([exitCodes.done]);
  });

  it('opens the training panel as soon as there is a run, and the comparison at the end', async () => {
    const { worker } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    worker.listeners.run(done.run);
    worker.listeners.progress({ type: 'progress', phase: 'train', done: 1, total: 2, unit: 'steps' });
    await settled();
    expect(world.opened).toEqual([['training', done.run.folder]]);
    worker.answer(done);
    await settled();
    expect(world.opened.slice(1)).toEqual([['comparison', done.run.folder]]);
    expect(world.messages()).toEqual([]);
  });

  it('says that it waits', async () => {
    await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    const { lines } = await execute({ command: 'finetune', config: 'sub/ravl.yaml' });
    expect(lines()).toEqual(['Plain fine-tuning: clip', 'Waiting for the run before it.']);
  });

  it('prints hostile text without its control characters, on one line', async () => {
    const { worker, raw } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    const before = raw().length;
    worker.listeners.progress({ type: 'note', level: 'info', text: 'a\x1b]0;title\x07\x1b[2J\r\nb\u202e\x9b31m' });
    worker.listeners.progress({ type: 'progress', phase: '\x1b[31m', done: 1, total: 1, unit: '\r\x00' });
    expect(raw().slice(before)).not.toMatch(/[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]/);
    expect(raw().slice(before).split('\r\n')).toHaveLength(3);
  });
});

describe('a task that ends early', () => {
  it.each([
    ['a terminal that is closed', (terminal: { close(): void }) => terminal.close()],
    ['Ctrl+C', (terminal: { handleInput(text: string): void }) => terminal.handleInput('\x03')],
  ])('is cancelled by %s', async (_, stop) => {
    const { terminal, worker, exits, lines } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    stop(terminal as never);
    expect(worker.call!.signal.aborted).toBe(true);
    worker.fail(new RavlError('cancelled', 'It was cancelled.', ''));
    await settled();
    expect(exits).toEqual([exitCodes.interrupted]);
    expect(lines().at(-1)).toBe('Cancelled. What was done is kept: resume it from the Runs view.');
    expect(world.messages()).toEqual([]);
  });

  it('starts nothing when it is closed while its config is read', async () => {
    const task = fake.taskProviders.get('ravl')!.resolveTask(new Task({ type: 'ravl', command: 'mitigate', config: 'sub/ravl.yaml' }, fake.folders[0], 'mine', 'Workspace')) as Task;
    const terminal = (await (task.execution as CustomExecution).callback({})) as { open(): void; close(): void; onDidClose(listener: (code: number) => void): void };
    const closed = new Promise((resolve) => terminal.onDidClose(resolve));
    terminal.open();
    terminal.close();
    expect(await closed).toBe(exitCodes.interrupted);
    expect(world.jobs.active).toEqual([]);
  });

  it.each([
    ['worker-died', exitCodes.run, 'RaVL worker'],
    ['mitigation-no-finding', exitCodes.input, 'no finding'],
    ['internal', exitCodes.defect, 'x is undefined'],
  ])('by %s exits with %i, as the command line does, and says why once more in a message', async (code, exit, text) => {
    const { worker, exits, lines } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    worker.fail(new RavlError(code, `${text} is why.`, 'Do this.'));
    await settled();
    expect(exits).toEqual([exit]);
    expect(lines().at(-1)).toBe(`${text} is why. Do this.`);
    expect(world.messages()).toEqual([['error', `${text} is why. Do this.`, 'Show Log']]);
  });

  it.each([
    [{ command: 'mitigate' }, /^This task of type ravl is not complete: config: .* Mend it in tasks\.json\.$/],
    [{ command: 'train', config: 'sub/ravl.yaml' }, /^This task of type ravl is not complete: command: /],
    [{ command: 'mitigate', config: 'sub/ravl.yaml', findings: [0] }, /findings\.0: /],
    [{ command: 'mitigate', config: 'gone/ravl.yaml' }, /^gone\/ravl\.yaml cannot be read/],
  ])('for what tasks.json says wrongly, %o, exits with 2', async (definition, message) => {
    const { exits, lines } = await execute(definition);
    expect(exits).toEqual([exitCodes.usage]);
    expect(lines()).toEqual([expect.stringMatching(message)]);
    expect(world.jobs.active).toEqual([]);
  });

  it('for want of trust starts nothing', async () => {
    fake.trusted = false;
    const { exits, lines } = await execute({ command: 'mitigate', config: 'sub/ravl.yaml' });
    expect(exits[0]).not.toBe(exitCodes.done);
    expect(lines().at(-1)).toContain('you do not trust');
    expect(world.workers.started).toEqual([]);
  });
});
