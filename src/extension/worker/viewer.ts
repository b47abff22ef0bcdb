import * as vscode from 'vscode';
import type { CallOptions } from '../../shared/rpc';
import type { Viewer } from '../context';
import { readSettings } from '../settings';
import { workerStopped } from './errors';
import type { Launch } from './launcher';
import type { WorkerProcess } from './workerProcess';

/** Calls `work` after so many milliseconds, unless the function that it returns is called before. */
export type After = (work: () => void, milliseconds: number) => () => void;

/** A process without questions gives its memory back. */
const idle = 10 * 60_000;

/** The worker that answers questions: started by the first one, ended when there was none for a while, and started again after that or a death. */
export function createViewer(launch: Launch, log: Pick<vscode.LogOutputChannel, 'info' | 'warn'>, after: After = realAfter): Viewer {
  const progress = new vscode.EventEmitter<{ folder: string; query: string; done: number; total: number }>();
  let worker: Promise<WorkerProcess> | null = null;
  let open = 0;
  let disposed = false;
  let stayAwake = () => undefined as unknown;

  const start = (): Promise<WorkerProcess> => {
    const started = launch({
      args: [String(readSettings().cacheSize * 2 ** 20)],
      events: { viewProgress: (event) => progress.fire(event) },
      unresponsive: (seconds) => log.warn(seconds === 0 ? 'The viewer answers again.' : `The viewer has not answered for ${seconds} seconds.`),
    });
    const forget = () => {
      if (worker === started) worker = null;
    };
    started.then((process) => process.ended.then(forget), forget);
    return started;
  };
  const end = () => {
    void worker?.then((process) => process.dispose(), () => undefined);
    worker = null;
  };

  /** Asks with a process that is there while it is asked. */
  const asked = async <T>(ask: (api: WorkerProcess['api']) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    if (disposed) throw workerStopped();
    signal?.throwIfAborted();
    stayAwake();
    open++;
    try {
      worker ??= start();
      const { api, dispose } = await worker;
      if (disposed) {
        dispose();
        throw workerStopped();
      }
      return await ask(api);
    } finally {
      if (--open === 0 && !disposed) stayAwake = after(end, idle);
    }
  };
  const passed = <P, R>(pick: (api: WorkerProcess['api']) => (params: P, options?: CallOptions) => Promise<R>) =>
    (params: P, options?: CallOptions) => asked((api) => pick(api)(params, options), options?.signal);

  return {
    view: ((folder: string, query: string, params: unknown, options?: CallOptions) =>
      asked((api) => api.view({ folder, query, params }, options), options?.signal)) as Viewer['view'],
    api: {
      listRuns: passed((api) => api.listRuns),
      deleteRun: passed((api) => api.deleteRun),
      tableColumns: passed((api) => api.tableColumns),
      tableLabels: passed((api) => api.tableLabels),
      inspect: passed((api) => api.inspect),
      doctor: passed((api) => api.doctor),
    },
    onProgress: progress.event,
    dispose() {
      disposed = true;
      stayAwake();
      end();
      progress.dispose();
    },
  };
}

const realAfter: After = (work, milliseconds) => {
  const timer = setTimeout(work, milliseconds);
  return () => clearTimeout(timer);
};
