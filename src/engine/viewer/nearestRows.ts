export interface Neighbours {
  /** [n, k] rows, most similar first. */
  readonly rows: Int32Array;
  /** [n, k] */
  readonly similarities: Float32Array;
}

/**
 * The k largest of each row of `similarity` [height, m], ties to the smaller column, written into `into` from row `at` on.
 *
 * @param own column that belongs to the first row itself, the next to the second and so on: it comes first; null for none
 */
export function nearestRows(similarity: Float32Array, height: number, m: number, k: number, own: number | null, into: Neighbours, at: number): void {
  const columns = new Int32Array(k);
  const values = new Float32Array(k);
  for (let row = 0; row < height; row++) {
    values.fill(-Infinity);
    columns.fill(0);
    const self = own === null ? -1 : own + row;
    const first = own === null ? 0 : 1;
    if (own !== null) {
      columns[0] = self;
      values[0] = 1;
    }
    for (let column = 0; column < m; column++) {
      const value = similarity[row * m + column]!;
      if (value <= values[k - 1]! || column === self) continue;
      let place = k - 1;
      while (place > first && values[place - 1]! < value) {
        values[place] = values[place - 1]!;
        columns[place] = columns[place - 1]!;
        place--;
      }
      values[place] = value;
      columns[place] = column;
    }
    into.rows.set(columns, (at + row) * k);
    into.similarities.set(values, (at + row) * k);
  }
}
