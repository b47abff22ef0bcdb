import type { Findings } from '../../shared/findings';
import { counted, percentInWords } from '../../shared/format';
import { effect, nameOf, shown } from '../../shared/words';

/** The answer in one sentence: how many features mislead the model. */
export function headline(findings: Findings): string {
  const flagged = findings.findings.filter((finding) => finding.flagged).length;
  if (flagged > 0) return `${counted(flagged, 'feature')} ${flagged === 1 ? 'misleads' : 'mislead'} this model.`;
  return findings.findings.length > 0 ? 'No feature was found to mislead this model.' : 'There was nothing to compare.';
}

/** What lies under the headline: the strongest feature, or what was looked at without success. */
export function explanation(findings: Findings): string {
  const strongest = findings.findings.find((finding) => finding.flagged);
  if (strongest) return `Strongest: ‹${nameOf(strongest)}›. ${effect(strongest)}`;
  const survivors = findings.findings.filter((finding) => finding.rank !== null).length;
  const tested = `${counted(findings.findings.length, 'group')} of similar regions ${findings.findings.length === 1 ? 'was' : 'were'} compared`;
  if (survivors === 0) return `${tested}; none changes the accuracy of one class one way and of another the other way while being where the errors come from.`;
  return `${tested}; ${survivors} ${survivors === 1 ? 'shows' : 'show'} a difference, but none that chance could not produce as well. That is no proof of absence: small or rare effects need more images.`;
}

/** Overall and worst-class accuracy in one sentence. */
export function accuracyInWords({ accuracy, images }: Findings): string {
  const { label, accuracy: worst } = accuracy.worstClass;
  const n = accuracy.perClass.find((row) => row.label === label)?.n;
  const ofN = n === undefined ? '' : ` of ${counted(n, 'image')}`;
  return `The model is right on ${percentInWords(accuracy.overall)} of ${counted(images, 'image')}; its weakest class is “${shown(label)}”, right on ${percentInWords(worst)}${ofN}.`;
}
