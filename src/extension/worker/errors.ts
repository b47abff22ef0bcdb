import { RavlError } from '../../shared/errors';

/** A worker that had begun to answer is gone. What it had finished lies on disk. */
export const workerDied = (how: string, meaning: string) =>
  new RavlError('worker-died', `The RaVL worker process ${how}${meaning}.`, 'Nothing that was finished is lost: a run can be resumed.');

/** A worker that never answered. */
export const workerNotStarted = (node: string, what: string, cause?: unknown) =>
  new RavlError('worker-not-started', `The RaVL worker process does not start with ${node}: ${what}.`, 'The log says more. The setting ravl.nodePath names another Node.js.', { cause });

export const workerStopped = () => new RavlError('worker-stopped', 'The RaVL worker process was stopped.', 'What was finished is kept: a run can be resumed.');

export const nodePathWrong = (path: string, what: string) =>
  new RavlError('node-path-wrong', `The setting ravl.nodePath names ${JSON.stringify(path)}, ${what}.`, 'Name a Node.js of version 20.15 or newer by its absolute path, or clear the setting.');

export const noNode = (tried: readonly string[]) =>
  new RavlError('node-missing', `No Node.js was found that runs RaVL: ${tried.join('; ')}.`, 'Install Node.js 20.15 or newer, and name it in the setting ravl.nodePath if it is not on the PATH.');
