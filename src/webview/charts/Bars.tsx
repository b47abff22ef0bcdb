import { useId } from 'preact/hooks';
import { count, percent, points, pointsInterval } from '../../shared/format';
import { wilson } from '../../shared/wilson';
import { spoken, type BarRow, type Rate, type Side } from './barRows';
import './charts.css';

export interface BarsProps {
  readonly rows: readonly BarRow[];
  /** What the two bars of a row are. */
  readonly names: readonly [first: string, second: string];
  /** The bar that is hatched and has a diamond for a mark; the other is solid and has a round one. */
  readonly hatched?: Side;
  /** What the difference is called. */
  readonly differenceName: string;
  /** What is compared, for those who cannot see it. */
  readonly caption: string;
  /** Over the column of labels. */
  readonly labelName?: string;
  readonly onPick?: (row: BarRow) => void;
}

/** Two bars a row, on a scale of 0 to 100% with 95% intervals, in a table that says the same in numbers. */
export function Bars({ rows, names, hatched = 'second', differenceName, caption, labelName = 'Class', onPick }: BarsProps) {
  const hatch = useId();
  const looks = { first: lookOf('first', hatched, hatch), second: lookOf('second', hatched, hatch) };
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
                <Key look={i === 0 ? looks.first : looks.second} /> {name}
              </th>
            ))}
            <th scope="col" class="number">n</th>
            <th scope="col" class="number">{differenceName}</th>
            <th scope="col" class="number">95% interval</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <Row key={i} row={row} names={names} looks={looks} onPick={onPick} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly row: BarRow;
  readonly names: readonly [string, string];
  readonly looks: Readonly<Record<Side, Look>>;
  readonly onPick: BarsProps['onPick'];
}

function Row({ row, names, looks, onPick }: RowProps) {
  const { label, note, sign, first, second, difference, interval } = row;
  const sure = interval !== null && (interval[0] > 0 || interval[1] < 0);
  const name = (
    <>
      {sign && <span class={`codicon codicon-${sign.icon}`} role="img" aria-label={sign.text} title={sign.text} />} <bdi>{label}</bdi>
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
          <Bar rate={first} top={3} look={looks.first} />
          <Bar rate={second} top={16} look={looks.second} />
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

interface Look {
  readonly name: 'solid' | 'hatched';
  readonly fill: string | undefined;
}
const lookOf = (side: Side, hatched: Side, hatch: string): Look => (side === hatched ? { name: 'hatched', fill: `url(#${hatch})` } : { name: 'solid', fill: undefined });

function Bar({ rate: { n, share }, top, look }: { readonly rate: Rate; readonly top: number; readonly look: Look }) {
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
    <g class={`bars-${look.name}`}>
      <rect class="bars-bar" x="0" y={top} width={at(share)} height="10" fill={look.fill} />
      <g class="bars-whisker">
        <line x1={at(low)} x2={at(high)} y1={middle} y2={middle} />
        <line x1={at(low)} x2={at(low)} y1={middle - 3} y2={middle + 3} />
        <line x1={at(high)} x2={at(high)} y1={middle - 3} y2={middle + 3} />
      </g>
      <svg x={at(share)} y={middle} class="bars-mark">
        <Mark look={look} />
      </svg>
    </g>
  );
}

const Mark = ({ look }: { readonly look: Look }) => (look.name === 'solid' ? <circle r="3.5" /> : <path d="M-4.5 0L0 -4.5L4.5 0L0 4.5Z" />);

function Key({ look }: { readonly look: Look }) {
  return (
    <svg class={`bars-key bars-${look.name}`} width="18" height="10" aria-hidden="true">
      <rect class="bars-bar" x="0.5" y="0.5" width="17" height="9" fill={look.fill} />
      <svg x="9" y="5" class="bars-mark">
        <Mark look={look} />
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
