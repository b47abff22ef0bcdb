import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { count } from '../../shared/format';
import './charts.css';
import { decimate, smoothed } from './decimate';
import { apart, ticks } from './ticks';

export interface Curve {
  readonly name: string;
  /** Ascending. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Points are few and each counts: they get marks. Otherwise they are drawn faintly under a moving average. */
  readonly marks?: boolean;
}

export interface CurvesProps {
  readonly title: string;
  /** What the chart says, for those who cannot see it. */
  readonly label: string;
  readonly xName: string;
  readonly curves: readonly Curve[];
  /** Top of the y axis, which starts at 0; otherwise it fits what is drawn. */
  readonly top?: number;
  readonly valueText: (y: number) => string;
  readonly tickText?: (y: number) => string;
  /** A place on the x axis to mark, with a word or two. */
  readonly mark?: { readonly x: number; readonly text: string } | null;
  readonly height?: number;
}

const margin = { left: 44, right: 96, top: 18, bottom: 32 } as const;
/** A moving average is over this part of what is drawn. */
const averaged = 1 / 25;

/** Lines of a training over steps or epochs. The pointer, or arrow keys, read their values. */
export function Curves({ title, label, xName, curves, top, valueText, tickText = valueText, mark, height = 220 }: CurvesProps) {
  const [box, width] = useWidth(480);
  const readoutId = useId();
  const [at, setAt] = useState<number | null>(null);
  const shown = curves.filter((curve) => curve.x.length > 0);
  if (shown.length === 0) return null;

  const lines = shown.map((curve) => ({ ...curve, line: curve.marks ? curve.y : smoothed(curve.y, curve.y.length * averaged) }));
  const plot = { left: margin.left, right: Math.max(margin.left + 40, width - margin.right), top: margin.top, bottom: height - margin.bottom };
  const xs = [...new Set(shown.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const [xStart, xEnd] = [xs[0]!, Math.max(xs[0]! + 1, xs.at(-1)!)];
  const yEnd = top ?? highest(shown) * 1.05;
  const toX = (x: number) => round(plot.left + ((x - xStart) / (xEnd - xStart)) * (plot.right - plot.left));
  const toY = (y: number) => round(plot.bottom - (Math.max(0, Math.min(y, yEnd)) / yEnd) * (plot.bottom - plot.top));
  const names = apart(lines.map(({ line }) => toY(lastFinite(line))), 14, plot.top, plot.bottom);
  // While nothing is read, the last values stand there.
  const read = xs[Math.min(at ?? xs.length - 1, xs.length - 1)]!;

  const point = (event: MouseEvent) => {
    const { left } = (event.currentTarget as Element).getBoundingClientRect();
    const x = xStart + ((event.clientX - left - plot.left) / (plot.right - plot.left)) * (xEnd - xStart);
    setAt(nearestIndex(xs, x));
  };
  const keyed = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -xs.length, End: xs.length }[event.key];
    if (event.key === 'Escape') setAt(null);
    if (by === undefined) return;
    event.preventDefault();
    setAt((now) => Math.max(0, Math.min(xs.length - 1, (now ?? (by > 0 ? -1 : xs.length)) + by)));
  };
  const values = lines.flatMap(({ name, x, y }, i) => (x.includes(read) ? [{ name, i, value: y[x.indexOf(read)]! }] : []));

  return (
    <figure class="curves" ref={box}>
      <figcaption>
        {title}
        <span class="curves-readout" id={readoutId} aria-live={at === null ? 'off' : 'polite'}>
          {xName} {count(read)}
          {values.map(({ name, i, value }) => (
            <span key={name} class={`series-${i}`}>
              {name} {valueText(value)}
            </span>
          ))}
        </span>
      </figcaption>
      <svg width={width} height={height} role="img" aria-label={`${label} Arrow keys read the values.`} aria-describedby={readoutId} tabIndex={0} onPointerMove={point} onPointerLeave={() => setAt(null)} onKeyDown={keyed} onBlur={() => setAt(null)}>
        {ticks(0, yEnd, 5).map((y) => (
          <g key={`y${y}`} class="curves-grid">
            <line x1={plot.left} x2={plot.right} y1={toY(y)} y2={toY(y)} />
            <text x={plot.left - 6} y={toY(y) + 4} text-anchor="end">
              {tickText(y)}
            </text>
          </g>
        ))}
        {ticks(xStart, xEnd, Math.max(2, Math.floor((plot.right - plot.left) / 70)), true).map((x) => (
          <text key={`x${x}`} x={toX(x)} y={plot.bottom + 14} text-anchor="middle">
            {count(x)}
          </text>
        ))}
        <text x={(plot.left + plot.right) / 2} y={height - 4} text-anchor="middle">
          {xName}
        </text>
        {mark && (
          <g class="curves-mark">
            <line x1={toX(mark.x)} x2={toX(mark.x)} y1={plot.top} y2={plot.bottom} />
            <text x={toX(mark.x)} y={plot.top - 6} text-anchor="middle">
              {mark.text}
            </text>
          </g>
        )}
        {lines.map(({ name, x, y, line, marks }, i) => {
          const columns = Math.max(1, Math.round(plot.right - plot.left));
          const path = (values: readonly number[]) => decimate(x, values, columns).map((k, first) => `${first === 0 ? 'M' : 'L'}${toX(x[k]!)} ${toY(values[k]!)}`).join('');
          const few = marks || x.length === 1;
          return (
            <g key={name} class={`series-${i}`}>
              {!few && <path class="curves-raw" d={path(y)} />}
              <path class="curves-line" d={path(line)} />
              {few && x.length <= 80 && x.map((each, k) => Number.isFinite(y[k]) && <Mark key={each} x={toX(each)} y={toY(y[k]!)} series={i} />)}
              <path class="curves-leader" d={`M${toX(x.at(-1)!)} ${toY(lastFinite(line))}L${plot.right + 8} ${names[i]!}`} />
              <text x={plot.right + 10} y={names[i]! + 4}>
                {name}
              </text>
            </g>
          );
        })}
        {at !== null && <line class="curves-cursor" x1={toX(read)} x2={toX(read)} y1={plot.top} y2={plot.bottom} />}
      </svg>
    </figure>
  );
}

/** Series are told apart by the shape of their marks, not by colour alone. */
function Mark({ x, y, series }: { readonly x: number; readonly y: number; readonly series: number }) {
  if (series % 3 === 1) return <path class="curves-dot" d={`M${x - 4} ${y}l4 -4l4 4l-4 4Z`} />;
  if (series % 3 === 2) return <rect class="curves-dot" x={x - 3} y={y - 3} width="6" height="6" />;
  return <circle class="curves-dot" cx={x} cy={y} r="3" />;
}

/** The width of an element in pixels, as it changes. */
function useWidth(first: number) {
  const element = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(240, Math.floor(entry!.contentRect.width))));
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width] as const;
}

/** The highest value; 1 where nothing is above 0. */
function highest(curves: readonly Curve[]): number {
  const values = curves.flatMap(({ y }) => y.filter(Number.isFinite));
  return values.reduce((most, value) => Math.max(most, value), 0) || 1;
}

function nearestIndex(sorted: readonly number[], x: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - sorted[low - 1]! < sorted[low]! - x ? low - 1 : low;
}

const lastFinite = (values: readonly number[]) => values.findLast(Number.isFinite) ?? 0;
const round = (value: number) => Math.round(value * 10) / 10;
