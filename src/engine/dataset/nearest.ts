/**
 * The name most like `name`, or undefined when none is alike: equal but for case and blanks, or at most a third of
 * its letters, rounded up, away (Levenshtein distance). Ties go to the first.
 */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const wanted = fold(name);
  let best: string | undefined;
  let least = Math.min(wanted.length, Math.ceil(wanted.length / 3) + 1);
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) > least + 4) continue;
    const distance = editDistance(wanted, fold(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + change));
    }
    previous = row;
  }
  return previous[b.length]!;
}
