export type Interval = [low: number, high: number];

/** The 97.5% point of the standard normal distribution: every interval here is 95%, two-sided. */
const Z = 1.959963984540054;

/**
 * Newcombe's interval for a difference of two independent proportions, right1/n1 - right2/n2 (Newcombe 1998,
 * Statistics in Medicine 17:873-890, method 10): the two Wilson intervals combined. Within -1..1, and honest for small
 * counts, where the textbook interval is not.
 *
 * @returns null when one side is empty
 */
export function newcombeInterval(right1: number, n1: number, right2: number, n2: number): Interval | null {
  if (n1 === 0 || n2 === 0) return null;
  const [p1, p2] = [right1 / n1, right2 / n2];
  const [low1, high1] = wilsonInterval(right1, n1);
  const [low2, high2] = wilsonInterval(right2, n2);
  const difference = p1 - p2;
  return [
    Math.max(-1, difference - Math.hypot(p1 - low1, high2 - p2)),
    Math.min(1, difference + Math.hypot(high1 - p1, p2 - low2)),
  ];
}

/** Wilson's score interval for the proportion right/n, n > 0 (Wilson 1927). */
export function wilsonInterval(right: number, n: number): Interval {
  const p = right / n;
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = ((Z / (1 + (Z * Z) / n)) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n)));
  // At the ends the exact bound is 0 or 1 and rounding would leave it a hair off.
  return [right === 0 ? 0 : Math.max(0, centre - half), right === n ? 1 : Math.min(1, centre + half)];
}
