import { percent } from '../../shared/format';
import { wilson } from '../../shared/wilson';
import { html, type Html } from './html';

/** A share with the number of cases behind it; null share where there are none. */
export interface Rate {
  readonly n: number;
  readonly share: number | null;
}

const width = 240;
const margin = 6;
const x = (share: number) => Math.round((margin + share * (width - 2 * margin)) * 10) / 10;

/**
 * Two horizontal bars on a scale of 0 to 100%, each with its 95% interval: with the feature (solid, a round mark) above,
 * without it (hatched, a diamond) below. Colour is never the only difference.
 */
export function pairedBars(present: Rate, absent: Rate): Html {
  return twoBars(`With the feature: ${spoken(present)}. Without it: ${spoken(absent)}.`, bar(present, 3, 'present'), bar(absent, 17, 'absent'));
}

/** The same for two checkpoints on the same images: before (hatched, a diamond) above, after (solid, a round mark) below. */
export function changeBars(before: Rate, after: Rate): Html {
  return twoBars(`Before: ${spoken(before)}. After: ${spoken(after)}.`, bar(before, 3, 'absent'), bar(after, 17, 'present'));
}

/** One bar with its 95% interval. */
export function singleBar(rate: Rate): Html {
  return html`<svg class="bars" viewBox="0 0 ${width} 16" width="${width}" height="16" role="img" aria-label="${spoken(rate)}">${grid(16)}${bar(rate, 3, 'present')}</svg>`;
}

/** The scale over a column of bars. */
export function barAxis(): Html {
  const tick = (share: number, anchor: string) => html`<text x="${x(share)}" y="10" text-anchor="${anchor}">${share * 100}%</text>`;
  return html`<svg class="bars axis" viewBox="0 0 ${width} 13" width="${width}" height="13" aria-hidden="true">${tick(0, 'start')}${tick(0.5, 'middle')}${tick(1, 'end')}</svg>`;
}

/** The hatching that all bars refer to; once a page. */
export function barPatterns(): Html {
  return html`<svg class="defs" width="0" height="0" aria-hidden="true"><defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/><rect class="hatch-line" width="2" height="5"/></pattern></defs></svg>`;
}

const twoBars = (label: string, above: Html, below: Html) =>
  html`<svg class="bars" viewBox="0 0 ${width} 30" width="${width}" height="30" role="img" aria-label="${label}">${grid(30)}${above}${below}</svg>`;

function bar({ n, share }: Rate, top: number, kind: 'present' | 'absent'): Html {
  const middle = top + 5;
  if (share === null) return html`<text class="empty" x="${x(0) + 3}" y="${middle + 3.5}">no images</text>`;
  const [low, high] = wilson(share, n).map(x) as [number, number];
  const at = x(share);
  const mark =
    kind === 'present'
      ? html`<circle class="mark" cx="${at}" cy="${middle}" r="3"/>`
      : html`<path class="mark" d="M${at - 4} ${middle}L${at} ${middle - 4}L${at + 4} ${middle}L${at} ${middle + 4}Z"/>`;
  return html`<g class="${kind}"><rect class="bar" x="${x(0)}" y="${top}" width="${Math.round((at - x(0)) * 10) / 10}" height="10"/><path class="whisker" d="M${low} ${middle - 3}V${middle + 3}M${low} ${middle}H${high}M${high} ${middle - 3}V${middle + 3}"/>${mark}</g>`;
}

const grid = (height: number) => html`<path class="grid" d="M${x(0)} 0V${height}M${x(0.5)} 0V${height}M${x(1)} 0V${height}"/>`;

function spoken({ n, share }: Rate): string {
  if (share === null) return 'no images';
  const [low, high] = wilson(share, n);
  return `${percent(share)} of ${n} right, 95% interval ${percent(low)} to ${percent(high)}`;
}
