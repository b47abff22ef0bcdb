import { percent, points, pointsInterval } from '../../shared/format';
import { wilson } from '../../shared/wilson';

/** A share of n cases; null where there are none. */
export interface Rate {
  readonly n: number;
  readonly share: number | null;
}

/** Two rates to compare: a class with and without a feature, or before and after. */
export interface BarRow {
  readonly label: string;
  /** What tells it from another row with the label, in a few words. */
  readonly note?: string;
  /** A codicon before the label, and what it says. */
  readonly sign?: { readonly icon: string; readonly text: string };
  readonly first: Rate;
  readonly second: Rate;
  /** Difference of the two, as a share, and its 95% interval. */
  readonly difference: number | null;
  readonly interval: readonly [number, number] | null;
}

export type Side = 'first' | 'second';

const scale = { left: 190, width: 300, right: 190, row: 34, top: 54 } as const;

/** What the chart is drawn with where no theme is: resolved CSS colours. */
export interface BarColours {
  readonly solid: string;
  readonly hatched: string;
  readonly text: string;
  readonly ground: string;
  readonly font: string;
}

/** Bars of all rows as one SVG file that needs nothing else. `hatched` is the side with the hatched bars. */
export function barsSvg(title: string, names: readonly [string, string], rows: readonly BarRow[], hatched: Side, colours: BarColours): string {
  const [width, height] = [scale.left + scale.width + scale.right, scale.top + rows.length * scale.row + 10];
  const x = (share: number) => round(scale.left + share * scale.width);
  const axis = [0, 0.5, 1].map((share) => `<path d="M${x(share)} ${scale.top - 4}V${height - 8}" stroke="${colours.text}" stroke-opacity="0.25"/>${text(x(share), scale.top - 8, `${share * 100}%`, 'middle')}`);
  const legend = `${mark(scale.left + 6, 27, 'first')}${text(scale.left + 16, 31, names[0])}${mark(scale.left + 136, 27, 'second')}${text(scale.left + 146, 31, names[1])}`;
  const body = rows.map((row, i) => {
    const top = scale.top + i * scale.row + 4;
    const label = `${clipped(row.label, 24)}${row.note ? `, ${clipped(row.note, 20)}` : ''}`;
    const change = row.difference === null ? '–' : `${points(row.difference)}${row.interval ? ` (${pointsInterval(row.interval)})` : ''}`;
    return `${text(scale.left - 10, top + 16, label, 'end')}${bar(row.first, top, 'first', x)}${bar(row.second, top + 13, 'second', x)}${text(scale.left + scale.width + 14, top + 16, change)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escaped(colours.font)}" font-size="12" fill="${colours.text}"><title>${escaped(title)}</title><defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2.5" height="5" fill="${colours.hatched}"/></pattern></defs><rect width="100%" height="100%" fill="${colours.ground}"/><text x="10" y="18" font-weight="600">${escaped(clipped(title, 90))}</text>${legend}${axis.join('')}${body.join('')}</svg>`;

  function bar({ n, share }: Rate, top: number, side: Side, at: (share: number) => number): string {
    if (share === null) return text(at(0) + 4, top + 9, 'no images');
    const middle = top + 5;
    const [low, high] = wilson(share, n).map(at) as [number, number];
    const [fill, stroke] = side === hatched ? ['url(#hatch)', colours.hatched] : [colours.solid, colours.solid];
    return `<rect x="${at(0)}" y="${top}" width="${round(share * scale.width)}" height="10" fill="${fill}" fill-opacity="0.7" stroke="${stroke}"/><path d="M${low} ${middle - 3}v6M${low} ${middle}H${high}M${high} ${middle - 3}v6" stroke="${colours.text}" fill="none"/>${mark(at(share), middle, side)}`;
  }
  function mark(x: number, y: number, side: Side): string {
    const shape = side !== hatched ? `<circle cx="${x}" cy="${y}" r="3.5"` : `<path d="M${x - 4.5} ${y}l4.5 -4.5l4.5 4.5l-4.5 4.5Z"`;
    return `${shape} fill="${side === hatched ? colours.hatched : colours.solid}" stroke="${colours.ground}"/>`;
  }
}

const text = (x: number, y: number, content: string, anchor = 'start') => `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
const round = (value: number) => Math.round(value * 10) / 10;
const clipped = (value: string, length: number) => (value.length > length ? `${value.slice(0, length - 1)}…` : value);

/** Data as text of XML, which has no place for control characters or halves of a character. */
function escaped(value: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return value
    .replace(/[&<>"']/g, (character) => entities[character]!)
    .replace(/[\u0000-\u001f\u007f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

/** A rate for a screen reader. */
export function spoken({ n, share }: Rate): string {
  if (share === null) return 'no images';
  const [low, high] = wilson(share, n);
  return `${percent(share)} of ${n}, 95% interval ${percent(low)} to ${percent(high)}`;
}
