import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createThumbnails, type ThumbnailKind } from '../../../src/webview/thumbnails';

/** A worker that answers when the test says so, and a frame that passes when it says so. */
function stand() {
  const asked: { kind: ThumbnailKind; ids: readonly number[]; signal: AbortSignal; answer(): Promise<void>; fail(): Promise<void> }[] = [];
  const frames: (() => void)[] = [];
  const picture = (id: number) => (id === 13 ? null : { bytes: Uint8Array.of(id), width: id, height: 2 * id });
  const api = {
    thumbnails: ({ kind, ids }: { kind: ThumbnailKind; ids: number[] }, { signal }: { signal?: AbortSignal } = {}) =>
      new Promise<never>((resolve, reject) => {
        const after = async (settle: () => void) => {
          settle();
          await Promise.resolve();
          await Promise.resolve();
          await Promise.resolve();
        };
        signal!.addEventListener('abort', () => reject(signal!.reason as Error));
        asked.push({ kind, ids, signal: signal!, answer: () => after(() => resolve(ids.map(picture) as never)), fail: () => after(() => reject(new Error('gone'))) });
      }),
  };
  const frame = () => frames.splice(0).forEach((work) => work());
  return { thumbnails: createThumbnails(api, (work) => frames.push(work)), asked, frame };
}

describe('thumbnails', () => {
  let open = new Set<string>();
  beforeEach(() => {
    open = new Set();
    let count = 0;
    vi.stubGlobal('URL', {
      createObjectURL: () => {
        const url = `blob:${++count}`;
        open.add(url);
        return url;
      },
      revokeObjectURL: (url: string) => open.delete(url),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it('asks for all of a frame at once, and tells each who wanted one', async () => {
    const { thumbnails, asked, frame } = stand();
    const [seven, also, missing] = [vi.fn(), vi.fn(), vi.fn()];
    thumbnails.want('image', 7, seven);
    thumbnails.want('image', 7, also);
    thumbnails.want('image', 13, missing);
    expect(asked).toHaveLength(0);
    frame();
    expect(asked.map(({ ids }) => [...ids].sort())).toEqual([[13, 7]]);
    await asked[0]!.answer();
    expect(seven).toHaveBeenCalledWith({ url: 'blob:1', width: 7, height: 14 });
    expect(also).toHaveBeenCalledWith(seven.mock.calls[0]![0]);
    expect(missing).toHaveBeenCalledWith(null);
  });

  it('asks in pages of at most 64, the latest wanted first, two pages at a time', async () => {
    const { thumbnails, asked, frame } = stand();
    for (let id = 100; id < 300; id++) thumbnails.want('region', id, () => undefined);
    frame();
    expect(asked.map(({ ids }) => ids.length)).toEqual([64, 64]);
    expect(asked[0]!.ids[0]).toBe(299);
    await asked[0]!.answer();
    frame();
    expect(asked.map(({ ids }) => ids.length)).toEqual([64, 64, 64]);
  });

  it('never mixes images and regions in a question', () => {
    const { thumbnails, asked, frame } = stand();
    thumbnails.want('image', 1, () => undefined);
    thumbnails.want('region', 1, () => undefined);
    frame();
    expect(asked.map(({ kind, ids }) => [kind, ...ids])).toEqual([['region', 1], ['image', 1]]);
  });

  it('does not ask for what was scrolled past, and cancels a page that nobody waits for', async () => {
    const { thumbnails, asked, frame } = stand();
    thumbnails.want('image', 1, () => undefined)();
    const leave = [2, 3].map((id) => thumbnails.want('image', id, () => undefined));
    frame();
    expect(asked.map(({ ids }) => ids)).toEqual([[3, 2]]);
    leave[0]!();
    expect(asked[0]!.signal.aborted).toBe(false);
    leave[1]!();
    expect(asked[0]!.signal.aborted).toBe(true);
    // Wanted again, it is asked again.
    const there = vi.fn();
    thumbnails.want('image', 2, there);
    frame();
    expect(asked[1]!.ids).toEqual([2]);
    await asked[1]!.answer();
    expect(there).toHaveBeenCalledOnce();
  });

  it('shows a picture at once that it still has, and asks anew after the worker was gone', async () => {
    const { thumbnails, asked, frame } = stand();
    const leave = thumbnails.want('image', 5, () => undefined);
    frame();
    await asked[0]!.answer();
    leave();
    const again = vi.fn();
    thumbnails.want('image', 5, again);
    expect(again).toHaveBeenCalledWith({ url: 'blob:1', width: 5, height: 10 });
    const lost = vi.fn();
    const give = thumbnails.want('image', 6, lost);
    frame();
    await asked[1]!.fail();
    expect(lost).toHaveBeenCalledWith(null);
    give();
    thumbnails.want('image', 6, () => undefined);
    frame();
    expect(asked[2]!.ids).toEqual([6]);
  });

  it('lets the longest unseen go when there are many, and none that is shown', async () => {
    const { thumbnails, asked, frame } = stand();
    const shown = vi.fn();
    thumbnails.want('image', 1000, shown);
    for (let id = 20; id < 620; id++) {
      const leave = thumbnails.want('image', id, () => undefined);
      frame();
      await asked.at(-1)!.answer();
      leave();
    }
    expect(open.size).toBeLessThan(450);
    expect(open.has((shown.mock.calls[0]![0] as { url: string }).url)).toBe(true);
  });
});
