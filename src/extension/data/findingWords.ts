import * as vscode from 'vscode';
import { count, decimal, percentInWords } from '../../shared/format';
import type { FindingSummary } from '../../shared/runQueries';
import { nameOf, shown } from '../../shared/words';

/** A finding in a line: what it pulls towards, how strongly, and what that does to the class that loses most by it. */
export function findingInWords(finding: FindingSummary): string {
  const { rank, attribute, gap, support } = finding;
  const numbers = vscode.l10n.t('G_c {0}, {1} images', decimal(gap, 2), count(support));
  const what = attribute === null ? wordOf(finding) : vscode.l10n.t('{0} pulls towards {1}', wordOf(finding), shown(attribute, 40));
  const loses = finding.classes.reduce<FindingSummary['classes'][number] | null>((worst, row) => (row.weighted < (worst?.weighted ?? 0) ? row : worst), null);
  const head = vscode.l10n.t('Finding {0}: {1} ({2}).', String(rank), what, numbers);
  if (!loses || loses.presentAcc === null || loses.absentAcc === null) return head;
  return `${head} ${vscode.l10n.t('{0} is right {1} with it, {2} without.', shown(loses.label, 40), percentInWords(loses.presentAcc), percentInWords(loses.absentAcc))}`;
}

/** `finding 1 (red)`, or several of them. */
export const findingNames = (findings: readonly FindingSummary[], ranks: readonly number[]): string =>
  ranks
    .map((rank) => {
      const finding = findings.find((each) => each.rank === rank);
      return finding ? vscode.l10n.t('finding {0} ({1})', rank, wordOf(finding)) : vscode.l10n.t('finding {0}', rank);
    })
    .join(', ');

/** The best word alone: a line has room for no more. */
const wordOf = ({ name, cluster }: FindingSummary): string => nameOf({ name: name.slice(0, 1), cluster });
