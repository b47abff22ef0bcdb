import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

/** What a seed is used for: each has random numbers of its own, so that a caption, say, tells nothing of a quadrant. */
const streams = { table: 1, images: 2, captions: 3, imageWeights: 4, textWeights: 5, detection: 6, sampler: 7, photos: 8, objects: 9 } as const;

export type Stream = keyof typeof streams;

export function seededRandom(seed: number, use: Stream): RandomGenerator {
  return xoroshiro128plus((seed ^ Math.imul(streams[use], 0x9e3779b1)) | 0);
}

/** Fisher-Yates, in place; returns its argument. */
export function shuffle<T extends Int32Array>(items: T, random: RandomGenerator): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
