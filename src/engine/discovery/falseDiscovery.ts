/**
 * Benjamini-Hochberg adjusted p-values (1995): flagging q < alpha keeps the expected share of false findings below alpha,
 * for independent tests and for positively dependent ones, as clusters that share images are.
 *
 * @param pValues NaN marks what was not tested; it stays NaN and does not count
 */
export function benjaminiHochberg(pValues: Float64Array): Float64Array {
  const qValues = new Float64Array(pValues.length).fill(NaN);
  const tested = Array.from(pValues.keys()).filter((i) => !Number.isNaN(pValues[i]));
  tested.sort((a, b) => pValues[b] - pValues[a]);
  let q = 1;
  tested.forEach((i, position) => {
    q = Math.min(q, (pValues[i] * tested.length) / (tested.length - position));
    qValues[i] = q;
  });
  return qValues;
}
