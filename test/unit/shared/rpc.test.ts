/** Typed requests over a real vscode-jsonrpc connection, whose two ends lie in this process. */
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { createMessageConnection, PortMessageReader, PortMessageWriter, type MessageConnection } from 'vscode-jsonrpc/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { RavlError } from '../../../src/shared/errors';
import { client, eventSender, isMessage, listen, messagesOnly, method, nothing, serve, type Handlers } from '../../../src/shared/rpc';

const api = {
  add: method(z.strictObject({ a: z.number(), b: z.number().default(1) })).returns<number>(),
  wait: method(nothing).returns<string>(),
  bytes: method(z.strictObject({ of: z.instanceof(Uint8Array) })).returns<Uint8Array>(),
};
const events = { moved: z.object({ by: z.number() }), said: z.object({ text: z.string() }) };

let channel: MessageChannel;
let [here, there]: MessageConnection[] = [];
beforeEach(() => {
  channel = new MessageChannel();
  [here, there] = [channel.port1, channel.port2].map((port) => createMessageConnection(messagesOnly(new PortMessageReader(port)), new PortMessageWriter(port)));
  here!.listen();
  there!.listen();
});
afterEach(() => {
  here!.dispose();
  there!.dispose();
  channel.port1.close();
});

function served(handlers: Partial<Handlers<typeof api>> = {}) {
  serve(there!, api, { add: ({ a, b }) => a + b, wait: () => 'done', bytes: ({ of }) => of.map((byte) => byte + 1), ...handlers });
  return client(here!, api);
}

/** Resolves once `look` is true of what the other side does: it runs between two of our turns. */
const until = (look: () => boolean) => vi.waitFor(() => expect(look()).toBe(true), { interval: 1 });

describe('a call', () => {
  it('is answered, with the defaults of its schema filled in', async () => {
    const calls = served();
    expect(await Promise.all([calls.add({ a: 2, b: 3 }), calls.add({ a: 2 })])).toEqual([5, 3]);
  });

  it('carries bytes as bytes', async () => {
    const answer = await served().bytes({ of: Uint8Array.of(1, 254) });
    expect(answer).toEqual(Uint8Array.of(2, 255));
  });

  it('rejects with the code, sentence and hint that the other side met', async () => {
    const calls = served({ wait: () => Promise.reject(new RavlError('run-disk-full', 'The disk is full.', 'Free some space.')) });
    await expect(calls.wait({})).rejects.toBeInstanceOf(RavlError);
    await expect(calls.wait({})).rejects.toMatchObject({ code: 'run-disk-full', message: 'The disk is full.', hint: 'Free some space.' });
  });

  it.each([
    ['an error', new TypeError('x is not a function'), 'x is not a function'],
    ['a text', 'just a text', 'just a text'],
  ])('calls %s that nobody expected a defect', async (_, thrown, message) => {
    const calls = served({ wait: () => Promise.reject(thrown as Error) });
    await expect(calls.wait({})).rejects.toMatchObject({ code: 'internal', message });
  });

  it.each([{ a: 'two' }, { a: 1, c: 2 }, {}, { a: null }])('with parameters %j reaches no handler', async (params) => {
    const add = vi.fn(() => 0);
    const calls = served({ add });
    await expect(calls.add(params as never)).rejects.toMatchObject({ code: 'message-invalid', message: expect.stringContaining('add') as string });
    expect(add).not.toHaveBeenCalled();
  });

  it('that the other side does not know, or answers with nonsense, rejects', async () => {
    await expect(client(here!, api).add({ a: 1 })).rejects.toThrow(/add/);
    for (const nonsense of [null, 5, { ok: 'yes' }, { ok: false }, { ok: false, error: { code: 5 } }]) {
      there!.onRequest('add', () => Promise.resolve<unknown>(nonsense));
      await expect(client(here!, api).add({ a: 1 })).rejects.toMatchObject({ code: 'message-invalid' });
    }
  });

  it('out of order gets its own answer', async () => {
    const waiting: ((text: string) => void)[] = [];
    const calls = served({ wait: () => new Promise((resolve) => waiting.push(resolve)) });
    const [first, second] = [calls.wait({}), calls.wait({})];
    await until(() => waiting.length === 2);
    waiting[1]!('second');
    expect(await second).toBe('second');
    waiting[0]!('first');
    expect(await first).toBe('first');
  });
});

describe('a cancelled call', () => {
  /** Waits until it is told to stop, and then until it is told that it has stopped. */
  function slow() {
    const state = { begun: false, stopped: false, close: (): void => undefined };
    const calls = served({
      wait: (_, signal) =>
        new Promise((_resolve, reject) => {
          state.begun = true;
          state.close = () => reject(signal.reason as Error);
          signal.addEventListener('abort', () => (state.stopped = true));
        }),
    });
    return { state, calls };
  }

  it('ends at once with the reason, and the other side is told', async () => {
    const { state, calls } = slow();
    const controller = new AbortController();
    const call = calls.wait({}, { signal: controller.signal });
    await until(() => state.begun);
    const reason = new Error('the panel was closed');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await until(() => state.stopped);
    // The late answer disturbs nobody.
    state.close();
    expect(await calls.add({ a: 1 })).toBe(2);
  });

  it('may wait until the other side has closed what it had open', async () => {
    const { state, calls } = slow();
    const controller = new AbortController();
    const settled = vi.fn();
    const call = calls.wait({}, { signal: controller.signal, untilAnswered: true });
    call.catch(settled);
    await until(() => state.begun);
    const reason = new Error('stop');
    controller.abort(reason);
    await until(() => state.stopped);
    await calls.add({ a: 1 });
    expect(settled).not.toHaveBeenCalled();
    state.close();
    await expect(call).rejects.toBe(reason);
  });

  it('that was finished all the same, or failed for another reason, says so where it waits', async () => {
    const full = () => Promise.reject(new RavlError('run-disk-full', 'Full.', ''));
    for (const [end, expected] of [[() => Promise.resolve('done'), 'done'], [full, 'run-disk-full']] as const) {
      const controller = new AbortController();
      const calls = served({ wait: (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(end()))) });
      const call = calls.wait({}, { signal: controller.signal, untilAnswered: true }).catch((error: RavlError) => error.code);
      await calls.add({ a: 1 });
      controller.abort();
      expect(await call).toBe(expected);
    }
  });

  it('that was cancelled before is never sent', async () => {
    const wait = vi.fn(() => 'done');
    await expect(served({ wait }).wait({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(wait).not.toHaveBeenCalled();
  });

  it('of the other side itself has the code `cancelled`', async () => {
    const calls = served({ wait: () => Promise.reject(new DOMException('stopped', 'AbortError')) });
    await expect(calls.wait({})).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('on a connection that has broken since is no failure of its own', async () => {
    const controller = new AbortController();
    const call = served({ wait: () => new Promise(() => undefined) }).wait({}, { signal: controller.signal });
    const closed = new Promise((resolve) => here!.onClose(resolve));
    channel.port2.close();
    await closed;
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('that is not leaves nothing on its signal', async () => {
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const calls = served();
    for (let i = 0; i < 3; i++) await calls.wait({}, { signal });
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });
});

describe('events', () => {
  it('reach their listener; what their schema refuses is named and dropped', async () => {
    const heard: unknown[] = [];
    const refused: string[] = [];
    listen(here!, events, { moved: (data) => heard.push(data) }, (name) => refused.push(name));
    const send = eventSender<typeof events>(there!);
    send('moved', { by: 1 });
    send('moved', { by: 'far' } as never);
    send('said', { text: 'nobody listens' });
    send('moved', { by: 2 });
    await until(() => heard.length === 2);
    expect([heard, refused]).toEqual([[{ by: 1 }, { by: 2 }], ['moved']]);
  });

  it('to a connection that is gone are no failure', () => {
    there!.dispose();
    const send = eventSender<typeof events>(there!);
    expect(() => send('moved', { by: 1 })).not.toThrow();
  });
});

describe('whatever else arrives', () => {
  const garbage: unknown[] = [
    null, 0, '', 'text', [], [1], {}, { jsonrpc: '2.0' }, { method: 5, id: 1 }, { method: 'add', id: {}, params: {} }, { method: 'add', id: 1, params: [{ a: 1 }, { isCancellationRequested: true }] },
    { method: '$/cancelRequest' }, { method: '$/cancelRequest', params: {} }, { method: '$/cancelRequest', params: { id: null } }, { method: '$/cancelRequest', params: [] },
    { id: 99 }, { id: 99, error: 'text' }, { id: {}, result: 1 }, new Map([['method', 'add']]), new Uint8Array(8),
  ];

  it('is no message', () => {
    expect(garbage.filter(isMessage)).toEqual([]);
  });

  it('brings nothing down, and calls go on', async () => {
    const calls = served();
    for (const each of garbage) channel.port1.postMessage(each);
    const strange = [{ id: 99, result: 1 }, { id: null, error: { code: 1, message: 'x' } }, { method: 'nobody', params: {} }, { method: '$/cancelRequest', params: { id: 12345 } }];
    for (const each of strange) channel.port1.postMessage({ jsonrpc: '2.0', ...each });
    expect(await calls.add({ a: 1 })).toBe(2);
  });

  it('of any shape leaves the connection whole', async () => {
    const calls = served();
    const key = fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'result', 'error', 'x');
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('add', 'wait', '$/cancelRequest', '$/setTrace', '$/progress', '2.0'), fc.dictionary(key, fc.jsonValue()));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(key, value), { maxLength: 5 }), async (messages) => {
        for (const each of messages) channel.port1.postMessage(each);
        expect(await calls.add({ a: 1 })).toBe(2);
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});
