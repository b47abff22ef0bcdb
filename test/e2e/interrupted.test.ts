import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeEditor, type Editor } from './editor';
import { until } from './until';
import { editConfig, findingsBytes, ravl, type RunOnDisk, runsOnDisk, slowSample } from './workspaces';

/** What comes of a run that is never disturbed, made by the packaged command line in a folder of its own. */
let undisturbed: Promise<Buffer>;
let elsewhere: string;

describeEditor('a run that is disturbed', { fill }, (editor) => {
  it('stops when it is cancelled, and comes to the same end when it is resumed', async () => {
    const stopped = await startAnalysis(editor());
    const asked = Date.now();
    await editor().command('RaVL: Cancel Run');
    await until('the end of the worker', () => job(editor()) === undefined);
    console.log(`Cancelled within ${((Date.now() - asked) / 1000).toFixed(1)} s, the palette included.`);
    await showsRun(editor(), /interrupted/);
    await editor().screenshot('cancelled');

    await resumeFromPalette(editor());
    const resumed = await completed(editor(), stopped.id);
    expect(await findingsBytes(resumed)).toEqual(await undisturbed);
  });

  it('is marked interrupted when the window is loaded again, and loses nothing', async () => {
    const started = await startAnalysis(editor(), 1);
    await editor().reload();
    await until('the end of the worker', () => job(editor()) === undefined);
    await showsRun(editor(), /interrupted/);
    await editor().screenshot('reloaded');
    const after = (await runsOnDisk(editor().workspace)).at(-1)!;
    expect(after.id).toBe(started.id);
    expect(after.shards).toBeGreaterThanOrEqual(started.shards);

    await resumeFromPalette(editor());
    await completed(editor(), started.id);
  });

  it('explains that its process was killed, and goes on from there', async () => {
    const started = await startAnalysis(editor(), 2);
    process.kill(job(editor())!.pid, 'SIGKILL');
    await editor().toast(/was killed by SIGKILL/).waitFor();
    await editor().screenshot('killed');
    await editor().clickToast(/was killed by SIGKILL/, 'Resume');
    await completed(editor(), started.id);
  });

  it('leaves no process when the extension host is killed', async () => {
    await startAnalysis(editor(), 3);
    const { pid } = job(editor())!;
    process.kill(editor().extensionHosts()[0]!.pid, 'SIGKILL');
    await until('the end of the worker', () => !editor().workers().some((worker) => worker.pid === pid), 10_000);
  });

  it('leaves no process when the whole server is killed', async () => {
    await editor().reload();
    await startAnalysis(editor(), 4);
    for (const { pid, command } of editor().server.processes()) if (/code-server\/(out|lib)\//.test(command)) process.kill(pid, 'SIGKILL');
    await until('the end of all workers', () => editor().workers().length === 0, 10_000);
  });
});

afterAll(async () => {
  await undisturbed?.catch(() => undefined);
  if (elsewhere) await rm(elsewhere, { recursive: true, force: true });
});

async function fill(workspace: string, cli: string): Promise<void> {
  await slowSample(workspace);
  elsewhere = await mkdtemp(join(tmpdir(), 'ravl-e2e-undisturbed-'));
  await slowSample(elsewhere);
  await ravl(cli, elsewhere, 'analyze', 'ravl.yaml');
  undisturbed = findingsBytes((await runsOnDisk(elsewhere))[0]!);
}

/** Starts an analysis by the config's menu, with a seed of its own for a run of its own, and waits until a part of it is on disk. */
async function startAnalysis(editor: Editor, seed?: number): Promise<RunOnDisk> {
  const before = (await runsOnDisk(editor.workspace)).length;
  if (seed !== undefined) await editConfig(editor.workspace, (text) => `${text.replace(/\nseed: .*/, '')}\nseed: ${seed}\n`);
  await editor.contextMenu('ravl.yaml', 'RaVL', 'Analyze');
  return until('a part of the run', async () => {
    const run = (await runsOnDisk(editor.workspace))[before];
    return run && run.shards > 0 && run;
  });
}

/** The process of a run; the one that answers questions has an argument. */
const job = (editor: Editor) => editor.workers().find(({ command }) => command.endsWith('worker.js'));

async function showsRun(editor: Editor, state: RegExp): Promise<void> {
  await until(`a run that is ${state}`, async () => (await editor.runs()).some((row) => row.startsWith('Analysis') && state.test(row)));
}

async function resumeFromPalette(editor: Editor): Promise<void> {
  await editor.command('RaVL: Resume Run');
  await editor.pick('Analysis');
}

const completed = (editor: Editor, id: string): Promise<RunOnDisk> =>
  until(`the end of the run ${id}`, async () => (await runsOnDisk(editor.workspace)).find((run) => run.id === id && run.state === 'complete'), 180_000);
