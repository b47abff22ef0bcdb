/** A measured value beside its goal. */
export function goal(value: number, relation: '≥' | '≤', limit: number, unit = ''): string {
  const met = relation === '≥' ? value >= limit : value <= limit;
  const digits = Number.isInteger(limit) ? 0 : 2;
  return `${value.toFixed(digits)}${unit} (goal ${relation} ${limit}${unit}: ${met ? 'met' : 'missed'})`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export async function seconds(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return (performance.now() - start) / 1000;
}
