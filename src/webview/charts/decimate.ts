/**
 * Indices of the points of a line that are worth drawing when it is `columns` pixels wide: of each pixel's points the lowest and
 * the highest, and the first and the last point of all, in order. `x` ascends. Points that are not finite are left out.
 */
export function decimate(x: ArrayLike<number>, y: ArrayLike<number>, columns: number): number[] {
  const finite = Array.from({ length: x.length }, (_, i) => i).filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]));
  if (finite.length <= 2 * columns) return finite;
  const [start, end] = [x[finite[0]!]!, x[finite.at(-1)!]!];
  const kept = new Set([finite[0]!, finite.at(-1)!]);
  const column = (i: number) => (end > start ? Math.min(columns - 1, Math.floor(((x[i]! - start) / (end - start)) * columns)) : 0);
  for (let at = 0; at < finite.length; ) {
    let [lowest, highest] = [finite[at]!, finite[at]!];
    const current = column(lowest);
    for (; at < finite.length && column(finite[at]!) === current; at++) {
      const i = finite[at]!;
      if (y[i]! < y[lowest]!) lowest = i;
      if (y[i]! > y[highest]!) highest = i;
    }
    kept.add(lowest).add(highest);
  }
  return [...kept].sort((a, b) => a - b);
}

/** An exponential moving average over about `span` points that starts without a bias; what is not finite is passed over. */
export function smoothed(y: readonly number[], span: number): number[] {
  const keep = 1 - 2 / (Math.max(1, span) + 1);
  let [sum, weight] = [0, 0];
  return y.map((value) => {
    if (!Number.isFinite(value)) return value;
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}
