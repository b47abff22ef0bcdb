import { seededRandom, shuffle } from '../random';
import type { DetectionMethod } from './problem';

/** The floor: all regions in random order. */
export const randomRegions: DetectionMethod = {
  id: 'random',
  name: 'Random',
  source: 'Regions in a random order.',
  detect({ regionImage, seed }) {
    const regions = shuffle(Int32Array.from(regionImage, (_, region) => region), seededRandom(seed, 'detection'));
    return Promise.resolve(regions.length === 0 ? [] : [{ regions, score: 0 }]);
  },
};
