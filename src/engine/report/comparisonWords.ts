import type { Comparison, FindingChange, Regression } from '../../shared/comparison';
import { counted, decimal, percent } from '../../shared/format';
import { nameOf, shown } from '../../shared/words';

/** A comparison whose summary is still to be written. */
type Results = Omit<Comparison, 'summary'>;

/** The answer in one sentence: what became of the weakest group or, without groups, of the weakest class. */
export function changeHeadline(results: Results): string {
  const { worstGroup, worstClass, flipped } = results;
  if (flipped.rightToWrong.n + flipped.wrongToRight.n === 0) return 'No image changed between right and wrong.';
  const { before, after, interval } = worstGroup ?? worstClass;
  return moved(`The accuracy of the weakest ${worstGroup ? 'group' : 'class'}`, before.accuracy, after.accuracy, interval, percent);
}

/** The result in a few sentences, the headline first; what got worse is always among them. */
export function summaryInWords(results: Results): string {
  const { overall, findings, flipped, discovery } = results;
  const [first] = findings;
  const changed = flipped.rightToWrong.n + flipped.wrongToRight.n > 0;
  const sentences = [
    changeHeadline(results),
    weakestInWords(results),
    changed && moved('Overall accuracy', overall.before, overall.after, overall.interval, percent),
    changed && first && moved(`The gap of ‹${nameOf(first)}›`, first.gap.before, first.gap.after, first.gap.interval, (gap) => decimal(gap, 2), 'shrank'),
    changed && regressionsInWords(results),
    discovery && `Discovery, run again on the new checkpoint, flags ${counted(discovery.flaggedAfter, 'feature')}; it flagged ${discovery.flaggedBefore} before.`,
  ];
  return sentences.filter((sentence) => typeof sentence === 'string').join(' ');
}

/** What got worse beyond chance, in one sentence. */
export function regressionsInWords({ regressions, findings }: Pick<Results, 'regressions' | 'findings'>): string {
  const certain = regressions.filter((regression) => regression.certain);
  const [worst] = certain;
  if (!worst) return `No class${findings.length > 0 ? ' and no group' : ''} got worse beyond chance.`;
  const classes = certain.filter(({ rank }) => rank === null).length;
  const groups = certain.length - classes;
  const parts = [classes > 0 && counted(classes, 'class', 'classes'), groups > 0 && counted(groups, 'group')].filter((part) => part !== false);
  return `${parts.join(' and ')} got worse beyond chance, most of all ${groupInWords(worst, findings)}, from ${percent(worst.before)} to ${percent(worst.after)}.`;
}

/** A class, or a group of it: `“dress” without ‹white, pale›`. */
export function groupInWords({ label, rank, feature }: Pick<Regression, 'label' | 'rank' | 'feature'>, findings: readonly FindingChange[]): string {
  const finding = findings.find((each) => each.rank === rank);
  return `“${shown(label)}”${finding ? ` ${feature === 'present' ? 'with' : 'without'} ‹${nameOf(finding)}›` : ''}`;
}

function weakestInWords({ worstGroup, worstClass, findings }: Results): string {
  const [before, after] = worstGroup
    ? [groupInWords(worstGroup.before, findings), groupInWords(worstGroup.after, findings)]
    : [`“${shown(worstClass.before.label)}”`, `“${shown(worstClass.after.label)}”`];
  const noun = worstGroup ? 'group' : 'class';
  return before === after ? `The weakest ${noun} is ${before}.` : `The weakest ${noun} was ${before} and is now ${after}.`;
}

/** `X rose from a to b`, with a doubt where the interval of the difference holds 0. */
function moved(what: string, before: number, after: number, [low, high]: readonly [number, number], text: (value: number) => string, falls = 'fell'): string {
  if (text(before) === text(after)) return `${what} stayed at ${text(after)}.`;
  const [from, to] = [text(before), text(after)];
  if (low > 0) return `${what} rose from ${from} to ${to}.`;
  if (high < 0) return `${what} ${falls} from ${from} to ${to}.`;
  return `${what} went from ${from} to ${to}, which chance could explain.`;
}
