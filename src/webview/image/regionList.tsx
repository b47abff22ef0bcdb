import { useEffect, useRef } from 'preact/hooks';
import { decimal } from '../../shared/format';
import type { ImageView } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import type { StageProps } from './stage';

type RegionListProps = Pick<StageProps, 'regions' | 'active' | 'masked' | 'onActive' | 'onToggle'> & { readonly view: ImageView };

/** Every region in a row, with a box to mask it. Up and down go from row to row; the region's box follows. */
export function RegionList({ regions, view, active, masked, onActive, onToggle }: RegionListProps) {
  const list = useRef<HTMLTableSectionElement>(null);
  useEffect(() => list.current?.querySelector('.active')?.scrollIntoView({ block: 'nearest' }), [active]);
  const right = view.label === view.predicted;

  const keyed = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const now = regions.findIndex(({ id }) => id === active);
    const next = Math.max(0, Math.min(regions.length - 1, now + by));
    list.current?.querySelectorAll('input')[next]?.focus();
  };

  return (
    <div class="regions">
      <table aria-label="Regions of the image">
        <thead>
          <tr>
            <th scope="col" title="Regions to paint over before the model looks again">Mask</th>
            <th scope="col">Region and its cluster</th>
            <th scope="col" class="number" title="Cosine similarity to the cluster's medoid">
              Similar
            </th>
            <th scope="col" class="number" title="Zero-shot score of the region alone for the predicted class">
              <bdi class="clip">{shown(view.predicted, 24)}</bdi>
            </th>
            {!right && (
              <th scope="col" class="number" title="Zero-shot score of the region alone for the label">
                <bdi class="clip">{shown(view.label, 24)}</bdi>
              </th>
            )}
          </tr>
        </thead>
        <tbody ref={list} onKeyDown={keyed} onPointerLeave={() => onActive(null)}>
          {regions.map(({ id, place, name, flaggedRank, similarity, scorePredicted, scoreLabel, influential }) => (
            <tr key={id} class={id === active ? 'active' : ''} onPointerEnter={() => onActive(id)} onClick={() => onToggle(id)}>
              <td>
                <input
                  type="checkbox"
                  checked={masked.has(id)}
                  aria-label={`Mask region ${place}, ${name}`}
                  onFocus={() => onActive(id)}
                  onClick={(event) => event.stopPropagation()}
                  onChange={() => onToggle(id)}
                />
              </td>
              <th scope="row">
                <span class="place">{place}</span> <bdi>{name}</bdi>
                {flaggedRank !== null && (
                  <span class="flag" title={`Finding ${flaggedRank}: a spurious feature`}>
                    <span class="codicon codicon-warning" aria-hidden="true" /> finding {flaggedRank}
                  </span>
                )}
                {influential && <span class="muted small">the error is traced to it</span>}
              </th>
              <td class="number">{decimal(similarity, 2)}</td>
              <td class="number">{decimal(scorePredicted, 2)}</td>
              {!right && <td class="number">{decimal(scoreLabel, 2)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
