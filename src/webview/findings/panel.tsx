import './findings.css';
import { useEffect, useMemo } from 'preact/hooks';
import type { PanelStart } from '../../shared/panelApi';
import type { Overview, RegionTable } from '../../shared/runQueries';
import { ProgressRing } from '../controls';
import { Failure } from '../failure';
import { useEvent, useHost, useQuery, type Query } from '../host';
import { useStore } from '../store';
import { FindingDetail } from './detail';
import { FindingsHeader } from './header';
import { RegionMap } from './map';
import { createFindingsStore, keptOf, type FindingsStore } from './state';
import { FindingsTable } from './table';
import { useVerdicts } from './verdicts';

/** The findings of an analysis: the ranked clusters, and of the selected one the evidence and the regions. */
export function FindingsPanel({ start }: { readonly start: PanelStart }) {
  const store = useKeptStore(start.rank);
  const overview = useQuery((api, signal) => api.overview({}, { signal }), []);
  useEvent('runChanged', overview.again);
  useEvent('verdictsChanged', overview.again);
  if (overview.error) return <Failure error={overview.error} again={overview.again} />;
  if (!overview.value) return <ProgressRing label="Reading the findings" />;
  return <Findings overview={overview.value} store={store} rank={start.rank} />;
}

function Findings({ overview, store, rank }: { readonly overview: Overview; readonly store: FindingsStore; readonly rank: number | undefined }) {
  const regions = useQuery((api, signal) => api.regions({}, { signal }), [overview.run.id]);
  const verdicts = useVerdicts(overview.verdicts);
  const goTo = (wanted: number) => {
    const found = overview.findings.find((finding) => finding.rank === wanted);
    if (found) store.set({ cluster: found.cluster, search: '', flaggedOnly: false });
  };
  useEvent('showFinding', (event) => goTo(event.rank));
  useEffect(() => {
    if (rank !== undefined) goTo(rank);
  }, [rank]);
  const cluster = useStore(store, (state) => state.cluster);
  const selected = overview.findings.find((finding) => finding.cluster === cluster) ?? overview.findings[0];
  return (
    <main class="findings">
      <FindingsHeader overview={overview} />
      <FindingsTable overview={overview} verdicts={verdicts.all} regions={regions.value} selected={selected ?? null} store={store} />
      <Regions regions={regions}>{(table) => <RegionMap overview={overview} table={table} selected={selected ?? null} store={store} />}</Regions>
      {selected && <FindingDetail key={selected.cluster} finding={selected} overview={overview} regions={regions} verdicts={verdicts} store={store} />}
    </main>
  );
}

/** What needs the regions, which come after the first paint. */
function Regions({ regions, children }: { readonly regions: Query<RegionTable>; readonly children: (table: RegionTable) => preact.ComponentChild }) {
  return (
    <section class="map" aria-label="Map of all regions">
      {regions.error ? <Failure error={regions.error} again={regions.again} /> : regions.value ? children(regions.value) : <ProgressRing label="Reading the regions" />}
    </section>
  );
}

/** The state of the panel as it was before the last reload, kept from now on. A finding that the panel was opened for comes first. */
function useKeptStore(rank: number | undefined): FindingsStore {
  const host = useHost();
  const store = useMemo(() => createFindingsStore(rank === undefined ? host.stored('findings') : {}), []);
  useEffect(() => {
    const keep = () => host.store('findings', keptOf(store.get()));
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const end = store.subscribe(() => {
      clearTimeout(waiting);
      waiting = setTimeout(keep, 200);
    });
    return () => {
      end();
      clearTimeout(waiting);
      keep();
    };
  }, []);
  return store;
}
