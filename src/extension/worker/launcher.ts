import { join } from 'node:path';
import type * as vscode from 'vscode';
import { readSettings } from '../settings';
import { requireTrust } from '../trust';
import { findNode, type FoundNode } from './findNode';
import { startWorker, type WorkerOptions, type WorkerProcess } from './workerProcess';

/** Starts a worker on the Node.js of this machine, its lines in the log. Throws what finding that Node.js throws, `worker-not-started`, and `workspace-untrusted`. */
export type Launch = (options?: Pick<WorkerOptions, 'args' | 'events' | 'unresponsive'>) => Promise<WorkerProcess>;

/**
 * @param extensionPath folder of the extension, in which dist/worker.js lies
 * @param packages folder of what Set Up GPU installed, which may not be there
 */
export function createLauncher(log: vscode.LogOutputChannel, extensionPath: string, packages: string): Launch {
  let found: { readonly setting: string; readonly node: Promise<FoundNode> } | null = null;
  const node = () => {
    const setting = readSettings().nodePath.trim();
    if (found?.setting !== setting) {
      const search = findNode({ setting, searchPath: process.env['PATH'], editor: process.execPath, arch: process.arch, log: (line) => log.info(line) });
      found = { setting, node: search };
      // What was wrong may be mended by the next attempt.
      search.catch(() => (found = null));
    }
    return found!.node;
  };
  return async (options = {}) => {
    requireTrust();
    const chosen = await node();
    return startWorker({ ...options, node: { ...chosen, env: { ...chosen.env, RAVL_PACKAGES: packages } }, file: join(extensionPath, 'dist', 'worker.js'), log: (line) => log.info(line) });
  };
}
