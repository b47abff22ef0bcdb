/**
 * Requests between processes: extension host <-> worker and webview <-> extension host. An API is one object of methods,
 * each with the schema of its parameters and the type of its result; both sides' calls derive from it. The messages are
 * JSON-RPC's (vscode-jsonrpc), which brings ids, cancellation and order; what comes in is checked against the schema, and a
 * failure travels as data, so that its code and hint reach the person. A connection is given from outside: this file knows
 * neither Node nor the browser.
 */
import { z } from 'zod';
import { RavlError } from './errors';

export interface Method<P extends z.ZodType = z.ZodType, R = unknown> {
  readonly params: P;
  /** There for the type alone. */
  readonly result?: R;
}
export type Api = Readonly<Record<string, Method>>;
type Params<M extends Method> = z.input<M['params']>;
type Given<M extends Method> = z.output<M['params']>;
type Result<M extends Method> = Exclude<M['result'], undefined>;

/** A method of an API: `method(z.strictObject({…})).returns<Thing>()`. */
export const method = <P extends z.ZodType>(params: P) => ({ returns: <R>(): Method<P, R> => ({ params }) });
/** The parameters of a method that takes none. */
export const nothing = z.strictObject({});

export interface CallOptions {
  /** Ends the call with `signal.reason` and tells the other side to stop. */
  readonly signal?: AbortSignal;
  /** Once cancelled, waits for the other side's answer all the same: by then it has closed what it had open. */
  readonly untilAnswered?: boolean;
}

export type Client<A extends Api> = { readonly [K in keyof A & string]: (params: Params<A[K]>, options?: CallOptions) => Promise<Result<A[K]>> };
export type Handlers<A extends Api> = { readonly [K in keyof A & string]: (params: Given<A[K]>, signal: AbortSignal) => Promise<Result<A[K]>> | Result<A[K]> };
export type Events = Readonly<Record<string, z.ZodType>>;
export type EventSender<E extends Events> = <K extends keyof E & string>(event: K, data: z.input<E[K]>) => void;
export type EventListeners<E extends Events> = { readonly [K in keyof E & string]?: (data: z.output<E[K]>) => void };

/** What this file uses of a vscode-jsonrpc MessageConnection. */
export interface Connection {
  sendRequest(method: string, params: unknown, token: Token): Promise<unknown>;
  onRequest(method: string, handler: (params: unknown, token: Token) => Promise<unknown>): { dispose(): void };
  sendNotification(method: string, params: unknown): Promise<void>;
  onNotification(method: string, handler: (params: unknown) => void): { dispose(): void };
}
interface Token {
  readonly isCancellationRequested: boolean;
  readonly onCancellationRequested: (listener: (event: unknown) => unknown) => { dispose(): void };
}

const replySchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string(), hint: z.string() }) }),
]);
type Reply = z.input<typeof replySchema>;

/** Answers the calls of `api`. Parameters that the schema refuses are answered with `message-invalid` and reach no handler. */
export function serve<A extends Api>(connection: Connection, api: A, handlers: Handlers<A>): void {
  for (const [name, { params }] of Object.entries(api)) {
    connection.onRequest(name, async (given, token): Promise<Reply> => {
      const parsed = params.safeParse(given);
      if (!parsed.success) return failure(messageInvalid(name, parsed.error.issues[0]));
      try {
        return { ok: true, value: await handlers[name]!(parsed.data as never, signalOf(token)) };
      } catch (error) {
        return failure(error);
      }
    });
  }
}

/** Calls `api` on the other side. A call rejects with the RavlError that the other side met, or with `signal.reason`. */
export function client<A extends Api>(connection: Connection, api: A): Client<A> {
  const call = (name: string) => async (params: unknown, { signal, untilAnswered = false }: CallOptions = {}) => {
    signal?.throwIfAborted();
    const asked = connection.sendRequest(name, params, tokenOf(signal));
    const reply = replySchema.safeParse(await (signal && !untilAnswered ? orAborted(asked, signal) : asked));
    if (!reply.success) throw messageInvalid(name, reply.error.issues[0]);
    if (reply.data.ok) return reply.data.value;
    const { code, message, hint } = reply.data.error;
    if (signal?.aborted && code === cancelled) throw signal.reason;
    throw new RavlError(code, message, hint);
  };
  return Object.fromEntries(Object.keys(api).map((name) => [name, call(name)])) as unknown as Client<A>;
}

/** Sends events, which have no answer: `eventSender<typeof workerEvents>(connection)`. */
export const eventSender =
  <E extends Events>(connection: Connection): EventSender<E> =>
  (event, data) =>
    void quietly(() => connection.sendNotification(event, data));

/** Listens to events; one that the schema refuses is dropped and named to `refused`. */
export function listen<E extends Events>(connection: Connection, events: E, listeners: EventListeners<E>, refused: (event: string) => void): void {
  for (const [name, schema] of Object.entries(events)) {
    connection.onNotification(name, (given) => {
      const parsed = schema.safeParse(given);
      if (parsed.success) listeners[name]?.(parsed.data as never);
      else refused(name);
    });
  }
}

/** Makes a reader of vscode-jsonrpc drop what is no message: it trusts what it reads, and some of that would bring the process down. */
export function messagesOnly<R extends { listen(callback: (message: object) => void): { dispose(): void } }>(reader: R, refused: () => void = () => undefined): R {
  const listen = reader.listen.bind(reader);
  reader.listen = (callback) => listen((message) => (isMessage(message) ? callback(message) : refused()));
  return reader;
}

/** Whether something received is a message of JSON-RPC as this file sends them. */
export function isMessage(given: unknown): boolean {
  if (!isObject(given)) return false;
  const { id, method, params } = given;
  if (method === undefined) return (isId(id) || id === null) && (given['result'] !== undefined || isObject(given['error']));
  if (typeof method !== 'string' || (params !== undefined && !isObject(params))) return false;
  return method === '$/cancelRequest' ? isId(params?.['id']) : id === undefined || isId(id);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown) => typeof value === 'number' || typeof value === 'string';

const messageInvalid = (name: string, issue: z.core.$ZodIssue | undefined) =>
  new RavlError('message-invalid', `The message ${name} is not one that RaVL sends: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'wrong'}.`, 'Reload the window; if it happens again, report it.');

const cancelled = 'cancelled';

/** A stop that a person asked for keeps its name, for the other side to tell from a failure. */
function failure(error: unknown): Reply {
  if (error instanceof RavlError) return { ok: false, error: { code: error.code, message: error.message, hint: error.hint } };
  if (error instanceof Error && error.name === 'AbortError') return { ok: false, error: { code: cancelled, message: 'It was cancelled.', hint: '' } };
  return { ok: false, error: { code: 'internal', message: error instanceof Error ? error.message : String(error), hint: 'This is a defect in RaVL; the log has more.' } };
}

function signalOf(token: Token): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}

function tokenOf(signal: AbortSignal | undefined): Token {
  return {
    get isCancellationRequested() {
      return signal?.aborted ?? false;
    },
    onCancellationRequested(listener) {
      const stop = () => void quietly(() => listener(undefined));
      signal?.addEventListener('abort', stop, { once: true });
      return { dispose: () => signal?.removeEventListener('abort', stop) };
    },
  };
}

/** Sends what nobody may be there to receive any more: a connection that is gone throws, or rejects. */
const quietly = async (send: () => unknown): Promise<void> => {
  try {
    await send();
  } catch {
    // Who waits for an answer is told by the connection's end.
  }
};

/** The answer, or the signal's reason if that comes first: the other side may take its time to notice that it should stop. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
