import type { RavlError } from '../../shared/errors';
import { decodeImage } from './decodeImage';
import type { Pixels } from './resample';

/** An image, or why there is none; `index` counts the given files. */
export type StreamedImage =
  | { readonly index: number; readonly image: Pixels; readonly error?: undefined }
  | { readonly index: number; readonly error: RavlError; readonly image?: undefined };

/**
 * Decodes images ahead of their use and yields them in order. Inference blocks the JavaScript thread, but decodes that
 * are queued before it go on in libuv's threads meanwhile; so `ahead` should be about a batch.
 *
 * Memory is bounded by the pixels in flight: an image is queued only while those waiting (one not decoded yet counts
 * as the largest seen) hold fewer than `pixels`; a single image always may.
 * An image that cannot be decoded is yielded as its error, so that the caller may stop or skip.
 */
export async function* imageStream(
  files: readonly string[],
  { ahead = 64, pixels = 48e6, pixelLimit }: { ahead?: number; pixels?: number; pixelLimit?: number } = {},
): AsyncGenerator<StreamedImage, void, undefined> {
  const queue: { streamed: Promise<StreamedImage>; size: number | null }[] = [];
  let largest = 0;
  let next = 0;
  const room = () => {
    if (queue.length === 0) return true;
    if (queue.length >= ahead) return false;
    // As many as libuv has threads, until one of them shows how large they are.
    if (largest === 0) return queue.length < 4;
    return queue.reduce((sum, { size }) => sum + (size ?? largest), largest) <= pixels;
  };

  const enqueue = (index: number) => {
    const decoded = decodeImage(files[index]!, { pixelLimit });
    const entry: (typeof queue)[number] = {
      size: null,
      streamed: decoded.then(
        (image) => {
          entry.size = image.width * image.height;
          largest = Math.max(largest, entry.size);
          return { index, image };
        },
        (error: RavlError) => {
          entry.size = 0;
          return { index, error };
        },
      ),
    };
    queue.push(entry);
  };

  while (next < files.length || queue.length > 0) {
    while (next < files.length && room()) enqueue(next++);
    yield await queue.shift()!.streamed;
  }
}
