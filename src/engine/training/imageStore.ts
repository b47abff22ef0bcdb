import { decodeImage } from '../dataset/decodeImage';
import type { Pixels } from '../dataset/resample';

/** Decodes images by index, again and again. */
export interface ImageStore {
  /** The images, in the order asked for. Throws `dataset-image-*`. */
  load(indices: ArrayLike<number>): Promise<Pixels[]>;
}

/**
 * Keeps decoded images as long as they fit `budget` bytes: a small data set is decoded once, of a large one the first
 * images are kept and the others are decoded every epoch. (What comes first stays: with every epoch in another order,
 * throwing out what was used longest ago would throw out what comes next as often as not.)
 */
export function imageStore(files: readonly string[], budget = 256 * 2 ** 20): ImageStore {
  const kept = new Map<number, Pixels>();
  let bytes = 0;
  const one = async (index: number): Promise<Pixels> => {
    const known = kept.get(index);
    if (known) return known;
    const image = await decodeImage(files[index]!);
    if (bytes + image.data.byteLength <= budget && !kept.has(index)) {
      bytes += image.data.byteLength;
      kept.set(index, image);
    }
    return image;
  };
  return {
    load(indices) {
      const images = Promise.all(Array.from(indices, one));
      // Images are asked for ahead: a failure is met where they are awaited, and until then it is no unhandled one.
      images.catch(() => undefined);
      return images;
    },
  };
}
