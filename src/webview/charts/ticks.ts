/** Round numbers from `start` to `end`, about so many of them; with `whole`, integers only. */
export function ticks(start: number, end: number, about: number, whole = false): number[] {
  if (!(end > start)) return [start];
  const rough = (end - start) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(whole ? 1 : 0, [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999)!);
  const first = Math.ceil(start / step - 1e-9);
  return Array.from({ length: Math.floor(end / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Places on a line for texts of height `gap` wanted at `wanted`, moved apart where they would overlap and kept within `top` and `bottom`. */
export function apart(wanted: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]! || a - b);
  const placed = [...wanted];
  let above = top - gap;
  for (const i of order) above = placed[i] = Math.max(placed[i]!, above + gap);
  let below = bottom + gap;
  for (const i of order.reverse()) below = placed[i] = Math.min(placed[i]!, below - gap);
  return placed;
}
