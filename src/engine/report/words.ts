import type { ClassRow, Finding, Findings } from '../../shared/findings';
import { count, counted, percentInWords } from './format';
import { shown } from './html';

/** A class with images on both sides, so that there is a difference to speak of. */
type Compared = ClassRow & { presentAcc: number; absentAcc: number; gap: number };

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

/** What the feature does to the class it pulls towards and to the class that loses most by it. */
export function effect(finding: Finding): string {
  const compared = finding.classes.filter((row): row is Compared => row.presentAcc !== null && row.absentAcc !== null && row.gap !== null);
  const gains = compared.find((row) => row.label === finding.attribute && row.gap > 0);
  const loses = compared.reduce<Compared | null>((worst, row) => (row.weighted < (worst?.weighted ?? 0) ? row : worst), null);
  const sentences = [gains && sentence(gains), loses && sentence(loses)].filter((text) => text !== null && text !== undefined);
  return sentences.length > 0 ? sentences.join(' ') : 'No class has images both with and without it.';
}

/** The name in words, best word first; the cluster's number where it has none. */
export function nameOf(finding: Pick<Finding, 'name' | 'cluster'>): string {
  return finding.name.length > 0 ? finding.name.slice(0, 3).map((word) => shown(word, 40)).join(', ') : `cluster ${finding.cluster}`;
}

const sentence = (row: Compared) =>
  `“${shown(row.label)}” is right ${percentInWords(row.presentAcc)} of the time with it (${count(row.presentN)} images) and ${percentInWords(row.absentAcc)} without (${count(row.absentN)}).`;
