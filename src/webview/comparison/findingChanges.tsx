import type { Comparison, FindingChange } from '../../shared/comparison';
import { counted, decimal, decimalInterval } from '../../shared/format';
import { nameOf, shown } from '../../shared/words';
import { Bars, type BarsProps } from '../charts/Bars';
import { groupRows } from './rows';
import { Section } from './section';

/** Findings whose groups are open at first. */
const open = 1;
const limit = 20;

/** Every feature before and after: its gap, whether it is still flagged, and its groups. */
export function FindingChanges({ comparison: { findings }, look }: { readonly comparison: Comparison; readonly look: Pick<BarsProps, 'names' | 'hatched' | 'differenceName'> }) {
  if (findings.length === 0) return null;
  return (
    <Section title="The features, before and after">
      {findings.slice(0, limit).map((finding, i) => (
        <details key={finding.rank} class="finding-change" open={i < open}>
          <summary>
            <span class="rank">{finding.rank}</span>{' '}
            <b>
              <bdi>{nameOf(finding)}</bdi>
            </b>
            {finding.attribute !== null && (
              <span class="muted">
                {' '}
                pulled towards <bdi>{shown(finding.attribute)}</bdi>
              </span>
            )}
            <span class="finding-gap">
              gap {decimal(finding.gap.before, 2)} → {decimal(finding.gap.after, 2)} <span class="muted">(change {decimalInterval(finding.gap.interval)})</span>
            </span>
            <StillFlagged finding={finding} />
          </summary>
          <Bars {...look} rows={groupRows(finding)} labelName={`Class, ${counted(finding.support, 'image')} with it`} caption={`Accuracy of each class with and without ${nameOf(finding)}, before and after`} />
        </details>
      ))}
      {findings.length > limit && <p class="muted">{counted(findings.length - limit, 'feature')} more in the report.</p>}
    </Section>
  );
}

function StillFlagged({ finding: { stillFlagged } }: { readonly finding: FindingChange }) {
  if (stillFlagged === null) return null;
  return stillFlagged ? (
    <span class="flagged">
      <span class="codicon codicon-warning worse" aria-hidden="true" /> still flagged
    </span>
  ) : (
    <span class="flagged">
      <span class="codicon codicon-pass better" aria-hidden="true" /> no longer flagged
    </span>
  );
}
