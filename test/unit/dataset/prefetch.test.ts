import { expect, it, vi } from 'vitest';
import { imageStream } from '../../../src/engine/dataset/prefetch';

const decoded: string[] = [];
vi.mock('../../../src/engine/dataset/decodeImage', () => ({
  decodeImage: (file: string) => {
    decoded.push(file);
    return Promise.resolve({ data: new Uint8Array(300), width: 10, height: 10 });
  },
}));

/** The most images that were asked for and not yet handed out, over a stream of 40 images of 100 pixels. */
async function mostInFlight(options: { ahead?: number; pixels?: number }): Promise<number> {
  decoded.length = 0;
  let most = 0;
  let handedOut = 0;
  for await (const { index } of imageStream(Array.from({ length: 40 }, (_, i) => `${i}`), options)) {
    expect(index).toBe(handedOut++);
    most = Math.max(most, decoded.length - handedOut);
  }
  expect(decoded.length).toBe(40);
  return most;
}

it('keeps a batch of decodes queued, but no more pixels than asked for', async () => {
  // An image more has just been handed out when the others are counted.
  expect(await mostInFlight({ ahead: 8 })).toBe(7);
  expect(await mostInFlight({ ahead: 40 })).toBeGreaterThan(20);
  const few = await mostInFlight({ ahead: 40, pixels: 600 });
  expect(few).toBeGreaterThanOrEqual(4);
  expect(few).toBeLessThanOrEqual(6);
  // Before the first image shows its size, four may be on their way; after that, one at a time.
  expect(await mostInFlight({ ahead: 40, pixels: 1 })).toBeLessThanOrEqual(3);
});
