/** Line charts of a training run, drawn as SVG: a colour, a dash and a name at its end tell each line apart. */
import { html, type Html } from './html';

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Marks every point, with few of them. */
  readonly mark?: 'circle' | 'diamond';
}

export interface Chart {
  readonly title: string;
  /** What the chart says, for those who cannot see it. */
  readonly label: string;
  readonly xName: string;
  /** The y axis starts at 0 and ends at `top`, or just above the highest point. */
  readonly top?: number;
  readonly tickText: (y: number) => string;
  readonly lines: readonly Line[];
  /** A point of the x axis to mark, with a few words. */
  readonly mark?: { readonly x: number; readonly text: string };
}

const size = { width: 440, height: 240 } as const;
/** Room at the right is for the lines' names. */
const margin = { left: 40, right: 104, top: 14, bottom: 34 } as const;
const mostPoints = 160;

/** A chart under its title. Lines without points are left out; a chart of none is nothing. */
export function lineChart({ title, label, xName, top, tickText, lines, mark }: Chart): Html | null {
  const drawn = lines.map((line) => ({ ...line, points: thinned(line.points) })).filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return null;
  const points = drawn.flatMap((line) => line.points);
  const xEnd = Math.max(1, ...points.map(([x]) => x));
  const xStart = Math.min(...points.map(([x]) => x), xEnd - 1);
  const yEnd = top ?? (Math.max(0, ...points.map(([, y]) => y)) * 1.05 || 1);
  const toX = (x: number) => round(margin.left + ((x - xStart) / (xEnd - xStart)) * (size.width - margin.left - margin.right));
  const toY = (y: number) => round(size.height - margin.bottom - (Math.max(0, Math.min(y, yEnd)) / yEnd) * (size.height - margin.top - margin.bottom));
  const [left, right, base] = [margin.left, size.width - margin.right, size.height - margin.bottom];
  const yTicks = ticks(0, yEnd, 5).map((y) => html`<path class="grid" d="M${left} ${toY(y)}H${right}"/><text x="${left - 6}" y="${toY(y) + 3}" text-anchor="end">${tickText(y)}</text>`);
  const xTicks = ticks(xStart, xEnd, 6, true).map((x) => html`<path class="grid" d="M${toX(x)} ${base}v4"/><text x="${toX(x)}" y="${base + 15}" text-anchor="middle">${x.toLocaleString('en-US')}</text>`);
  const names = spread(drawn.map((line) => toY(line.points.at(-1)![1])), margin.top, base);
  const marked = mark && html`<path class="marked" d="M${toX(mark.x)} ${margin.top}V${base}"/><text class="strong" x="${toX(mark.x)}" y="${margin.top - 4}" text-anchor="middle">${mark.text}</text>`;
  return html`<figure class="chart"><figcaption>${title}</figcaption><svg viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img" aria-label="${label}">${yTicks}${xTicks}<text x="${(left + right) / 2}" y="${size.height - 4}" text-anchor="middle">${xName}</text>${marked ?? null}${drawn.map((line, i) => drawnLine(line, i, toX, toY, { x: right + 8, y: names[i]! }))}</svg></figure>`;
}

function drawnLine({ name, points, mark }: Line, index: number, toX: (x: number) => number, toY: (y: number) => number, label: { x: number; y: number }): Html {
  const at = points.map(([x, y]) => [toX(x), toY(y)] as const);
  const path = at.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  // A line of one point would not be seen.
  const marks = (mark !== undefined && at.length <= 60) || at.length === 1 ? at.map(([x, y]) => markAt(x, y, mark)) : [];
  const [endX, endY] = at.at(-1)!;
  return html`<g class="series series-${index}"><path class="line" d="${path}"/>${marks}<path class="leader" d="M${endX} ${endY}L${label.x - 2} ${label.y}"/><text x="${label.x}" y="${label.y + 3}">${name}</text></g>`;
}

const markAt = (x: number, y: number, mark: Line['mark']) =>
  mark === 'diamond' ? html`<path class="dot" d="M${round(x - 4)} ${y}L${x} ${round(y - 4)}L${round(x + 4)} ${y}L${x} ${round(y + 4)}Z"/>` : html`<circle class="dot" cx="${x}" cy="${y}" r="3"/>`;

/** Of many points the means of equal stretches: more would only be drawn on top of each other. The last point stays. */
function thinned(points: Line['points']): Line['points'] {
  if (points.length <= mostPoints) return points;
  const means = Array.from({ length: mostPoints - 1 }, (_, i) => {
    const part = points.slice(Math.floor((i * (points.length - 1)) / (mostPoints - 1)), Math.floor(((i + 1) * (points.length - 1)) / (mostPoints - 1)));
    const mean = (at: 0 | 1) => part.reduce((sum, point) => sum + point[at], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
  return [...means, points.at(-1)!];
}

/** Round numbers from `start` to `end`, about so many of them. */
function ticks(start: number, end: number, about: number, whole = false): number[] {
  const rough = (end - start) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(whole ? 1 : 0, [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999)!);
  const first = Math.ceil(start / step - 1e-9);
  return Array.from({ length: Math.floor(end / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Heights for the names beside their lines' ends, moved apart where they would overlap. */
function spread(heights: readonly number[], top: number, bottom: number): number[] {
  const gap = 13;
  const order = heights.map((_, i) => i).sort((a, b) => heights[a]! - heights[b]! || a - b);
  const placed = [...heights];
  order.forEach((i, at) => {
    if (at > 0) placed[i] = Math.max(placed[i]!, placed[order[at - 1]!]! + gap);
  });
  // What was pushed below the axis is pushed up again, from the lowest on.
  for (let at = order.length - 1; at >= 0; at--) {
    const limit = at === order.length - 1 ? bottom : placed[order[at + 1]!]! - gap;
    placed[order[at]!] = Math.max(top, Math.min(placed[order[at]!]!, limit));
  }
  return placed.map(round);
}

const round = (value: number) => Math.round(value * 10) / 10;
