/** The extension host's side of a worker, against workers that misbehave; and the worker against a host that does. */
import { fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runFolders, runJson, temporaryFolder } from './ravl';
import { bundledFixture, bundledWorker, children, fixture, gone, node, sampleIn, started } from './worker';

const folder = temporaryFolder();
const wild = (how = '', more: Partial<Parameters<typeof started>[0]> = {}) => started({ file: fixture('wildWorker.js'), args: [how], ...more });

let file: string;
beforeAll(() => {
  file = bundledWorker();
});

describe('a worker process', () => {
  it('gets neither the secrets of the editor nor options for another Node.js, runs behind it, and in a folder that is there', async () => {
    const secrets = { VSCODE_IPC_HOOK: 'secret', VSCODE_GIT_ASKPASS_NODE: 'secret', NODE_OPTIONS: '--no-warnings', ELECTRON_NO_ASAR: '1', ELECTRON_RUN_AS_NODE: '1', RAVL_TEST: 'kept' };
    Object.assign(process.env, secrets);
    try {
      const answer = (await wild('', { node: { ...node, env: { RAVL_NODE: 'own' } } }).api.ping({})) as unknown as { env: Record<string, string>; execArgv: string[]; priority: number; cwd: string };
      expect(Object.keys(answer.env).filter((name) => /^VSCODE_|^ELECTRON_|^NODE_OPTIONS$/.test(name))).toEqual([]);
      expect(answer).toMatchObject({ env: { RAVL_TEST: 'kept', RAVL_NODE: 'own', PATH: process.env['PATH'] }, execArgv: [], priority: constants.priority.PRIORITY_BELOW_NORMAL, cwd: dirname(fixture('wildWorker.js')) });
    } finally {
      for (const name of Object.keys(secrets)) Reflect.deleteProperty(process.env, name);
    }
  });

  it.each(['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGTERM'])('that is killed by %s ends every open call with one sentence', async (signal) => {
    const { api, ended } = wild();
    await api.ping({});
    const waiting = api.tableColumns({ source: 'x' });
    const killed = api.listRuns({ root: signal });
    for (const call of [waiting, killed]) {
      await expect(call).rejects.toMatchObject({ code: 'worker-died', message: expect.stringMatching(new RegExp(`^The RaVL worker process was killed by ${signal}.*\\.$`)) as string, hint: expect.stringMatching(/resumed/) as string });
    }
    if (signal === 'SIGKILL') await expect(killed).rejects.toThrow(/memory ran out/);
    if (signal === 'SIGSEGV') await expect(killed).rejects.toThrow(/native library/);
    expect(await ended).toMatchObject({ code: 'worker-died' });
    await expect(api.ping({})).rejects.toMatchObject({ code: 'worker-died' });
  });

  it('that exits, or lets go of its channel, is explained as well', async () => {
    const exiting = wild();
    await exiting.api.ping({});
    await expect(exiting.api.deleteRun({ folder: 'x' })).rejects.toMatchObject({ code: 'worker-died', message: 'The RaVL worker process ended with exit code 3.' });
    const leaving = wild();
    await leaving.api.ping({});
    await expect(leaving.api.doctor({})).rejects.toMatchObject({ code: 'worker-died' });
    await gone(leaving.pid!);
  });

  it('that does not start says so in one sentence, by the name of its Node.js', async () => {
    const nowhere = wild('', { node: { ...node, path: join(folder, 'no-node') } });
    await expect(nowhere.api.ping({})).rejects.toMatchObject({ code: 'worker-not-started', message: expect.stringContaining(join(folder, 'no-node')) as string, hint: expect.stringContaining('ravl.nodePath') as string });
    expect(nowhere.pid).toBeUndefined();
    await expect(wild('crash at start').api.ping({})).rejects.toMatchObject({ code: 'worker-not-started', message: expect.stringContaining('exit code 7') as string });
    const missing = started({ file: join(folder, 'worker.js') });
    await expect(missing.api.ping({})).rejects.toMatchObject({ code: 'worker-not-started' });
    expect(missing.lines.join('\n')).toMatch(/Cannot find module/);
  });

  it('may answer out of order, twice, or with garbage between: every call gets its own answer', async () => {
    const { api, pid } = wild('twice');
    expect((await api.ping({})).pid).toBe(pid);
    const [first, second] = [api.tableColumns({ source: 'first' }), api.tableColumns({ source: 'second' })];
    expect([await first, await second]).toEqual([['first'], ['second']]);
    const noisy = wild('garbage');
    expect((await noisy.api.ping({})).pid).toBe(noisy.pid);
    await expect(noisy.api.inspect({ checkpoint: 'x', baseDir: '/' })).rejects.toMatchObject({ code: 'message-invalid' });
    expect(noisy.lines.join('\n')).toMatch(/no message[\s\S]*event progress/);
  });

  it('that does not answer is told of, and can be ended', async () => {
    let beat: () => void = () => undefined;
    const told: number[] = [];
    const mute = wild('mute', { unresponsive: (seconds) => told.push(seconds), every: (work) => ((beat = work), () => undefined) });
    for (let i = 0; i < 12; i++) beat();
    expect(told).toEqual([60]);
    const call = mute.api.ping({});
    mute.dispose();
    await expect(call).rejects.toMatchObject({ code: 'worker-stopped' });
    await gone(mute.pid!);
  });

  it('a call of which was cancelled while it died, rejects with the reason; one that waits for its answer, with the death', async () => {
    const { api, dispose } = wild();
    await api.ping({});
    const controller = new AbortController();
    const [quick, patient] = [api.tableColumns({ source: 'x' }, { signal: controller.signal }), api.evaluate({ baseDir: '/' }, { signal: controller.signal, untilAnswered: true })];
    controller.abort();
    dispose();
    await expect(quick).rejects.toMatchObject({ name: 'AbortError' });
    await expect(patient).rejects.toMatchObject({ code: 'worker-stopped' });
  });
});

describe('the worker', () => {
  /** Speaks to it as it pleases, and waits for the answer to the request `id`. */
  function raw() {
    const child = fork(file, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    children.add(child);
    child.setMaxListeners(0);
    const replies: { id?: unknown; result?: unknown; error?: { code: number } }[] = [];
    const answer = (id: unknown) =>
      new Promise<(typeof replies)[number]>((resolve, reject) => {
        child.once('exit', (code, signal) => reject(new Error(`ended by ${code ?? signal}`)));
        const look = () => {
          const found = replies.find((reply) => reply.id === id);
          if (found) resolve(found);
        };
        child.on('message', look);
        look();
      });
    child.on('message', (message) => replies.push(message as never));
    return { child, answer, send: (message: unknown) => child.send(message as never) };
  }

  it('survives what is no message, no method, no parameter, and answers the next call', async () => {
    const { child, send, answer } = raw();
    const garbage = [0, 'text', [], {}, { jsonrpc: '1.0', method: {}, id: 1 }, { jsonrpc: '2.0', method: '$/cancelRequest' }, { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: null } }, { jsonrpc: '2.0', id: 4711, result: 1 }, new Map(), new Uint8Array(1000)];
    for (const each of garbage) send(each);
    const calls: [unknown, object][] = [
      [{ method: 'eval', params: { code: 'process.exit()' } }, { error: { code: -32601 } }],
      [{ method: '__proto__', params: {} }, { error: { code: -32601 } }],
      [{ method: 'constructor', params: {} }, { error: { code: -32601 } }],
      [{ method: 'listRuns', params: {} }, { result: { ok: false, error: { code: 'message-invalid' } } }],
      [{ method: 'listRuns', params: { root: 5 } }, { result: { ok: false, error: { code: 'message-invalid' } } }],
      [{ method: 'listRuns', params: { root: '/nowhere', more: 1 } }, { result: { ok: false, error: { code: 'message-invalid' } } }],
      [{ method: 'listRuns' }, { result: { ok: false } }],
      [{ method: 'view', params: { folder: '/', query: 'constructor', params: {} } }, { result: { ok: false, error: { code: 'message-invalid' } } }],
      [{ method: 'deleteRun', params: { folder: folder } }, { result: { ok: false, error: { code: 'run-unknown' } } }],
      // 64 MB where a path belongs.
      [{ method: 'listRuns', params: { root: 'x'.repeat(2 ** 26) } }, { result: { ok: false, error: { code: 'message-invalid' } } }],
      [{ method: 'ping', params: {} }, { result: { ok: true, value: { pid: child.pid } } }],
    ];
    for (const [i, [message, expected]] of calls.entries()) {
      send({ jsonrpc: '2.0', id: `call ${i}`, ...(message as object) });
      expect(await answer(`call ${i}`)).toMatchObject(expected);
    }
    expect(existsSync(folder)).toBe(true);
    child.kill('SIGKILL');
  });

  it('takes a cancellation before, after and without its request', async () => {
    const { child, send, answer } = raw();
    const cancel = (id: unknown) => send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } });
    const request = { ...sampleIn(join(folder, 'cancelled')) };
    cancel('early');
    send({ jsonrpc: '2.0', id: 'early', method: 'ping', params: {} });
    expect(await answer('early')).toMatchObject({ result: { ok: true } });
    cancel('early');
    cancel('never');
    send({ jsonrpc: '2.0', id: 'long', method: 'analyze', params: request });
    cancel('long');
    cancel('long');
    expect(await answer('long')).toMatchObject({ result: { ok: false, error: { code: 'cancelled' } } });
    child.kill('SIGKILL');
  });

  it('ends when its channel is closed, whatever runs', async () => {
    const { child, send } = raw();
    const running = new Promise<string>((resolve) => child.on('message', ({ method, params }: { method?: string; params?: { folder: string } }) => method === 'run' && resolve(params!.folder)));
    send({ jsonrpc: '2.0', id: 1, method: 'analyze', params: sampleIn(join(folder, 'closed')) });
    const run = await running;
    child.disconnect();
    await gone(child.pid!);
    expect(existsSync(join(run, 'findings.json'))).toBe(false);
  });

  it('ends when the editor is killed', async () => {
    const request = sampleIn(join(folder, 'orphan'));
    const host = spawn(process.execPath, [fixture('workerHost.js'), file, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(host);
    const pid = Number(await new Promise((resolve) => host.stdout.once('data', resolve)));
    expect(pid).toBeGreaterThan(0);
    host.kill('SIGKILL');
    await gone(pid);
    const [run] = await runFolders(request.root);
    expect(existsSync(join(run!, 'findings.json'))).toBe(false);
    expect((await runJson(run!)).state).toBe('running');
  });

  it('ends with its parent even where its main thread never looks up', async () => {
    const stuck = await bundledFixture('stuckWorker.ts');
    const code = `const worker = require('node:child_process').fork(${JSON.stringify(stuck)}); worker.on('message', () => console.log(worker.pid));`;
    const host = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(host);
    const pid = Number(await new Promise((resolve) => host.stdout.once('data', resolve)));
    host.kill('SIGKILL');
    await gone(pid);
  });

  it('started by hand says what it is', async () => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, said]).toEqual([1, expect.stringMatching(/in a terminal, use ravl/)]);
  });
});
