import type { Interval } from '../discovery/intervals';

/** The 97.5% point of the standard normal distribution: the interval is 95%, two-sided. */
const Z = 1.959963984540054;

/**
 * Adjusted Wald interval for the difference of two proportions of the same n images, (wrongToRight - rightToWrong) / n
 * (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37:479-488): one image is added to either kind
 * of flip before Wald's formula. Within -1..1 and honest for small counts; nothing flipped in few images is still little known.
 *
 * @returns null when there are no images
 */
export function pairedInterval(wrongToRight: number, rightToWrong: number, n: number): Interval | null {
  if (n === 0) return null;
  const [up, down] = [(wrongToRight + 1) / (n + 2), (rightToWrong + 1) / (n + 2)];
  const centre = up - down;
  const half = Z * Math.sqrt((up + down - centre * centre) / (n + 2));
  return [Math.max(-1, centre - half), Math.min(1, centre + half)];
}

/**
 * McNemar's exact test (McNemar 1947): the two-sided probability of flips as lopsided as these, or more, where either
 * direction is as likely as the other. 1 where nothing flipped.
 */
export function mcNemarExact(wrongToRight: number, rightToWrong: number): number {
  const flips = wrongToRight + rightToWrong;
  const fewer = Math.min(wrongToRight, rightToWrong);
  // The binomial tail from its largest term down, in logarithms: 2^-flips alone is 0 from 1,075 flips on.
  let logTerm = -flips * Math.LN2;
  for (let i = 1; i <= fewer; i++) logTerm += Math.log((flips - fewer + i) / i);
  let [term, tail] = [1, 0];
  for (let i = fewer; i >= 0 && term > 0; i--) {
    tail += term;
    term *= i / (flips - i + 1);
  }
  return Math.min(1, 2 * Math.exp(logTerm) * tail);
}
