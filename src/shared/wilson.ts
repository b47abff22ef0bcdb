/** Wilson's 95% score interval of a share of n (Wilson 1927). */
export function wilson(share: number, n: number): [number, number] {
  const z = 1.959963984540054;
  const z2 = (z * z) / n;
  const centre = (share + z2 / 2) / (1 + z2);
  const half = (z * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n))) / (1 + z2);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
