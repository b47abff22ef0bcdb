import type { ClassRow, Finding, Findings } from './findings';
import { count, counted, percentInWords } from './format';

/** A class with images on both sides, so that there is a difference to speak of. */
type Compared = ClassRow & { presentAcc: number; absentAcc: number; gap: number };

/** The answer in one sentence: how many features mislead the model. */
export function headline(findings: readonly Pick<Finding, 'flagged'>[]): string {
  const flagged = findings.filter((finding) => finding.flagged).length;
  if (flagged > 0) return `${counted(flagged, 'feature')} ${flagged === 1 ? 'misleads' : 'mislead'} this model.`;
  return findings.length > 0 ? 'No feature was found to mislead this model.' : 'There was nothing to compare.';
}

/** Overall and worst-class accuracy in one sentence. */
export function accuracyInWords({ accuracy, images }: Pick<Findings, 'accuracy' | 'images'>): string {
  const { label, accuracy: worst } = accuracy.worstClass;
  const n = accuracy.perClass.find((row) => row.label === label)?.n;
  const ofN = n === undefined ? '' : ` of ${counted(n, 'image')}`;
  return `The model is right on ${percentInWords(accuracy.overall)} of ${counted(images, 'image')}; its weakest class is “${shown(label)}”, right on ${percentInWords(worst)}${ofN}.`;
}

/** What the feature does to the class it pulls towards and to the class that loses most by it. */
export function effect(finding: Pick<Finding, 'classes' | 'attribute'>): string {
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

/**
 * Text from data, fit to be shown: at most `max` characters (an ellipsis for the rest), on one line, with a visible
 * mark in the place of control characters, of marks that turn the direction of the text around, and of broken Unicode.
 */
export function shown(text: string, max = 60): string {
  // Cut roughly before anything else, as data may hold a text of a megabyte.
  const characters = Array.from(text.slice(0, 4 * max).replace(/\s+/gu, ' ').trim().replace(unfit, '\ufffd'));
  const whole = text.length <= 4 * max && characters.length <= max;
  return whole ? characters.join('') : `${characters.slice(0, max - 1).join('')}…`;
}

const unfit = /[\p{Cc}\p{Cs}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

const sentence = (row: Compared) =>
  `“${shown(row.label)}” is right ${percentInWords(row.presentAcc)} of the time with it (${count(row.presentN)} images) and ${percentInWords(row.absentAcc)} without (${count(row.absentN)}).`;
