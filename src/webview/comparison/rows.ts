import type { Change, FindingChange, Regression } from '../../shared/comparison';
import { nameOf, shown } from '../../shared/words';
import type { BarRow } from '../charts/barRows';

/** A class, or a group of it: `“dress” without ‹white, pale›`. */
export function groupInWords({ label, rank, feature }: Pick<Regression, 'label' | 'rank' | 'feature'>, findings: readonly FindingChange[]): string {
  const finding = findings.find((each) => each.rank === rank);
  return `“${shown(label)}”${finding ? ` ${withOrWithout(feature)} ‹${nameOf(finding)}›` : ''}`;
}

/** What got worse, in the order of the comparison; what is beyond chance bears a sign. */
export const regressionRows = (regressions: readonly Regression[], findings: readonly FindingChange[]): BarRow[] =>
  regressions.map((regression) => {
    const finding = findings.find(({ rank }) => rank === regression.rank);
    return {
      ...changed(regression.label, regression),
      ...(finding ? { note: `${withOrWithout(regression.feature)} ‹${nameOf(finding)}›` } : {}),
      ...(regression.certain ? { sign: { icon: 'warning', text: 'Worse beyond chance' } } : {}),
    };
  });

/** Every class, the worst change first. */
export const classRows = (perClass: readonly (Change & { readonly label: string })[]): BarRow[] =>
  [...perClass].sort((a, b) => a.difference - b.difference).map((change) => changed(change.label, change));

/** Every class with a feature and without it, the widest gaps before first. */
export function groupRows({ classes }: FindingChange): BarRow[] {
  const widest = [...classes].sort((a, b) => Math.abs(b.gapBefore ?? 0) - Math.abs(a.gapBefore ?? 0));
  return widest.flatMap(({ label, present, absent }) => [
    { ...changed(label, present), note: 'with it' },
    { ...changed(label, absent), note: 'without it' },
  ]);
}

const none = { n: 0, share: null };
const changed = (label: string, change: Change | null): BarRow => ({
  label: shown(label, 80),
  first: change ? { n: change.n, share: change.before } : none,
  second: change ? { n: change.n, share: change.after } : none,
  difference: change?.difference ?? null,
  interval: change?.interval ?? null,
});

const withOrWithout = (feature: Regression['feature']) => (feature === 'present' ? 'with' : 'without');
