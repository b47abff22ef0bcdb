import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { seededRandom } from '../random';

/** Standard normal numbers by the Box-Muller transform. */
export function normal(seed: number): () => number {
  const random = seededRandom(seed, 'detection');
  return () => Math.sqrt(-2 * Math.log(1 - uniformFloat64(random))) * Math.cos(2 * Math.PI * uniformFloat64(random));
}
