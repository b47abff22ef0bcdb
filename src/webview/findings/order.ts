import type { FindingSummary } from '../../shared/runQueries';
import type { Verdicts } from '../../shared/verdicts';
import { nameOf } from '../../shared/words';
import type { Column, Kept } from './state';

type Rows = Pick<Kept, 'sort' | 'search' | 'flaggedOnly'>;

/** The rows of the table: those that the search and the filter leave, sorted. Ties keep the order of the findings. */
export function tableRows(findings: readonly FindingSummary[], { sort, search, flaggedOnly }: Rows, verdicts: Verdicts, inLasso: Int32Array | null): FindingSummary[] {
  const wanted = search.trim().toLocaleLowerCase();
  const rows = findings.filter((finding) => (!flaggedOnly || finding.flagged) && (wanted === '' || searched(finding).includes(wanted)));
  const value = values(verdicts, inLasso)[sort.column];
  const order = (a: FindingSummary, b: FindingSummary) => compared(value(a), value(b), sort.descending);
  return rows.sort(order);
}

/** The row after `from` whose name begins with what was typed, going round; -1 where none does. */
export function typedAhead(rows: readonly FindingSummary[], from: number, typed: string): number {
  const wanted = typed.toLocaleLowerCase();
  // More of the same name may be on its way: while letters are added, the present row still counts.
  const first = typed.length > 1 ? 0 : 1;
  for (let step = first; step < rows.length + first; step++) {
    const index = (from + step + rows.length) % rows.length;
    if (rows[index] && nameOf(rows[index]).toLocaleLowerCase().startsWith(wanted)) return index;
  }
  return -1;
}

/** Whether a column is best looked at from its largest value down. */
export const descendsFirst = (column: Column): boolean => ['gap', 'influence', 'support', 'lasso'].includes(column);

type Value = number | string | null;

const values = (verdicts: Verdicts, inLasso: Int32Array | null): Readonly<Record<Column, (finding: FindingSummary) => Value>> => ({
  rank: () => 0,
  name: nameOf,
  attribute: (finding) => finding.attribute,
  gap: (finding) => finding.gap,
  influence: (finding) => finding.influence,
  support: (finding) => finding.support,
  qValue: (finding) => finding.qValue,
  flagged: (finding) => (finding.flagged ? 0 : finding.rank !== null ? 1 : 2),
  verdict: (finding) => verdicts.clusters[finding.cluster]?.verdict ?? null,
  lasso: (finding) => inLasso?.[finding.cluster] ?? 0,
});

/** What is missing comes last, whichever way. */
function compared(a: Value, b: Value, descending: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === 'string' || typeof b === 'string' ? String(a).localeCompare(String(b)) : a - b;
  return descending ? -order : order;
}

/** The text that a search looks through. Data may hold a text of a megabyte. */
const searched = ({ name, attribute, cluster, reasons }: FindingSummary): string =>
  [...name, attribute ?? '', `cluster ${cluster}`, ...reasons].map((text) => text.slice(0, 300)).join(' ').toLocaleLowerCase();
