/**
 * The Node.js that runs the worker: the setting, else `node` on the PATH, else the editor's own binary, which is Node.js
 * when it is told so. Native allocators have killed processes inside the editor's binary, so it comes last.
 */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { nodePathWrong, noNode } from './errors';

export interface FoundNode {
  /** Absolute. */
  readonly path: string;
  readonly version: string;
  /** What its environment needs on top. */
  readonly env: Readonly<Record<string, string>>;
}

export interface NodeSearch {
  /** The setting ravl.nodePath; empty where there is none. */
  readonly setting: string;
  readonly searchPath: string | undefined;
  /** The editor's own binary. */
  readonly editor: string;
  /** What the native packages are built for. */
  readonly arch: string;
  log(line: string): void;
}

/** Throws `node-path-wrong` where the setting names none that runs RaVL, `node-missing` where nothing does. */
export async function findNode({ setting, searchPath, editor, arch, log }: NodeSearch): Promise<FoundNode> {
  if (setting !== '') {
    if (!isAbsolute(setting)) throw nodePathWrong(setting, 'which is no absolute path');
    const found = await examine(setting, {}, arch);
    if (typeof found === 'string') throw nodePathWrong(setting, found);
    return found;
  }
  const tried: string[] = [];
  const onPath = await nodeOn(searchPath);
  if (onPath === undefined) tried.push('there is no node on the PATH');
  for (const [path, env] of [...(onPath === undefined ? [] : [[onPath, {}] as const]), [editor, { ELECTRON_RUN_AS_NODE: '1' }] as const]) {
    const found = await examine(path, env, arch);
    if (typeof found !== 'string') {
      log(`The worker runs on Node.js ${found.version}, ${path}.`);
      return found;
    }
    tried.push(`${path}, ${found}`);
  }
  throw noNode(tried);
}

/** The oldest Node.js that RaVL runs on; package.json says the same. */
const oldest = [20, 15] as const;
/** A first start from a network disk takes its time. */
const timeout = 20_000;

/** What a binary is, or in words why it does not do: `which …`. */
async function examine(path: string, env: FoundNode['env'], arch: string): Promise<FoundNode | string> {
  // Options and preloads that are meant for another Node.js could keep this one from starting.
  const clean = { ...process.env, NODE_OPTIONS: '', ...env };
  const ask = ['-p', 'JSON.stringify({ version: process.versions.node, arch: process.arch })'];
  const answer = await promisify(execFile)(path, ask, { env: clean, timeout, cwd: join(path, '..'), windowsHide: true }).then(
    ({ stdout }) => parsed(stdout),
    (error: NodeJS.ErrnoException) => `which does not start (${error.code ?? error.message.split('\n')[0]})`,
  );
  if (typeof answer === 'string') return answer;
  if (!answer) return 'which is no Node.js';
  const [major = 0, minor = 0] = answer.version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) return `which is Node.js ${answer.version}, older than ${oldest.join('.')}`;
  if (answer.arch !== arch) return `which is built for ${answer.arch}, while RaVL is installed for ${arch}`;
  return { path, version: answer.version, env };
}

function parsed(text: string): { version: string; arch: string } | undefined {
  try {
    const { version, arch } = JSON.parse(text) as { version?: unknown; arch?: unknown };
    return typeof version === 'string' && typeof arch === 'string' ? { version, arch } : undefined;
  } catch {
    return undefined;
  }
}

/** The first `node` of the PATH's absolute folders: a relative one would be looked for wherever the editor was started. */
async function nodeOn(searchPath = ''): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const folder of searchPath.split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const file = join(folder, name);
    const executable = await access(file, constants.X_OK).then(() => true, () => false);
    if (executable) return file;
  }
  return undefined;
}
