import { useMemo, useState } from 'preact/hooks';
import type { RavlError } from '../../shared/errors';
import type { ClassRow } from '../../shared/findings';
import { count, counted, decimal, decimalInterval, percent, probability } from '../../shared/format';
import type { FindingSummary, Overview, RegionTable } from '../../shared/runQueries';
import { effect, nameOf, shown } from '../../shared/words';
import { Bars } from '../charts/Bars';
import { barsSvg, type BarRow } from '../charts/barRows';
import { themeColour } from '../charts/theme';
import { Button, ProgressRing, Tabs } from '../controls';
import { Failure } from '../failure';
import { problem, useHost, type Query } from '../host';
import { useStore } from '../store';
import { CounterExamples } from './counterExamples';
import { Evidence } from './evidence';
import { Fact } from './fact';
import { RegionGallery } from './regionGallery';
import { detailTabs, type FindingsStore } from './state';
import { VerdictForm } from './verdictForm';
import type { VerdictsInUse } from './verdicts';

export interface DetailProps {
  readonly finding: FindingSummary;
  readonly overview: Overview;
  readonly regions: Query<RegionTable>;
  readonly verdicts: VerdictsInUse;
  readonly store: FindingsStore;
}

/** Classes shown before "all". */
const fewClasses = 5;
const names = ['With it', 'Without'] as const;

/** The selected finding: what it does to whom, what speaks for it and against it, and what can be done. */
export function FindingDetail({ finding, overview, regions, verdicts, store }: DetailProps) {
  const tab = useStore(store, (state) => state.tab);
  const allClasses = useStore(store, (state) => state.allClasses);
  const rows = useMemo(() => barRows(finding.classes), [finding]);
  const { presentRight, absentWrong } = finding.counterExamples;
  const few = rows.length > fewClasses + 1;
  return (
    <section class="detail" id="finding-detail" tabIndex={-1} aria-label={`Finding: ${nameOf(finding)}`}>
      <div class="detail-head">
        <h2>
          <bdi>{nameOf(finding)}</bdi>
          {finding.attribute !== null && (
            <span class="muted">
              {' '}
              pulls towards <bdi>{shown(finding.attribute, 40)}</bdi>
            </span>
          )}
        </h2>
        <p class="effect">
          <bdi>{effect(finding)}</bdi>
        </p>
        {!finding.flagged && (
          <p class="muted reasons">
            <span class="codicon codicon-circle-slash" aria-hidden="true" /> Not flagged: <bdi>{finding.reasons.map((reason) => shown(reason, 200)).join(' ')}</bdi>
          </p>
        )}
        <dl class="facts">
          <Fact name="Gap" value={decimal(finding.gap, 2)} more={decimalInterval(finding.gapInterval)} />
          <Fact name="Influence" value={decimal(finding.influence, 2)} />
          <Fact name="q" value={probability(finding.qValue)} />
          <Fact name="Images" value={count(finding.support)} more={percent(overview.images > 0 ? finding.support / overview.images : null)} />
          <Fact name="Regions" value={count(finding.size)} />
        </dl>
        <VerdictForm cluster={finding.cluster} verdicts={verdicts} />
        <Actions finding={finding} rows={rows} />
      </div>
      <div class="detail-bars">
        <Bars rows={few && !allClasses ? rows.slice(0, fewClasses) : rows} names={names} differenceName="Gap" caption={`Accuracy of each class with and without ${nameOf(finding)}`} />
        {few && (
          <button type="button" class="link" aria-expanded={allClasses} onClick={() => store.set({ allClasses: !allClasses })}>
            {allClasses ? 'Only the widest gaps' : `All ${counted(rows.length, 'class', 'classes')}`}
          </button>
        )}
      </div>
      <div class="detail-tabs">
        <Tabs
          label="Regions and evidence"
          value={tab}
          tabs={[
            { value: 'regions', text: `Regions ${count(finding.size)}` },
            { value: 'counter', text: `Counter-examples ${count(presentRight.length + absentWrong.length)}` },
            { value: 'evidence', text: 'Evidence' },
          ]}
          onChange={(value) => store.set({ tab: detailTabs.find((each) => each === value) ?? 'regions' })}
        >
          {tab === 'evidence' ? (
            <Evidence finding={finding} overview={overview} />
          ) : regions.error ? (
            <Failure error={regions.error} again={regions.again} />
          ) : !regions.value ? (
            <ProgressRing label="Reading the regions" />
          ) : tab === 'regions' ? (
            <RegionGallery finding={finding} overview={overview} table={regions.value} store={store} />
          ) : (
            <CounterExamples finding={finding} overview={overview} table={regions.value} store={store} />
          )}
        </Tabs>
      </div>
    </section>
  );
}

function Actions({ finding, rows }: { readonly finding: FindingSummary; readonly rows: readonly BarRow[] }) {
  const { api } = useHost();
  const [error, setError] = useState<RavlError | null>(null);
  const { cluster, rank } = finding;
  const act = (work: () => Promise<boolean>) => () => {
    setError(null);
    work().catch((reason: unknown) => setError(problem(reason)));
  };
  const saveChart = () => {
    const colours = {
      solid: themeColour('--vscode-charts-blue'),
      hatched: themeColour('--vscode-charts-orange'),
      text: themeColour('--vscode-editor-foreground', '--vscode-foreground'),
      ground: themeColour('--vscode-editor-background'),
      font: 'sans-serif',
    };
    return api.saveChart({ name: `${nameOf(finding)}.svg`.slice(0, 200), svg: barsSvg(`Accuracy with and without ${nameOf(finding)}`, names, rows, 'second', colours) });
  };
  const whyNot = rank === null ? 'Only a finding with a rank can be fine-tuned away.' : 'Show what would change in the config, then fine-tune it away';
  return (
    <>
      <div class="row actions" role="group" aria-label="Actions">
        <Button look="primary" icon="wand" disabled={rank === null} title={whyNot} onClick={act(() => (rank === null ? Promise.resolve(false) : api.fixFinding({ rank })))}>
          Fix it
        </Button>
        <span class="muted">Save</span>
        <Button icon="save" title="Save all members as a CSV file" onClick={act(() => api.saveMembers({ cluster, format: 'csv' }))}>
          CSV
        </Button>
        <Button icon="json" title="Save all members as a JSON file" onClick={act(() => api.saveMembers({ cluster, format: 'json' }))}>
          JSON
        </Button>
        <Button icon="graph" title="Save the bars below as an SVG file" onClick={act(saveChart)}>
          Chart
        </Button>
      </div>
      {error && <Failure error={error} />}
    </>
  );
}

/** The widest weighted gaps first; classes without images on both sides last. */
function barRows(classes: readonly ClassRow[]): BarRow[] {
  const order = [...classes].sort((a, b) => Math.abs(b.weighted) - Math.abs(a.weighted) || b.presentN - a.presentN);
  return order.map((row) => ({
    label: shown(row.label),
    first: { n: row.presentN, share: row.presentAcc },
    second: { n: row.absentN, share: row.absentAcc },
    difference: row.gap,
    interval: row.interval,
  }));
}
