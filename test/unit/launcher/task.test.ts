import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failedTasks, lastLineOf, prepareLaunch, readFailure, readTask, runTask } from '../../../src/engine/launcher/task';
import { RavlError } from '../../../src/shared/errors';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ravl-task-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const launch = () => ({ name: 'test', folder, stages: [{ name: 'embed', tasks: 3 }, { name: 'merge', tasks: 1 }], task: { kind: 'analyze' as const, request: { seed: 1, names: ['$(x)', 'a\nb'] } } });

describe('a task', () => {
  it('gets what it is to do', async () => {
    await prepareLaunch(launch());
    let got: unknown;
    await runTask(folder, 'embed', 2, (task, share) => Promise.resolve(void (got = { task, share })));
    expect(got).toEqual({ task: launch().task, share: { folder, stage: 'embed', index: 2, request: launch().task.request } });
    expect(await failedTasks(launch())).toEqual([]);
  });

  it('that fails leaves its sentence, for whoever watches', async () => {
    await prepareLaunch(launch());
    const error = new RavlError('dataset-image-unreadable', 'a.png is no image.', 'Replace it.');
    await expect(runTask(folder, 'embed', 1, () => Promise.reject(error))).rejects.toBe(error);
    expect(await failedTasks(launch())).toEqual([{ stage: 'embed', index: 1 }]);
    expect(await readFailure(folder, 'embed', 1, '/logs/1')).toMatchObject({ code: error.code, message: error.message, hint: 'Replace it. The log of that task: /logs/1' });
    // Started again, it has not failed until it does so again.
    await runTask(folder, 'embed', 1, () => Promise.resolve());
    expect(await failedTasks(launch())).toEqual([]);
    expect(await readFailure(folder, 'embed', 1, '/logs/1')).toBeNull();
  });

  it('that fails by a defect says so; one that was stopped has not failed', async () => {
    await prepareLaunch(launch());
    await expect(runTask(folder, 'merge', 0, () => Promise.reject(new TypeError('x is not a function')))).rejects.toThrow();
    expect(await readFailure(folder, 'merge', 0, '/log')).toMatchObject({ code: 'internal', message: expect.stringContaining('x is not a function') as string });
    await expect(runTask(folder, 'embed', 0, () => Promise.reject(AbortSignal.abort().reason as Error))).rejects.toThrow();
    expect(await failedTasks(launch())).toEqual([{ stage: 'merge', index: 0 }]);
  });

  it('without a file to read, or a damaged or newer one, says which', async () => {
    await expect(readTask(folder)).rejects.toMatchObject({ code: 'launcher-task-missing', message: expect.stringContaining(join(folder, 'task.json')) as string });
    writeFileSync(join(folder, 'task.json'), '{"version":1,"kind":"reboot"}');
    await expect(readTask(folder)).rejects.toMatchObject({ code: 'launcher-task-missing', message: expect.stringContaining('damaged') as string });
    writeFileSync(join(folder, 'task.json'), '{"version":2,"kind":"analyze"}');
    await expect(readTask(folder)).rejects.toMatchObject({ code: 'run-newer-version' });
  });

  it('leaves a folder that the next launch clears', async () => {
    await prepareLaunch(launch());
    await runTask(folder, 'embed', 0, () => Promise.reject(new Error('x'))).catch(() => undefined);
    writeFileSync(join(folder, 'jobs.json'), '{}');
    await prepareLaunch(launch());
    expect(readdirSync(folder).sort()).toEqual(['logs', 'task.json']);
  });
});

it('the last line of a log is the last one that says something', async () => {
  const log = join(folder, 'log');
  expect(await lastLineOf(log)).toBeNull();
  writeFileSync(log, '\n \n');
  expect(await lastLineOf(log)).toBeNull();
  writeFileSync(log, 'first\nslurmstepd: error: killed.\r\n\n');
  expect(await lastLineOf(log)).toBe('slurmstepd: error: killed');
});
