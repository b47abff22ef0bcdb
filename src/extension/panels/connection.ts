import type * as vscode from 'vscode';
import { AbstractMessageReader, AbstractMessageWriter, createMessageConnection, type DataCallback, type Message, type MessageConnection } from 'vscode-jsonrpc/node';
import { isMessage } from '../../shared/rpc';

/** Most characters and bytes that a message from a webview may hold; a chart to save is the largest that RaVL sends. */
export const maxMessage = 8_000_000;
const maxDepth = 20;

/** The wire to a panel's script. It is new whenever the script starts, which VS Code lets happen each time a panel is shown. */
export interface PanelWire {
  /** undefined while no script is known to run. */
  readonly connection: MessageConnection | undefined;
  /** The script is gone: what it asked is given up, and nothing more is sent until the next one starts. */
  end(): void;
  dispose(): void;
}

/**
 * Speaks JSON-RPC with the script of a webview. A script says `start` before anything else, and `started` is to serve the
 * connection that this makes. `ended` aborts when the script is gone. What is no message of RaVL's is dropped and logged.
 */
export function connectPanel(
  webview: Pick<vscode.Webview, 'postMessage' | 'onDidReceiveMessage'>,
  log: Pick<vscode.LogOutputChannel, 'warn'>,
  started: (connection: MessageConnection, ended: AbortSignal) => void,
): PanelWire {
  let current: { readonly connection: MessageConnection; readonly reader: WebviewReader; readonly ended: AbortController } | undefined;
  const end = () => {
    current?.ended.abort();
    current?.connection.dispose();
    current = undefined;
  };
  const dropped = (why: string) => log.warn(`A message from a panel was dropped: ${why}.`);
  const begin = () => {
    end();
    const reader = new WebviewReader();
    const connection = createMessageConnection(reader, new WebviewWriter(webview), { error: dropped, warn: dropped, info: () => undefined, log: () => undefined });
    current = { connection, reader, ended: new AbortController() };
    started(connection, current.ended.signal);
    connection.listen();
  };
  const receiving = webview.onDidReceiveMessage((message: unknown) => {
    const fault = faultOf(message);
    if (fault) return dropped(fault);
    const { method, id } = message as { method?: unknown; id?: unknown };
    if (method === 'start' && id !== undefined) begin();
    if (!current) return dropped('the panel has not said start');
    try {
      current.reader.receive(message as Message);
    } catch (error) {
      dropped(error instanceof Error ? error.message : String(error));
    }
  });
  return {
    get connection() {
      return current?.connection;
    },
    end,
    dispose() {
      receiving.dispose();
      end();
    },
  };
}

class WebviewReader extends AbstractMessageReader {
  private callback: DataCallback | undefined;

  listen(callback: DataCallback) {
    this.callback = callback;
    return { dispose: () => (this.callback = undefined) };
  }

  receive(message: Message): void {
    this.callback?.(message);
  }
}

class WebviewWriter extends AbstractMessageWriter {
  private gone = false;

  constructor(private readonly webview: Pick<vscode.Webview, 'postMessage'>) {
    super();
  }

  // VS Code keeps the order of messages. It answers once a message has arrived, which for a hidden panel may be never.
  async write(message: Message): Promise<void> {
    if (this.gone) return;
    void Promise.resolve(this.webview.postMessage(posted(message))).catch((error: unknown) => this.fireError(error));
  }

  end(): void {
    this.gone = true;
  }

  override dispose(): void {
    this.gone = true;
    super.dispose();
  }
}

/** Why something that a webview sent is no message of RaVL's, in words; undefined where it is one. */
function faultOf(message: unknown): string | undefined {
  if (!isMessage(message) || (message as { jsonrpc?: unknown }).jsonrpc !== '2.0') return 'it is no JSON-RPC 2.0';
  return fits(message) ? undefined : `it is larger than ${maxMessage.toLocaleString('en-US')} characters, or nested too deep`;
}

/** Whether a message keeps to the limits; stops counting where it does not. */
function fits(message: unknown): boolean {
  let left = maxMessage;
  const visit = (value: unknown, depth: number): boolean => {
    if (depth > maxDepth) return false;
    if (typeof value === 'string') left -= value.length;
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) left -= value.byteLength;
    else if (typeof value !== 'object' || value === null) left -= 8;
    else if (Array.isArray(value)) return value.length <= left && value.every((part) => visit(part, depth + 1));
    else return Object.entries(value).every(([key, part]) => (left -= key.length) >= 0 && visit(part, depth + 1));
    return left >= 0;
  };
  return visit(message, 0);
}

/**
 * A message as VS Code passes it on whole: a Node Buffer would arrive as an object of digits, and a view of a larger buffer
 * would take all of that along.
 */
export function posted(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return ownArray(value);
  if (Array.isArray(value)) return value.map(posted);
  if (typeof value === 'object' && value !== null && !(value instanceof ArrayBuffer)) return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, posted(part)]));
  return value;
}

function ownArray(view: ArrayBufferView): ArrayBufferView {
  const whole = view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
  if (view instanceof Uint8Array) return whole && view.constructor === Uint8Array ? view : new Uint8Array(view);
  // The copy of a typed array by slice() has a buffer of its own.
  return whole ? view : (view as Float32Array).slice();
}
