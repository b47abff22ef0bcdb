import type { Findings } from '../../shared/findings';
import { counted } from '../../shared/format';
import { effect, nameOf } from '../../shared/words';

/** What lies under the headline: the strongest feature, or what was looked at without success. */
export function explanation(findings: Findings): string {
  const strongest = findings.findings.find((finding) => finding.flagged);
  if (strongest) return `Strongest: ‹${nameOf(strongest)}›. ${effect(strongest)}`;
  const survivors = findings.findings.filter((finding) => finding.rank !== null).length;
  const tested = `${counted(findings.findings.length, 'group')} of similar regions ${findings.findings.length === 1 ? 'was' : 'were'} compared`;
  if (survivors === 0) return `${tested}; none changes the accuracy of one class one way and of another the other way while being where the errors come from.`;
  return `${tested}; ${survivors} ${survivors === 1 ? 'shows' : 'show'} a difference, but none that chance could not produce as well. That is no proof of absence: small or rare effects need more images.`;
}
