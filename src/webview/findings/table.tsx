import { useEffect, useMemo, useRef } from 'preact/hooks';
import { count, decimal, decimalInterval, probability } from '../../shared/format';
import type { FindingSummary, Overview, RegionTable } from '../../shared/runQueries';
import type { Verdict, Verdicts } from '../../shared/verdicts';
import { nameOf, shown } from '../../shared/words';
import { Checkbox, TextField } from '../controls';
import { useStore } from '../store';
import { useVirtualRows } from '../virtual';
import { descendsFirst, tableRows, typedAhead } from './order';
import { countsInside } from './regions';
import type { Column, FindingsStore } from './state';

export interface FindingsTableProps {
  readonly overview: Overview;
  readonly verdicts: Verdicts;
  /** null until they came. */
  readonly regions: RegionTable | null;
  readonly selected: FindingSummary | null;
  readonly store: FindingsStore;
}

const rowHeight = 24;
/** Letters typed within this time are one word. */
const typingPause = 700;

const headers: readonly { readonly column: Column; readonly text: string; readonly title: string; readonly number?: boolean }[] = [
  { column: 'flagged', text: 'Flagged', title: 'Survives every rule and is significant' },
  { column: 'rank', text: '#', title: 'Rank: flagged first, then by gap', number: true },
  { column: 'name', text: 'In words', title: 'Words nearest to the regions' },
  { column: 'attribute', text: 'Towards', title: 'The class that it pulls towards: the one that gains most by the feature' },
  { column: 'gap', text: 'Gap', title: 'G_c: how much the feature moves accuracy, summed over the classes; with its 95% interval', number: true },
  { column: 'influence', text: 'Influence', title: 'H_c: the share of the mispredicted images whose error is traced to these regions', number: true },
  { column: 'support', text: 'Images', title: 'Images that have such a region', number: true },
  { column: 'qValue', text: 'q', title: 'p-value, adjusted for the number of clusters (Benjamini-Hochberg)', number: true },
  { column: 'verdict', text: 'Verdict', title: 'What you think of it' },
];
const lassoHeader = { column: 'lasso', text: 'Lasso', title: 'Regions of the cluster inside the lasso', number: true } as const;

/** All clusters, ranked. Arrows choose a finding, letters jump to a name, Enter goes to the finding's details. */
export function FindingsTable({ overview, verdicts, regions, selected, store }: FindingsTableProps) {
  const sort = useStore(store, (state) => state.sort);
  const search = useStore(store, (state) => state.search);
  const flaggedOnly = useStore(store, (state) => state.flaggedOnly);
  const lasso = useStore(store, (state) => state.lasso);
  const inLasso = useMemo(() => (lasso && regions ? countsInside(regions, lasso) : null), [lasso, regions]);
  const rows = useMemo(() => tableRows(overview.findings, { sort, search, flaggedOnly }, verdicts, inLasso), [overview, sort, search, flaggedOnly, verdicts, inLasso]);
  const scroller = useRef<HTMLDivElement>(null);
  const typed = useRef({ text: '', at: 0 });
  const virtual = useVirtualRows(scroller, rows.length, rowHeight);
  const at = rows.findIndex((row) => row.cluster === selected?.cluster);
  useEffect(() => {
    if (at >= 0) virtual.reveal(at);
  }, [at]);

  const select = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row) store.set({ cluster: row.cluster, scroll: 0 });
  };
  const keyed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: rows.length - 1 };
    const to = moves[event.key] ?? (isLetter(event.key) ? typedAhead(rows, at, nextTyped(typed.current, event)) : -2);
    if (event.key === 'Enter') document.getElementById('finding-detail')?.focus();
    else if (to === -2) return;
    else if (to !== -1 || event.key === 'ArrowUp') select(to);
    event.preventDefault();
  };
  const sortBy = (column: Column) => store.set({ sort: { column, descending: sort.column === column ? !sort.descending : descendsFirst(column) } });

  const shownHeaders = inLasso ? [...headers, lassoHeader] : headers;
  return (
    <section class="table-area" aria-label="Clusters of regions">
      <div class="row table-tools">
        <TextField class="grow" label="Search the findings" placeholder="Search" icon="search" value={search} onInput={(text) => store.set({ search: text })} />
        <Checkbox checked={flaggedOnly} onChange={(checked) => store.set({ flaggedOnly: checked })}>
          Flagged only
        </Checkbox>
        <span class="muted figures" role="status">
          {count(rows.length)} / {count(overview.findings.length)}
        </span>
      </div>
      <div
        class={`grid ${inLasso ? 'with-lasso' : ''}`}
        role="grid"
        aria-label="Findings"
        aria-rowcount={rows.length + 1}
        aria-colcount={shownHeaders.length}
        tabIndex={0}
        aria-activedescendant={at >= 0 ? rowId(selected!) : undefined}
        onKeyDown={keyed}
      >
        <div role="rowgroup" class="grid-head">
          <div role="row" aria-rowindex={1} class="grid-row">
            {shownHeaders.map(({ column, text, title, number }) => (
              <div key={column} role="columnheader" class={`column-${column} ${number ? 'number' : ''}`} aria-sort={sort.column !== column ? 'none' : sort.descending ? 'descending' : 'ascending'}>
                <button type="button" title={title} onClick={() => sortBy(column)} onKeyDown={(event) => event.key === 'Enter' && event.stopPropagation()}>
                  {column === 'flagged' ? <span class="codicon codicon-warning" aria-label={text} /> : <span class="clip">{text}</span>}
                  {sort.column === column && <span class={`codicon codicon-${sort.descending ? 'arrow-down' : 'arrow-up'}`} aria-hidden="true" />}
                </button>
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" class="grid-body" ref={scroller} tabIndex={-1}>
          {rows.length === 0 && <p class="muted empty">{overview.findings.length === 0 ? 'There was nothing to compare.' : 'No finding matches.'}</p>}
          <div class="grid-rows" style={{ height: `${virtual.height}px` }}>
            {virtual.rows.map(({ index, start }) => {
              const row = rows[index];
              return (
                row && (
                  <Row
                    key={row.cluster}
                    finding={row}
                    index={index}
                    start={start}
                    selected={index === at}
                    verdict={verdicts.clusters[row.cluster]}
                    inLasso={inLasso ? (inLasso[row.cluster] ?? 0) : null}
                    onSelect={() => select(index)}
                  />
                )
              );
            })}
          </div>
        </div>
      </div>
    </section>
  );
}

interface RowProps {
  readonly finding: FindingSummary;
  readonly index: number;
  readonly start: number;
  readonly selected: boolean;
  readonly verdict: Verdict | undefined;
  readonly inLasso: number | null;
  readonly onSelect: () => void;
}

function Row({ finding, index, start, selected, verdict, inLasso, onSelect }: RowProps) {
  const { rank, attribute, gap, gapInterval, influence, support, pValue, qValue } = finding;
  const name = nameOf(finding);
  const text = (column: Column, value: string, title = value) => (
    <div role="gridcell" class={`column-${column} clip`} title={title}>
      <bdi>{value}</bdi>
    </div>
  );
  const number = (column: Column, value: string, title?: string) => (
    <div role="gridcell" class={`column-${column} number`} title={title}>
      {value}
    </div>
  );
  return (
    <div
      role="row"
      id={rowId(finding)}
      class={`grid-row ${selected ? 'selected' : ''} ${rank === null ? 'pruned' : ''}`}
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${start}px)` }}
      onClick={onSelect}
    >
      <FlaggedCell finding={finding} />
      {number('rank', rank === null ? '' : String(rank))}
      {text('name', name, `${name} (cluster ${finding.cluster})`)}
      {text('attribute', attribute === null ? '–' : shown(attribute, 40))}
      <div role="gridcell" class="column-gap number" title={`G_c ${decimal(gap)}, 95% interval ${decimalInterval(gapInterval)}`}>
        {decimal(gap, 2)} <span class="interval muted">{gapInterval && `${decimal(gapInterval[0], 2)}–${decimal(gapInterval[1], 2)}`}</span>
      </div>
      {number('influence', decimal(influence, 2))}
      {number('support', count(support))}
      {number('qValue', probability(qValue), `p ${probability(pValue)}, q ${probability(qValue)}`)}
      {text('verdict', verdict?.verdict ?? (verdict?.note ? 'note' : ''), verdict?.note ? shown(verdict.note, 300) : undefined)}
      {inLasso !== null && number('lasso', count(inLasso))}
    </div>
  );
}

function FlaggedCell({ finding: { flagged, rank, reasons } }: { readonly finding: FindingSummary }) {
  const why = reasons.map((reason) => shown(reason, 200)).join(' ');
  return (
    <div role="gridcell" class="column-flagged clip" title={flagged ? 'Survives every rule and is significant' : why}>
      <span class={`codicon codicon-${flagged ? 'warning' : rank === null ? 'circle-slash' : 'dash'}`} aria-hidden="true" />
      <span class="spoken">{flagged ? 'yes' : `no: ${why}`}</span>
    </div>
  );
}

const rowId = (finding: FindingSummary) => `finding-row-${finding.cluster}`;
const isLetter = (key: string) => [...key].length === 1 && key !== ' ';

function nextTyped(typed: { text: string; at: number }, event: KeyboardEvent): string {
  typed.text = event.timeStamp - typed.at > typingPause ? event.key : typed.text + event.key;
  typed.at = event.timeStamp;
  return typed.text;
}
