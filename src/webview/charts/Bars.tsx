import { useId } from 'preact/hooks';
import { count, percent, points, pointsInterval } from '../../shared/format';
import { wilson } from '../../shared/wilson';
import { spoken, type BarRow, type Rate } from './bars';
import './charts.css';

export interface BarsProps {
  readonly rows: readonly BarRow[];
  /** What the two bars of a row are: first solid with a round mark, second hatched with a diamond. */
  readonly names: readonly [first: string, second: string];
  /** What the difference is called. */
  readonly differenceName: string;
  /** What is compared, for those who cannot see it. */
  readonly caption: string;
  /** Over the column of labels. */
  readonly labelName?: string;
  readonly onPick?: (row: BarRow) => void;
}

/** Two bars a row, on a scale of 0 to 100% with 95% intervals, in a table that says the same in numbers. */
export function Bars({ rows, names, differenceName, caption, labelName = 'Class', onPick }: BarsProps) {
  const hatch = useId();
  return (
    <div class="bars-scroll" role="region" aria-label={caption} tabIndex={0}>
      <svg class="bars-patterns" aria-hidden="true">
        <defs>
          <pattern id={hatch} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect class="hatch" width="2.5" height="5" />
          </pattern>
        </defs>
      </svg>
      <table class="bars">
        <thead>
          <tr>
            <th scope="col">{labelName}</th>
            <th scope="col" class="bars-plot">
              <Axis />
            </th>
            {names.map((name, i) => (
              <th key={name} scope="col" class="number">
                <Key side={i === 0 ? 'first' : 'second'} hatch={hatch} /> {name}
              </th>
            ))}
            <th scope="col" class="number">n</th>
            <th scope="col" class="number">{differenceName}</th>
            <th scope="col" class="number">95% interval</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <Row key={i} row={row} names={names} hatch={hatch} onPick={onPick} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, names, hatch, onPick }: { readonly row: BarRow; readonly names: readonly [string, string]; readonly hatch: string; readonly onPick: BarsProps['onPick'] }) {
  const { label, note, first, second, difference, interval } = row;
  const sure = interval !== null && (interval[0] > 0 || interval[1] < 0);
  const name = (
    <>
      <bdi>{label}</bdi>
      {note !== undefined && <span class="muted"> {note}</span>}
    </>
  );
  return (
    <tr class={sure ? 'sure' : ''}>
      <th scope="row" title={label}>
        {onPick ? (
          <button type="button" class="link" onClick={() => onPick(row)}>
            {name}
          </button>
        ) : (
          name
        )}
      </th>
      <td class="bars-plot">
        <svg class="bars-pair" role="img" aria-label={`${names[0]}: ${spoken(first)}. ${names[1]}: ${spoken(second)}.`}>
          <Grid />
          <Bar rate={first} top={3} side="first" hatch={hatch} />
          <Bar rate={second} top={16} side="second" hatch={hatch} />
        </svg>
      </td>
      <td class="number">{percent(first.share)}</td>
      <td class="number">{percent(second.share)}</td>
      <td class="number muted">{first.n === second.n ? count(first.n) : `${count(first.n)} / ${count(second.n)}`}</td>
      <td class="number">
        {difference !== null && difference !== 0 && <span aria-hidden="true">{difference > 0 ? '▲ ' : '▼ '}</span>}
        {points(difference)}
      </td>
      <td class="number muted">{pointsInterval(interval)}</td>
    </tr>
  );
}

type Side = 'first' | 'second';

function Bar({ rate: { n, share }, top, side, hatch }: { readonly rate: Rate; readonly top: number; readonly side: Side; readonly hatch: string }) {
  const middle = top + 5;
  if (share === null) {
    return (
      <text class="bars-none" x="4" y={top + 9}>
        no images
      </text>
    );
  }
  const [low, high] = wilson(share, n);
  return (
    <g class={`bars-${side}`}>
      <rect class="bars-bar" x="0" y={top} width={at(share)} height="10" fill={side === 'first' ? undefined : `url(#${hatch})`} />
      <g class="bars-whisker">
        <line x1={at(low)} x2={at(high)} y1={middle} y2={middle} />
        <line x1={at(low)} x2={at(low)} y1={middle - 3} y2={middle + 3} />
        <line x1={at(high)} x2={at(high)} y1={middle - 3} y2={middle + 3} />
      </g>
      <svg x={at(share)} y={middle} class="bars-mark">
        <Mark side={side} />
      </svg>
    </g>
  );
}

const Mark = ({ side }: { readonly side: Side }) => (side === 'first' ? <circle r="3.5" /> : <path d="M-4.5 0L0 -4.5L4.5 0L0 4.5Z" />);

function Key({ side, hatch }: { readonly side: Side; readonly hatch: string }) {
  return (
    <svg class={`bars-key bars-${side}`} width="18" height="10" aria-hidden="true">
      <rect class="bars-bar" x="0.5" y="0.5" width="17" height="9" fill={side === 'first' ? undefined : `url(#${hatch})`} />
      <svg x="9" y="5" class="bars-mark">
        <Mark side={side} />
      </svg>
    </svg>
  );
}

const Axis = () => (
  <svg class="bars-axis" role="img" aria-label="Scale from 0 to 100%">
    <text x="0%">0%</text>
    <text x="50%" text-anchor="middle">50%</text>
    <text x="100%" text-anchor="end">100%</text>
  </svg>
);

const Grid = () => (
  <g class="bars-grid">
    {[0, 0.5, 1].map((share) => (
      <line key={share} x1={at(share)} x2={at(share)} y1="0" y2="100%" />
    ))}
  </g>
);

const at = (share: number) => `${(share * 100).toFixed(2)}%`;
