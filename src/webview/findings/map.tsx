import { useMemo, useState } from 'preact/hooks';
import { count, decimal, percentInWords } from '../../shared/format';
import type { FindingSummary, Overview, RegionTable } from '../../shared/runQueries';
import { nameOf, shown } from '../../shared/words';
import { Scatter } from '../charts/Scatter';
import { themeColour, useThemeVersion } from '../charts/theme';
import { ProgressRing, Select } from '../controls';
import { Failure } from '../failure';
import { useEvent, useHost, useQuery } from '../host';
import { Picture } from '../picture';
import { useStore } from '../store';
import { groupsOf, pointTokens, type LegendEntry } from './groups';
import { boxOf, maskOf } from './regions';
import type { Colouring, FindingsStore } from './state';

export interface RegionMapProps {
  readonly overview: Overview;
  readonly table: RegionTable;
  readonly selected: FindingSummary | null;
  readonly store: FindingsStore;
}

const colourings = [
  { value: 'cluster', text: 'Colour: cluster' },
  { value: 'class', text: 'Colour: class' },
  { value: 'outcome', text: 'Colour: right or wrong' },
  { value: 'influence', text: 'Colour: influence' },
];

/** All regions as points; those that look alike lie together. Tied to table and gallery both ways. */
export function RegionMap({ overview, table, selected, store }: RegionMapProps) {
  const { api } = useHost();
  const projection = useQuery((questions, signal) => questions.projection({}, { signal }), [overview.run.id]);
  const colouring = useStore(store, (state) => state.colouring);
  const lasso = useStore(store, (state) => state.lasso);
  const hovered = useStore(store, (state) => state.hovered);
  const [pointed, setPointed] = useState<{ region: number; x: number; y: number } | null>(null);
  const groups = useMemo(() => groupsOf(overview, table, colouring), [overview, table, colouring]);
  const members = useMemo(() => selected && maskOf(table, selected.cluster), [table, selected]);
  const theme = useThemeVersion();
  const palette = useMemo(() => pointTokens.map((token) => themeColour(token)), [theme]);

  const goTo = ({ target }: LegendEntry) => {
    if (target === null) return;
    store.set(colouring === 'cluster' ? { cluster: target, scroll: 0 } : { label: target, scope: 'all', tab: 'regions', scroll: 0 });
  };
  if (projection.error) return <Failure error={projection.error} again={projection.again} />;
  if (!projection.value) return <Laying />;
  const { x, y, method } = projection.value;
  return (
    <>
      <div class="row map-tools">
        <Select label="Colour the points by" value={colouring} choices={colourings} onChange={(value) => store.set({ colouring: value as Colouring })} />
        <span class="muted clip grow" title={shown(method, 400)}>
          {shown(method, 200)}
        </span>
      </div>
      <div class="map-plot">
        <Scatter
          x={x}
          y={y}
          colour={groups.colour}
          shapes={groups.shapes}
          palette={palette}
          selected={lasso}
          highlighted={members}
          ring={hovered}
          label={`${count(table.cluster.length)} regions; those that look alike lie together${selected ? `; those of ${nameOf(selected)} stand out` : ''}.`}
          onLasso={(inside) => store.set({ lasso: inside, tab: 'regions', scroll: 0 })}
          onHover={(region, place) => setPointed(region === null ? null : { region, ...place })}
          onPick={(region) => void api.openImage({ image: table.image[region]!, region })}
        />
      </div>
      <Legend entries={groups.legend} onPick={goTo} />
      {pointed && <HoverCard overview={overview} table={table} {...pointed} />}
    </>
  );
}

function Laying() {
  const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);
  useEvent('viewProgress', ({ query, done, total }) => {
    if (query === 'projection') setProgress({ done, total });
  });
  const text = `Laying out the map${progress && progress.total > 0 ? `: ${percentInWords(progress.done / progress.total)}` : ''}`;
  return (
    <div class="row waiting-line" role="status">
      <ProgressRing label="Laying out the map" />
      <span class="muted">{text}</span>
    </div>
  );
}

function Legend({ entries, onPick }: { readonly entries: readonly LegendEntry[]; readonly onPick: (entry: LegendEntry) => void }) {
  return (
    <ul class="legend" aria-label="What the colours and shapes mean">
      {entries.map((entry, i) => {
        const content = (
          <>
            <svg viewBox="-1.4 -1.4 2.8 2.8" aria-hidden="true">
              <path d={glyphs[entry.shape % glyphs.length]!} style={{ fill: `var(${pointTokens[entry.colour]})` }} />
            </svg>
            <bdi class="clip">{entry.text}</bdi> <span class="muted">{count(entry.count)}</span>
          </>
        );
        return (
          <li key={i}>
            {entry.target === null ? (
              <span class="entry">{content}</span>
            ) : (
              <button type="button" class="entry" title={entry.text} onClick={() => onPick(entry)}>
                {content}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The shapes of the scatter plot, in its order. */
const glyphs = [
  'M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z',
  'M-.88 -.88H.88V.88H-.88Z',
  'M0 -1.25L1.25 0L0 1.25L-1.25 0Z',
  'M0 -1.1L1.14 .8H-1.14Z',
  'M-.4 -1.15H.4V-.4H1.15V.4H.4V1.15H-.4V.4H-1.15V-.4H-.4Z',
  'M0 1.1L1.14 -.8H-1.14Z',
];

const card = { width: 300, height: 150, away: 14 } as const;

/** What a point is, beside the pointer. */
function HoverCard({ overview, table, region, x, y }: { readonly overview: Overview; readonly table: RegionTable; readonly region: number; readonly x: number; readonly y: number }) {
  const image = table.image[region]!;
  const finding = overview.findings.find(({ cluster }) => cluster === table.cluster[region]);
  const [label, predicted] = [table.imageLabel[image]!, table.imagePredicted[image]!].map((each) => shown(overview.classes[each] ?? '', 30));
  const left = Math.max(0, x + card.away + card.width > window.innerWidth ? x - card.away - card.width : x + card.away);
  const top = Math.max(0, Math.min(y + card.away, window.innerHeight - card.height));
  return (
    <div class="hover-card" role="tooltip" style={{ left: `${left}px`, top: `${top}px`, width: `${card.width}px` }}>
      <div class="hover-picture">
        <Picture kind="image" id={image} alt="" box={boxOf(table, region)} />
      </div>
      <div class="hover-text">
        <b class="clip">
          <bdi>{finding ? nameOf(finding) : `cluster ${table.cluster[region]}`}</bdi>
        </b>
        <span class="clip">
          <bdi>{label}</bdi>
          {label === predicted ? ', predicted right' : ''}
        </span>
        {label !== predicted && (
          <span class="clip">
            predicted <bdi>{predicted}</bdi>
          </span>
        )}
        <span class="muted">score {decimal(table.scorePredicted[region]!, 2)}</span>
        <span class="muted clip" title={shown(table.imageNames[image] ?? '', 400)}>
          <bdi>{shown(table.imageNames[image] ?? '', 80)}</bdi>
        </span>
      </div>
    </div>
  );
}
