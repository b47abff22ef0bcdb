import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as vscode from 'vscode';
import { folderUnusable, incomplete, notInstalled, npmMissing } from './errors';
import { type GpuPackage, isInstalled } from './gpuPackages';

interface Manifest {
  readonly private: true;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

/** Where npm is, as a program and its first arguments. Throws `gpu-npm-missing`. */
export function findNpm(searchPath = process.env['PATH'] ?? '', platform: NodeJS.Platform = process.platform): readonly [string, ...string[]] {
  const file = platform === 'win32' ? 'npm.cmd' : 'npm';
  const found = searchPath.split(delimiter).filter(Boolean).map((folder) => join(folder, file)).find((path) => existsSync(path));
  if (found === undefined) throw npmMissing();
  // Windows starts no .cmd but through its command processor.
  return platform === 'win32' ? ['cmd.exe', '/d', '/s', '/c', found] : [found];
}

/** What is run in the folder: npm reads the package from the package.json that is written there. */
export const npmArguments = ['install', '--no-audit', '--no-fund', '--foreground-scripts'] as const;

/**
 * Installs a package into a folder of its own, as a task that the person sees. What was installed before stays, also where it fails.
 * Throws `gpu-npm-missing`, `gpu-folder-unusable`, `gpu-not-installed`, `gpu-incomplete`.
 */
export async function installPackage(folder: string, wanted: GpuPackage): Promise<void> {
  const [program, ...first] = findNpm();
  const file = join(folder, 'package.json');
  const before = await readFile(file, 'utf8').catch(() => null);
  const known = parsed(before);
  const manifest: Manifest = {
    private: true,
    dependencies: { ...known.dependencies, [wanted.name]: wanted.version },
    // Its install script fetches the native part; newer versions of npm run those alone that are named.
    allowScripts: { ...known.allowScripts, [wanted.name]: true },
  };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
  } catch (error) {
    throw folderUnusable(folder, error);
  }
  const execution = new vscode.ProcessExecution(program, [...first, ...npmArguments], { cwd: folder, env: { ...wanted.env } });
  const code = await runTask(vscode.l10n.t('Install {0}', wanted.title), execution);
  if (code === 0 && isInstalled(folder, wanted)) return;
  // A dependency that cannot be installed would fail the next one, too.
  if (before === null) await rm(folder, { recursive: true, force: true });
  else await writeFile(file, before);
  throw code === 0 ? incomplete(wanted.title, wanted.binary) : notInstalled(wanted.title, code, wanted.from);
}

/** Runs a process in a terminal that stays open; its exit code, or undefined where it was stopped. */
async function runTask(name: string, execution: vscode.ProcessExecution): Promise<number | undefined> {
  const task = new vscode.Task({ type: 'process' }, vscode.workspace.workspaceFolders ? vscode.TaskScope.Workspace : vscode.TaskScope.Global, name, 'RaVL', execution, []);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, panel: vscode.TaskPanelKind.Dedicated, clear: true };
  const ours = (event: { execution: vscode.TaskExecution }): boolean => event.execution.task.name === name && event.execution.task.source === 'RaVL';
  const listening: vscode.Disposable[] = [];
  try {
    const ended = new Promise<number | undefined>((resolve) => {
      listening.push(vscode.tasks.onDidEndTaskProcess((event) => ours(event) && resolve(event.exitCode)));
      // Of a task whose process ended, this is told afterwards; of one that never started, alone.
      listening.push(vscode.tasks.onDidEndTask((event) => ours(event) && resolve(undefined)));
    });
    await vscode.tasks.executeTask(task);
    return await ended;
  } finally {
    listening.forEach((each) => void each.dispose());
  }
}

function parsed(text: string | null): Partial<Manifest> {
  try {
    return JSON.parse(text ?? '{}') as Partial<Manifest>;
  } catch {
    return {};
  }
}
