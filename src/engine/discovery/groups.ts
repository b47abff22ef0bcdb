/** Members of every group as one column: group g owns `members[offsets[g] .. offsets[g + 1])`. */
export interface Groups {
  /** [groups + 1] */
  readonly offsets: Int32Array;
  /** [items], ascending inside a group. */
  readonly members: Int32Array;
}

/**
 * Groups items by key (a stable counting sort).
 *
 * @param keys [items], each in 0..groups-1
 */
export function groupBy(keys: Int32Array, groups: number): Groups {
  const offsets = new Int32Array(groups + 1);
  for (const key of keys) offsets[key + 1]++;
  for (let g = 0; g < groups; g++) offsets[g + 1] += offsets[g];
  const next = offsets.slice(0, groups);
  const members = new Int32Array(keys.length);
  keys.forEach((key, item) => (members[next[key]++] = item));
  return { offsets, members };
}
