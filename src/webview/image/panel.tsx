import { useEffect, useMemo, useState } from 'preact/hooks';
import type { PanelStart } from '../../shared/panelApi';
import type { ImageView, Overview, RegionTable } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import { ActionButton, useActions } from '../action';
import { Button, ProgressRing } from '../controls';
import { Failure } from '../failure';
import { useEvent, useHost, useQuery } from '../host';
import './image.css';
import { RegionList } from './regionList';
import { regionsOf } from './regions';
import { Stage } from './stage';
import { WhatIfBox } from './whatIf';

/** One image with all its regions and what they say, and what the model would see without some of them. */
export function ImagePanel({ start }: { readonly start: PanelStart }) {
  const host = useHost();
  const [at, setAt] = useState({ image: start.image ?? 0, region: start.region ?? null });
  useEvent('showImage', ({ image, region }) => setAt({ image, region: region ?? null }));
  useEffect(() => host.store('restore', { ...start.restore, image: at.image }), [at.image]);

  const view = useQuery((api, signal) => api.image({ image: at.image }, { signal }), [at.image]);
  const table = useQuery((api, signal) => api.regions({}, { signal }), []);
  const overview = useQuery((api, signal) => api.overview({}, { signal }), []);
  const failed = [view, table, overview].find(({ error }) => error);
  if (failed) return <Failure error={failed.error!} again={failed.again} />;
  if (!view.value || !table.value || !overview.value) return <ProgressRing label="Opening the image" />;
  return <Shown key={at.image} view={view.value} table={table.value} overview={overview.value} first={at.region} />;
}

interface ShownProps {
  readonly view: ImageView;
  readonly table: RegionTable;
  readonly overview: Overview;
  readonly first: number | null;
}

function Shown({ view, table, overview, first }: ShownProps) {
  const regions = useMemo(() => regionsOf(view, table, overview), [view, table, overview]);
  const [active, setActive] = useState(first);
  useEffect(() => setActive(first), [first]);
  const [masked, setMasked] = useState<ReadonlySet<number>>(new Set());
  const [boxes, setBoxes] = useState(true);
  const [fit, setFit] = useState(true);
  const actions = useActions();
  const toggle = (id: number) => setMasked((before) => (before.has(id) ? new Set([...before].filter((each) => each !== id)) : new Set([...before, id])));
  const right = view.label === view.predicted;

  return (
    <div class="image-panel">
      <header class="image-head">
        <h1 class="clip" title={shown(view.name, 300)}>
          <bdi>{shown(view.name.split(/[/\\]/).at(-1) ?? '', 120)}</bdi>
        </h1>
        <p class={right ? 'image-verdict right' : 'image-verdict wrong'}>
          <span class={`codicon codicon-${right ? 'pass' : 'error'}`} aria-hidden="true" />
          <span>
            {right ? 'Right: predicted ' : 'Wrong: predicted '}
            <bdi class="strong">{shown(view.predicted)}</bdi>, labelled <bdi class="strong">{shown(view.label)}</bdi>
          </span>
        </p>
        <span class="row image-tools">
          <Button look="icon" icon="screen-full" label="Fit the image into the panel" pressed={fit} onClick={() => setFit(true)} />
          <Button look="icon" icon="zoom-in" label="Show the image at 100%" pressed={!fit} onClick={() => setFit(false)} />
          <Button look="icon" icon={boxes ? 'eye' : 'eye-closed'} label={boxes ? 'Hide the boxes' : 'Show the boxes'} onClick={() => setBoxes(!boxes)} />
          <ActionButton actions={actions} icon="go-to-file" name="Open file" act={(api) => api.openImageFile({ image: view.image })} />
          <ActionButton actions={actions} icon="copy" name="Copy path" act={(api) => api.copyImagePath({ image: view.image })} />
        </span>
      </header>
      {actions.error && <Failure error={actions.error} />}
      <div class="image-body">
        <Stage view={view} regions={boxes ? regions : []} active={active} masked={masked} fit={fit} onActive={setActive} onToggle={toggle} />
        <aside class="image-side" aria-label="Regions">
          {regions.length === 0 ? (
            <p class="muted image-none">This image has no regions.</p>
          ) : (
            <>
              <RegionList regions={regions} view={view} active={active} masked={masked} onActive={setActive} onToggle={toggle} />
              <WhatIfBox key={[...masked].join()} view={view} classes={overview.classes} masked={regions.filter(({ id }) => masked.has(id))} onClear={() => setMasked(new Set())} />
            </>
          )}
        </aside>
      </div>
    </div>
  );
}
