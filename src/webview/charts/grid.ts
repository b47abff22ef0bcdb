/** Finds the point nearest to a place. */
export interface Grid {
  /** Index of the nearest point at most `reach` away, of equally near ones the first; -1 where there is none. */
  nearest(x: number, y: number, reach: number): number;
}

/** Sorts points in the unit square into square cells of about two points each. Points outside of it or NaN are never found. */
export function gridOf(x: Float32Array, y: Float32Array): Grid {
  const side = Math.max(1, Math.min(512, Math.floor(Math.sqrt(x.length / 2))));
  const cell = (value: number) => Math.min(side - 1, Math.floor(value * side));
  const inside = (i: number) => x[i]! >= 0 && x[i]! <= 1 && y[i]! >= 0 && y[i]! <= 1;
  const starts = new Uint32Array(side * side + 1);
  for (let i = 0; i < x.length; i++) if (inside(i)) starts[cell(y[i]!) * side + cell(x[i]!) + 1]!++;
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
  const next = starts.slice();
  const order = new Uint32Array(starts.at(-1)!);
  for (let i = 0; i < x.length; i++) if (inside(i)) order[next[cell(y[i]!) * side + cell(x[i]!)]!++] = i;

  return {
    nearest(px, py, reach) {
      const clamped = (value: number) => Math.max(0, Math.min(side - 1, Math.floor(value * side)));
      const [left, right, top, bottom] = [clamped(px - reach), clamped(px + reach), clamped(py - reach), clamped(py + reach)];
      let [best, bestDistance] = [-1, reach * reach];
      for (let row = top; row <= bottom; row++) {
        for (let at = starts[row * side + left]!; at < starts[row * side + right + 1]!; at++) {
          const i = order[at]!;
          const distance = (x[i]! - px) ** 2 + (y[i]! - py) ** 2;
          if (distance < bestDistance || (distance === bestDistance && (best < 0 || i < best))) [best, bestDistance] = [i, distance];
        }
      }
      return best;
    },
  };
}
