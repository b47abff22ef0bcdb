import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import { AbstractMessageReader, AbstractMessageWriter, createMessageConnection, type DataCallback, type Message, type MessageReader, type MessageWriter } from 'vscode-jsonrpc/browser';
import type { z } from 'zod';
import { RavlError } from '../shared/errors';
import { panelApi, panelEvents, type PanelApi } from '../shared/panelApi';
import { client, listen, type Client } from '../shared/rpc';

type PanelEvents = typeof panelEvents;

/** What a panel knows of the editor: the questions it may ask, the events it hears, and a state that outlives a reload. */
export interface Host {
  readonly api: Client<PanelApi>;
  /** Listens to an event; the answer ends it. */
  on<K extends keyof PanelEvents>(event: K, listener: (data: z.output<PanelEvents[K]>) => void): () => void;
  /** A part of the state as it was stored, before this reload or restart; undefined where there is none. */
  stored(key: string): unknown;
  store(key: string, value: unknown): void;
}

/** What the editor gives a webview. */
interface Editor {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Editor;

/** Connects to the extension host. Once a page: the editor hands its interface out a single time. */
export function connect(): Host {
  const editor = acquireVsCodeApi();
  const connection = createMessageConnection(new WindowReader(), new EditorWriter(editor));
  const listeners = new Map<string, Set<(data: never) => void>>();
  const tell = (event: string) => (data: unknown) => listeners.get(event)?.forEach((listener) => listener(data as never));
  listen(connection, panelEvents, Object.fromEntries(Object.keys(panelEvents).map((event) => [event, tell(event)])), () => undefined);
  connection.listen();
  return {
    api: client(connection, panelApi),
    on(event, listener) {
      const all = listeners.get(event) ?? new Set();
      listeners.set(event, all.add(listener));
      return () => all.delete(listener);
    },
    stored: (key) => stateOf(editor)[key],
    store: (key, value) => editor.setState({ ...stateOf(editor), [key]: value }),
  };
}

export const HostContext = createContext<Host | null>(null);

export function useHost(): Host {
  const host = useContext(HostContext);
  if (!host) throw new Error('A panel is drawn inside a HostContext.');
  return host;
}

/** An answer on its way: `value` is the last one that came, kept while it is asked again. */
export interface Query<R> {
  readonly value: R | null;
  readonly error: RavlError | null;
  readonly loading: boolean;
  /** Asks again, after an error or because something changed. */
  again(): void;
}

/**
 * Asks when the component appears and when one of `about` changes; an answer that is no longer waited for is cancelled.
 * `useQuery((api, signal) => api.image({ image }, { signal }), [image])`.
 */
export function useQuery<R>(ask: (api: Client<PanelApi>, signal: AbortSignal) => Promise<R>, about: readonly unknown[]): Query<R> {
  const { api } = useHost();
  const [turn, setTurn] = useState(0);
  const [answer, setAnswer] = useState<Omit<Query<R>, 'again'>>({ value: null, error: null, loading: true });
  const asked = useRef<readonly unknown[]>([]);
  useEffect(() => {
    const controller = new AbortController();
    const same = asked.current.length === about.length && about.every((part, i) => Object.is(part, asked.current[i]));
    asked.current = about;
    setAnswer(({ value }) => ({ value: same ? value : null, error: null, loading: true }));
    ask(api, controller.signal).then(
      (value) => controller.signal.aborted || setAnswer({ value, error: null, loading: false }),
      (error: unknown) => controller.signal.aborted || setAnswer(({ value }) => ({ value, error: problem(error), loading: false })),
    );
    return () => controller.abort();
  }, [api, turn, ...about]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  return { ...answer, again };
}

/** Does something once when an event comes, for as long as the component is there. */
export function useEvent<K extends keyof PanelEvents>(event: K, listener: (data: z.output<PanelEvents[K]>) => void): void {
  const host = useHost();
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => host.on(event, (data) => latest.current(data)), [host, event]);
}

/** Anything thrown, as an error that has a sentence to show. */
export const problem = (error: unknown): RavlError =>
  error instanceof RavlError ? error : new RavlError('internal', error instanceof Error ? error.message : String(error), 'This is a defect in RaVL; the log has more.');

/** Message and hint of an error in one line. */
export const sentence = ({ message, hint }: RavlError): string => (hint ? `${message} ${hint}` : message);

function stateOf(editor: Editor): Record<string, unknown> {
  const state = editor.getState();
  return typeof state === 'object' && state !== null ? (state as Record<string, unknown>) : {};
}

/** Messages of the extension host, which come as plain objects; all else that reaches the window is none of ours. */
class WindowReader extends AbstractMessageReader implements MessageReader {
  listen(callback: DataCallback) {
    const hear = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'object' && data !== null && 'jsonrpc' in data) callback(data as Message);
    };
    window.addEventListener('message', hear);
    return { dispose: () => window.removeEventListener('message', hear) };
  }
}

class EditorWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly editor: Editor) {
    super();
  }
  async write(message: Message): Promise<void> {
    this.editor.postMessage(message);
  }
  end(): void {
    // The window ends the connection.
  }
}
