import { Worker } from 'node:worker_threads';

/**
 * Ends this process with its parent, whatever runs. The closed channel tells of it at once where the event loop turns; where
 * it stands still in native code, a thread of its own sees that the parent is gone.
 */
export function dieWithParent(): void {
  // Files are written whole or not at all, so nothing is to be put in order; leaving politely could wait for native threads.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  new Worker(watch, { eval: true, workerData: process.ppid }).unref();
}

/** An orphan gets another parent on POSIX; on Windows it keeps the number of one that is no more. */
const watch = `
  const { workerData: parent } = require('node:worker_threads');
  const gone = () => {
    if (process.ppid !== parent) return true;
    try {
      return !process.kill(parent, 0);
    } catch (error) {
      return error.code === 'ESRCH';
    }
  };
  setInterval(() => gone() && process.kill(process.pid, 'SIGKILL'), 500);
`;
