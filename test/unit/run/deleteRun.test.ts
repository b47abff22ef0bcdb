import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deleteRun } from '../../../src/engine/run/deleteRun';
import { launchFolder, listRuns, openRun } from '../../../src/engine/run/runFolder';
import { jobsFile, jobsText } from '../../../src/engine/slurm/jobs';
import { fakeSlurm } from '../../fixtures/fakeSlurm';

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-delete-'));
  root = join(folder, '.ravl', 'runs');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const open = (fingerprint = 'aaaaaa') => openRun({ root, fingerprint, describe: { versions: {}, seed: 0, config: {}, inputs: {} } }, () => undefined);

describe('deleteRun', () => {
  it('removes a run and nothing else', async () => {
    const [gone, stays] = [await open('aaaaaa'), await open('bbbbbb')];
    await mkdir(join(gone.folder, 'checkpoint'));
    await writeFile(join(gone.folder, 'checkpoint', 'model.onnx'), 'weights');
    await Promise.all([gone, stays].map((run) => run.close({ state: 'complete' })));
    await deleteRun(gone.folder);
    expect((await listRuns(root)).map(({ id }) => id)).toEqual([stays.id]);
    expect(await readdir(join(folder, '.ravl'))).toEqual(['runs']);
  });

  it('removes a damaged run too, and what an earlier deletion left', async () => {
    const run = await open();
    await run.close({ state: 'complete' });
    await writeFile(join(run.folder, 'run.json'), 'no longer JSON');
    await mkdir(join(folder, '.ravl', 'deleted-before'));
    await deleteRun(run.folder);
    expect(await readdir(join(folder, '.ravl'))).toEqual(['runs']);
  });

  it('refuses a run that Slurm jobs work on, until they have ended', async () => {
    const run = await open();
    await run.handOver();
    await mkdir(launchFolder(run.folder));
    await writeFile(jobsFile(launchFolder(run.folder)), jobsText([{ stage: 'embed', id: '7', tasks: 1 }]));
    fakeSlurm(folder).knows([{ job_id: 7, array_job_id: 7, array_task_id: 0, job_state: 'PENDING' }], [{ job_id: 7, array_job_id: 7, array_task_id: 0, job_state: 'CANCELLED' }]);
    await expect(deleteRun(run.folder)).rejects.toMatchObject({ code: 'run-busy', hint: expect.stringContaining('scancel 7') as string });
    await deleteRun(run.folder);
    expect(existsSync(run.folder)).toBe(false);
  });

  it('refuses a run that a living process works on; it is not disturbed', async () => {
    const run = await open();
    await expect(deleteRun(run.folder)).rejects.toMatchObject({ code: 'run-busy', message: expect.stringContaining(`pid ${process.pid}`) as string, hint: expect.stringContaining('Cancel') as string });
    await run.close({ state: 'complete' });
    expect(await listRuns(root)).toMatchObject([{ file: { state: 'complete' } }]);
  });

  it('takes the lock of a dead process for none', async () => {
    const run = await open();
    const [lock] = await readdir(join(run.folder, 'locks'));
    const holder = JSON.parse(await readFile(join(run.folder, 'locks', lock!), 'utf8')) as object;
    await writeFile(join(run.folder, 'locks', lock!), JSON.stringify({ ...holder, bootId: 'another boot' }));
    await deleteRun(run.folder);
    expect(await listRuns(root)).toEqual([]);
  });

  it.each([
    ['a folder that is no run', ['.ravl', 'runs', 'notes']],
    ['the folder of all runs', ['.ravl', 'runs']],
    ['a folder elsewhere', ['project']],
    ['nothing', ['.ravl', 'runs', 'nothing']],
    ['a way out', ['.ravl', 'runs', '..', '..', 'project']],
  ])('refuses %s', async (_, path) => {
    for (const each of [join(root, 'notes'), join(folder, 'project')]) {
      await mkdir(each, { recursive: true });
      await writeFile(join(each, 'mine.txt'), 'mine');
    }
    await writeFile(join(folder, 'project', 'run.json'), '{}');
    await expect(deleteRun([folder, ...path].join('/'))).rejects.toMatchObject({ code: 'run-unknown' });
    expect(existsSync(join(folder, 'project', 'mine.txt')) && existsSync(join(root, 'notes', 'mine.txt'))).toBe(true);
  });

  it('refuses a link to a run elsewhere', async () => {
    const run = await open();
    await run.close({ state: 'complete' });
    await mkdir(join(folder, 'other', '.ravl', 'runs'), { recursive: true });
    const link = join(folder, 'other', '.ravl', 'runs', run.id);
    await symlink(run.folder, link);
    await expect(deleteRun(link)).rejects.toMatchObject({ code: 'run-unknown' });
    expect(await listRuns(root)).toHaveLength(1);
  });
});
