import type { Change, Comparison, FindingChange, Regression } from '../../shared/comparison';
import { barAxis, changeBars, type Rate } from './bars';
import { count, counted, decimal, percent, points, pointsInterval, probability } from '../../shared/format';
import { nameOf, shown } from '../../shared/words';
import { html, type Html } from './html';
import { groupInWords } from './comparisonWords';

/** Rows of a table at once, and in all: with a thousand classes the page would be nothing else. */
const rowLimit = { open: 16, all: 200 } as const;
const findingRows = { open: 6, all: 24 } as const;

/** What got worse: the certain rows open, those that chance could explain folded away. */
export function regressionTables({ regressions, findings }: Comparison): Html {
  const row = (regression: Regression) => changeRow(html`<bdi>${groupInWords(regression, findings)}</bdi>`, regression);
  const [certain, doubtful] = [regressions.filter((each) => each.certain), regressions.filter((each) => !each.certain)];
  return html`${certain.length > 0 && foldedTable(certain.map(row), 'Class or group, worst first', rowLimit)}
${doubtful.length > 0 && html`<details><summary>${counted(doubtful.length, 'class or group', 'classes and groups')} lower by an amount that chance could explain</summary>${foldedTable(doubtful.map(row), 'Class or group', rowLimit)}</details>`}`;
}

/** Every class, worst change first. */
export function classChangeTable({ perClass }: Comparison): Html {
  const rows = [...perClass].sort((a, b) => a.difference - b.difference).map(({ label, ...change }) => changeRow(html`<bdi>${shown(label)}</bdi>`, change));
  return foldedTable(rows, 'Class, worst change first', rowLimit);
}

/** The card of a finding: its gap before and after, and every class with it and without it, the widest gaps before first. */
export function findingChangeCard(finding: FindingChange, images: number): Html {
  const { rank, cluster, attribute, gap, support, stillFlagged, classes } = finding;
  const width = (row: FindingChange['classes'][number]) => Math.abs(row.gapBefore ?? 0);
  const rows = [...classes].sort((a, b) => width(b) - width(a)).flatMap(({ label, present, absent }) => [sideRow(label, 'with', present), sideRow(label, 'without', absent)]);
  const limit = { open: 2 * findingRows.open, all: 2 * findingRows.all };
  return html`<article class="card" aria-labelledby="finding-${rank}">
<header><span class="rank" aria-label="Rank">${rank}</span><h3 id="finding-${rank}"><bdi>${nameOf(finding)}</bdi></h3>${attribute !== null && html`<span class="towards">pulled towards <b><bdi>${shown(attribute)}</bdi></b></span>`}</header>
<dl class="figures">
<div><dt>Gap G<sub>c</sub></dt><dd>${decimal(gap.before, 2)} → ${decimal(gap.after, 2)}</dd></div>
<div><dt>Its change</dt><dd>${signed(gap.difference)} <span class="muted">${signed(gap.interval[0])} to ${signed(gap.interval[1])}</span></dd></div>
<div><dt>Images with it</dt><dd>${count(support)} <span class="muted">${percent(images > 0 ? support / images : null)} of all, cluster ${cluster}</span></dd></div>
${stillFlagged !== null && html`<div><dt>Discovery, run again</dt><dd>${stillFlagged ? 'flags it again' : 'no longer flags it'}</dd></div>`}
</dl>
${foldedTable(rows, 'Class', limit)}
</article>`;
}

function foldedTable(rows: readonly Html[], first: string, limit: { readonly open: number; readonly all: number }): Html {
  const folded = rows.slice(limit.open, limit.all);
  return html`${changeTable(rows.slice(0, limit.open), first)}
${folded.length > 0 && html`<details class="more"><summary class="muted">${counted(folded.length, 'more row')}</summary>${changeTable(folded, first)}${rows.length > limit.all && html`<p class="muted">${counted(rows.length - limit.all, 'row')} more in comparison.json.</p>`}</details>`}`;
}

const changeTable = (rows: readonly Html[], first: string) =>
  html`<div class="scroll"><table class="classes"><thead><tr><th scope="col">${first}</th><th scope="col">${barAxis()}</th><th class="number" scope="col">n</th><th class="number" scope="col"><span class="key absent" aria-hidden="true"></span>Before</th><th class="number" scope="col"><span class="key present" aria-hidden="true"></span>After</th><th class="number" scope="col">Change, points</th><th class="number" scope="col">95% interval</th><th class="number" scope="col">p</th><th class="number" scope="col" title="Images that became right, and that became wrong">Flips</th></tr></thead><tbody>${rows}</tbody></table></div>`;

function sideRow(label: string, side: 'with' | 'without', change: Change | null): Html {
  const name = html`<bdi>${shown(label)}</bdi> <span class="muted">${side} it</span>`;
  const cells = change ? changeCells(change) : html`<td colspan="8" class="muted">no images</td>`;
  return html`<tr class="${side === 'with' ? 'pair' : 'paired'}${change && sure(change) ? ' sure' : ''}"><th scope="row">${name}</th>${cells}</tr>`;
}

function changeRow(name: Html, change: Change): Html {
  return html`<tr${sure(change) && html` class="sure"`}><th scope="row">${name}</th>${changeCells(change)}</tr>`;
}

function changeCells({ n, before, after, difference, interval, pValue, wrongToRight, rightToWrong }: Change): Html {
  const rate = (share: number): Rate => ({ n, share });
  const direction = difference > 0 ? 'right' : difference < 0 ? 'wrong' : '';
  return html`<td>${changeBars(rate(before), rate(after))}</td><td class="number muted">${count(n)}</td><td class="number">${percent(before)}</td><td class="number">${percent(after)}</td><td class="number gap ${sure({ interval }) ? direction : ''}">${points(difference)}</td><td class="number muted">${pointsInterval(interval)}</td><td class="number muted">${probability(pValue)}</td><td class="number muted">+${count(wrongToRight)} −${count(rightToWrong)}</td>`;
}

const sure = ({ interval: [low, high] }: Pick<Change, 'interval'>) => low > 0 || high < 0;
const signed = (value: number) => `${value > 0 ? '+' : ''}${decimal(value, 2)}`;
