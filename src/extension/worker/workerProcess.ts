/**
 * A worker process as the extension host sees it: started, watched, spoken to and ended. Its death, whatever killed it, is a
 * normal outcome: every open call rejects with one sentence, and nothing else happens. Knows no editor.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { RavlError } from '../../shared/errors';
import { client, listen, messagesOnly, type Api, type CallOptions, type Client, type EventListeners } from '../../shared/rpc';
import { workerApi, workerEvents, type WorkerApi } from '../../shared/workerApi';
import { workerDied, workerNotStarted, workerStopped } from './errors';
import type { FoundNode } from './findNode';
import { startHeartbeat, type Every } from './heartbeat';

export interface WorkerOptions {
  readonly node: FoundNode;
  /** The worker's bundle, dist/worker.js. */
  readonly file: string;
  readonly args?: readonly string[];
  readonly events?: EventListeners<typeof workerEvents>;
  /** Lines that the worker, or a native library in it, writes; and what becomes of the process. */
  log?(line: string): void;
  /** The event loop of the worker has stood still for so many seconds; 0 once it turns again. */
  unresponsive?(seconds: number): void;
  /** The clock of the heartbeat. */
  readonly every?: Every;
}

export interface WorkerProcess {
  /** Calls reject with the RavlError that the worker met, with `worker-died` or `worker-not-started`, or with `signal.reason`. */
  readonly api: Client<WorkerApi>;
  /** undefined where it could not be started. */
  readonly pid: number | undefined;
  /** Resolves once the process is gone, with what open calls were told; never rejects. */
  readonly ended: Promise<RavlError>;
  /** Ends the process at once, whatever it does; open calls reject with `worker-stopped`. What is on disk stays whole. */
  dispose(): void;
}

/** Starts a worker. What goes wrong in starting is told by `ended` and by the calls, or thrown as `worker-not-started`. */
export function startWorker(options: WorkerOptions): WorkerProcess {
  const { node, file, args = [], log = () => undefined, events = {}, unresponsive = () => undefined, every } = options;
  const child = forked(node, file, args);
  lowerPriority(child);
  for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', log);

  const connection = createMessageConnection(
    messagesOnly(new IPCMessageReader(child), () => log('The worker sent something that is no message.')),
    new IPCMessageWriter(child),
  );
  // Of a channel that breaks, the end of the process tells.
  connection.onError(() => undefined);
  listen(connection, workerEvents, events, (event) => log(`The worker sent an event ${event} that RaVL does not know.`));
  connection.listen();

  let outcome: RavlError | null = null;
  let [answered, disposed] = [false, false];
  const plain = client(connection, workerApi);
  const ended = endOf(child).then((end) => {
    outcome = disposed ? workerStopped() : explain(end, answered, node.path);
    stopHeartbeat();
    log(`Worker ${child.pid ?? ''} ended: ${outcome.message}`);
    connection.dispose();
    return outcome;
  });
  const stopHeartbeat = startHeartbeat(async () => {
    await plain.ping({});
    answered = true;
  }, unresponsive, every);

  return {
    api: guarded(workerApi, plain, () => (outcome !== null || !child.connected ? ended : null)),
    pid: child.pid,
    ended,
    dispose() {
      disposed = true;
      // Its main thread may be deep in native code, and would hear of a closed channel only after it.
      child.kill('SIGKILL');
    },
  };
}

function forked(node: FoundNode, file: string, args: readonly string[]): ChildProcess {
  try {
    return fork(file, args, {
      execPath: node.path,
      execArgv: [],
      env: { ...cleanEnvironment(process.env), ...node.env },
      // A folder that is there: a workspace's may be gone, which would look as if Node.js were.
      cwd: dirname(file),
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
  } catch (error) {
    throw workerNotStarted(node.path, error instanceof Error ? error.message : String(error), error);
  }
}

/** Calls of a process that is gone reject with why it is; those that were answered first keep their answer. */
function guarded<A extends Api>(api: A, calls: Client<A>, gone: () => Promise<RavlError> | null): Client<A> {
  const call = (name: keyof A & string) => async (params: never, options?: CallOptions) => {
    try {
      return await calls[name](params, options);
    } catch (error) {
      if (error instanceof RavlError || error === options?.signal?.reason) throw error;
      throw (await gone()) ?? error;
    }
  };
  return Object.fromEntries(Object.keys(api).map((name) => [name, call(name)])) as unknown as Client<A>;
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Of a process that was never there. */
  readonly error: Error | null;
}

/** Waits for the process to go, and for what it said last: its channel is drained after it is gone. */
function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.on('error', (error) => child.pid === undefined && resolve({ code: null, signal: null, error }));
    child.on('exit', (code, signal) => {
      const end = () => resolve({ code, signal, error: null });
      if (child.connected) child.once('disconnect', end);
      else end();
    });
    // Without a channel nobody can speak to it any more.
    child.on('disconnect', () => child.kill('SIGKILL'));
  });
}

function explain({ code, signal, error }: End, answered: boolean, node: string): RavlError {
  if (error) return workerNotStarted(node, error.message, error);
  const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
  if (signal === null && !answered) return workerNotStarted(node, `it ${how}`);
  return workerDied(how, meaningOf(signal, code));
}

/** What a death usually means, with its comma. */
function meaningOf(signal: NodeJS.Signals | null, code: number | null): string {
  // 0xC0000005 and 0xC0000409 are how Windows names the same.
  if (signal === 'SIGKILL' || code === 137) return ', most likely because memory ran out';
  if (signal === 'SIGSEGV' || signal === 'SIGBUS' || signal === 'SIGILL' || code === 3221225477) return ', which is a fault in a native library or driver';
  if (signal === 'SIGABRT' || code === 134 || code === 3221226505) return ', as a native library or Node.js gave up, often for want of memory';
  return '';
}

/** Secrets of the editor, and options meant for another Node.js, are not for the worker. */
function cleanEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$|NODE_CHANNEL_|NODE_UNIQUE_ID$)/i.test(name)));
}

/** The editor comes first: numerics would take every core from it. */
function lowerPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A container may forbid it; then the worker runs like any other process.
  }
}
