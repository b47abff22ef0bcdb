import { useMemo } from 'preact/hooks';
import { count, decimal } from '../../shared/format';
import type { FindingSummary, Overview, RegionTable } from '../../shared/runQueries';
import { nameOf, shown } from '../../shared/words';
import { Button, Select, Slider } from '../controls';
import { useHost } from '../host';
import { useStore } from '../store';
import { Gallery, type GalleryPicture } from './gallery';
import { boxOf, filtered, isRight, membersOf } from './regions';
import type { FindingsState, FindingsStore } from './state';

export interface RegionGalleryProps {
  readonly finding: FindingSummary;
  readonly overview: Overview;
  readonly table: RegionTable;
  readonly store: FindingsStore;
}

const outcomes = [
  { value: 'all', text: 'Right and wrong' },
  { value: 'right', text: 'Right' },
  { value: 'wrong', text: 'Wrong' },
];
const scopes = [
  { value: 'finding', text: 'This finding' },
  { value: 'all', text: 'All clusters' },
];
const pictureKinds = [
  { value: 'image', text: 'In the image' },
  { value: 'region', text: 'Cut out' },
];

/** The regions of the finding, those nearest to the medoid first, with filters; a lasso on the map is one of them. */
export function RegionGallery({ finding, overview, table, store }: RegionGalleryProps) {
  const { api } = useHost();
  const { label, outcome, minScore, scope, pictures, lasso } = useFilters(store);
  const members = useMemo(() => membersOf(table, scope === 'all' ? null : finding.cluster), [table, scope, finding.cluster]);
  const regions = useMemo(() => filtered(table, members, { label, outcome, minScore }, lasso), [table, members, label, outcome, minScore, lasso]);
  const change = (filters: Partial<FindingsState>) => store.set({ ...filters, scroll: 0 });
  const labels = [{ value: '', text: 'All classes' }, ...overview.classes.map((name, i) => ({ value: String(i), text: shown(name, 40) }))];
  const narrowed = label !== null || outcome !== 'all' || minScore > 0 || lasso !== null;
  const picture = (index: number): GalleryPicture => {
    const region = regions[index]!;
    const image = table.image[region]!;
    return {
      ...(pictures === 'image' ? { kind: 'image', id: image, box: boxOf(table, region) } : { kind: 'region', id: region }),
      ...labelsOf(overview, table, image),
      more: `score ${decimal(table.scorePredicted[region]!, 2)}`,
    };
  };
  return (
    <div class="gallery-area">
      <div class="row filters" role="group" aria-label="Filters">
        <Select label="Pictures" value={pictures} choices={pictureKinds} onChange={(value) => store.set({ pictures: value === 'region' ? 'region' : 'image' })} />
        <Select label="Regions of" value={scope} choices={scopes} onChange={(value) => change({ scope: value === 'all' ? 'all' : 'finding' })} />
        <Select label="Class of the image" value={label === null ? '' : String(label)} choices={labels} onChange={(value) => change({ label: value === '' ? null : Number(value) })} />
        <Select label="Prediction of the image" value={outcome} choices={outcomes} onChange={(value) => change({ outcome: value as FindingsState['outcome'] })} />
        <label class="score">
          <span class="muted">Score ≥ {decimal(minScore, 2)}</span>
          <Slider label="Least score of the region for the predicted class" value={minScore} onChange={(value) => change({ minScore: value })} />
        </label>
        <span class="figures" role="status">
          {count(regions.length)} / {count(members.length)}
        </span>
        {narrowed && <Button look="icon" icon="clear-all" label="Clear filters and lasso" onClick={() => change({ label: null, outcome: 'all', minScore: 0, lasso: null })} />}
      </div>
      <Gallery
        label={`Regions of ${scope === 'all' ? 'all clusters' : nameOf(finding)}`}
        count={regions.length}
        picture={picture}
        onOpen={(index) => void api.openImage({ image: table.image[regions[index]!]!, region: regions[index]! })}
        onHover={(index) => store.set({ hovered: index === null ? null : (regions[index] ?? null) })}
        scroll={store.get().scroll}
        onScroll={(scroll) => store.set({ scroll })}
        empty={lasso ? 'No region of this finding lies in the lasso.' : 'No region passes the filters.'}
      />
    </div>
  );
}

/** Class and prediction of an image, in words. */
export function labelsOf(overview: Overview, table: RegionTable, image: number): Pick<GalleryPicture, 'label' | 'predicted' | 'right'> {
  const word = (id: number) => shown(overview.classes[id] ?? '', 40);
  return { label: word(table.imageLabel[image]!), predicted: word(table.imagePredicted[image]!), right: isRight(table, image) };
}

function useFilters(store: FindingsStore) {
  return {
    label: useStore(store, (state) => state.label),
    outcome: useStore(store, (state) => state.outcome),
    minScore: useStore(store, (state) => state.minScore),
    scope: useStore(store, (state) => state.scope),
    pictures: useStore(store, (state) => state.pictures),
    lasso: useStore(store, (state) => state.lasso),
  };
}
