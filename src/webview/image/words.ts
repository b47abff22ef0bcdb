import { percent } from '../../shared/format';
import type { WhatIf } from '../../shared/runQueries';
import { shown } from '../../shared/words';

/** What the masks did to the prediction, in a sentence. */
export function whatIfInWords({ before, after }: WhatIf, label: string): string {
  if (before.predicted === after.predicted) {
    return `The prediction stays “${shown(after.predicted)}”, its score goes from ${percent(highest(before.scores))} to ${percent(highest(after.scores))}.`;
  }
  const verdict = after.predicted === label ? 'which is right' : before.predicted === label ? 'which is wrong' : 'which is wrong as well';
  return `The prediction turns from “${shown(before.predicted)}” to “${shown(after.predicted)}”, ${verdict}.`;
}

/** The classes that score highest before or after, best first by the higher of the two. */
export function topScores({ before, after }: WhatIf, count: number): { readonly index: number; readonly before: number; readonly after: number }[] {
  const rows = before.scores.map((score, index) => ({ index, before: score, after: after.scores[index] ?? 0 }));
  return rows.sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after) || a.index - b.index).slice(0, count);
}

const highest = (scores: readonly number[]) => scores.reduce((most, score) => Math.max(most, score), 0);
