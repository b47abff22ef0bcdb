import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connectPanel, maxMessage, posted } from '../../../../src/extension/panels/connection';
import { method, nothing, serve } from '../../../../src/shared/rpc';
import { fakePanel } from '../../../fixtures/fakeWebviews';

const api = { start: method(nothing).returns<string>(), double: method(z.strictObject({ n: z.int() })).returns<number>(), wait: method(nothing).returns<boolean>() };

const warnings: string[] = [];
beforeEach(() => {
  warnings.length = 0;
});

/** A panel whose host serves `api`; `wait` is answered when `release` is called. */
function wired() {
  const panel = fakePanel('ravl.findings', 'Findings');
  const calls: string[] = [];
  const aborted: string[] = [];
  let release = (): void => undefined;
  const wire = connectPanel(panel.webview as never, { warn: (text: unknown) => void warnings.push(String(text)) }, (connection, ended) => {
    ended.addEventListener('abort', () => aborted.push('script gone'));
    serve(connection, api, {
      start: () => (calls.push('start'), 'here'),
      double: ({ n }) => (calls.push(`double ${n}`), 2 * n),
      wait: (_, signal) => {
        signal.addEventListener('abort', () => aborted.push('cancelled'));
        return new Promise((resolve) => (release = () => resolve(true)));
      },
    });
  });
  const answers = () => panel.posted.filter((message) => (message as { id?: unknown }).id !== undefined) as { id: unknown; result?: { ok: boolean; value?: unknown; error?: { code: string } }; error?: { code: number } }[];
  /** What the page is answered to request `id`. */
  const answer = (id: unknown) =>
    new Promise<ReturnType<typeof answers>[number]>((resolve) => {
      const look = () => {
        const found = answers().find((each) => each.id === id);
        if (found) resolve(found);
      };
      panel.onArrived(look);
      look();
    });
  const request = (id: unknown, name: unknown, params: unknown = {}) => panel.fromScript({ jsonrpc: '2.0', id, method: name, params });
  return { panel, wire, calls, aborted, answer, answers, request, release: () => release() };
}

/** Lets everything that is under way arrive. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('the wire to a panel', () => {
  it('answers each question under its own id, whatever the order', async () => {
    const { request, answer, release } = wired();
    request(0, 'start');
    request(1, 'wait');
    request('two', 'double', { n: 21 });
    expect((await answer('two')).result).toEqual({ ok: true, value: 42 });
    release();
    expect((await answer(1)).result).toEqual({ ok: true, value: true });
  });

  it('tells an unknown method and wrong parameters from answers, and reaches no handler with them', async () => {
    const { request, answer, calls } = wired();
    request(0, 'start');
    request(1, 'deleteEverything', { path: '/' });
    request(2, 'double', { n: 'x' });
    request(3, 'double', { n: 1, more: true });
    expect((await answer(1)).error!.code).toBe(-32601);
    expect((await answer(2)).result!.error!.code).toBe('message-invalid');
    expect((await answer(3)).result!.error!.code).toBe('message-invalid');
    expect(calls).toEqual(['start']);
  });

  it('passes nothing on before start', async () => {
    const { request, calls, panel } = wired();
    request(7, 'double', { n: 1 });
    await settled();
    expect(calls).toEqual([]);
    expect(panel.posted).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it('drops a message that is too large or too deep, and stays usable', async () => {
    const { request, answer, calls } = wired();
    request(0, 'start');
    request(1, 'double', { n: 'x'.repeat(maxMessage + 1) });
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = { deep };
    request(2, 'double', { n: deep });
    request(3, 'double', { n: new Array(maxMessage / 4).fill(0) });
    request(4, 'double', { n: new Uint8Array(maxMessage + 1) });
    request(5, 'double', { n: 3 });
    expect((await answer(5)).result).toEqual({ ok: true, value: 6 });
    expect(calls).toEqual(['start', 'double 3']);
    expect(warnings).toHaveLength(4);
  });

  it('survives whatever else a page posts', async () => {
    const garbage = fc.oneof(
      fc.anything(),
      fc.record(
        {
          jsonrpc: fc.constantFrom('2.0', '1.0', 2),
          id: fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.anything()),
          method: fc.oneof(fc.constantFrom('double', 'wait', '$/cancelRequest', '$/progress', '$/setTrace', '__proto__', 'constructor'), fc.string(), fc.anything()),
          params: fc.oneof(fc.record({ n: fc.anything() }), fc.array(fc.anything()), fc.anything()),
          result: fc.anything(),
          error: fc.anything(),
        },
        { requiredKeys: [] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(garbage, { maxLength: 20 }), async (messages) => {
        const { panel, request, answer } = wired();
        request('first', 'start');
        for (const message of messages) panel.fromScript(message);
        request('the last one', 'double', { n: 2 });
        expect((await answer('the last one')).result).toEqual({ ok: true, value: 4 });
      }),
      { numRuns: 150 },
    );
  });

  it('gives up what a hidden page had asked, and answers none of it to the next page', async () => {
    const { request, answer, answers, wire, panel, aborted, release } = wired();
    request(0, 'start');
    request(1, 'wait');
    await answer(0);
    await settled();
    wire.end();
    expect(aborted).toEqual(['script gone']);
    expect(wire.connection).toBeUndefined();
    release();
    await settled();
    expect(answers().map(({ id }) => id)).toEqual([0]);
    // The next page counts from 0 again.
    panel.posted.length = 0;
    request(0, 'start');
    request(1, 'double', { n: 5 });
    expect((await answer(1)).result).toEqual({ ok: true, value: 10 });
    expect(answers().map(({ id }) => id)).toEqual([0, 1]);
  });

  it('cancels a question on request', async () => {
    const { request, panel, answer, aborted } = wired();
    request(0, 'start');
    request(1, 'wait');
    await answer(0);
    await settled();
    panel.fromScript({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 1 } });
    await settled();
    expect(aborted).toEqual(['cancelled']);
  });

  it('ignores what comes after the panel was closed', async () => {
    const { request, calls, wire, panel } = wired();
    request(0, 'start');
    await settled();
    wire.dispose();
    panel.posted.length = 0;
    request(1, 'double', { n: 1 });
    request(2, 'start');
    await settled();
    expect(calls).toEqual(['start']);
    expect(panel.posted).toEqual([]);
  });
});

describe('what is posted', () => {
  it('holds typed arrays with a buffer of just their own', () => {
    const large = new Float32Array([1, 2, 3, 4]);
    const message = posted({ result: { bytes: Buffer.from([1, 2, 3]), part: large.subarray(1, 3), own: large, list: [new Uint8Array(large.buffer, 0, 1), null], text: 'x', none: undefined } }) as {
      result: { bytes: Uint8Array; part: Float32Array; own: Float32Array; list: [Uint8Array, null]; text: string };
    };
    const { bytes, part, own, list, text } = message.result;
    expect(bytes.constructor).toBe(Uint8Array);
    expect([...bytes]).toEqual([1, 2, 3]);
    expect([...part]).toEqual([2, 3]);
    for (const array of [bytes, part, own, list[0]]) expect(array.buffer.byteLength).toBe(array.byteLength);
    expect(own).toBe(large);
    expect(list[1]).toBeNull();
    expect(text).toBe('x');
  });
});
