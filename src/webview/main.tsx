import './noEval';
import './styles.css';
import { render } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { PanelKind, PanelStart } from '../shared/panelApi';
import { ComparisonPanel } from './comparison/panel';
import { ProgressRing } from './controls';
import { Failure } from './failure';
import { FindingsPanel } from './findings/panel';
import { connect, HostContext, useQuery, type Host } from './host';
import { ImagePanel } from './image/panel';
import { ThumbnailsContext } from './picture';
import { createThumbnails } from './thumbnails';
import { TrainingPanel } from './training/panel';

const panels: Readonly<Record<PanelKind, (props: { start: PanelStart }) => preact.ComponentChild>> = {
  findings: FindingsPanel,
  image: ImagePanel,
  comparison: ComparisonPanel,
  training: TrainingPanel,
};

function App({ host }: { host: Host }) {
  const thumbnails = useMemo(() => createThumbnails(host.api), [host]);
  return (
    <HostContext.Provider value={host}>
      <ThumbnailsContext.Provider value={thumbnails}>
        <Start host={host} />
      </ThumbnailsContext.Provider>
    </HostContext.Provider>
  );
}

/** Asks which panel this is, and shows it. */
function Start({ host }: { host: Host }) {
  const { value: start, error, again } = useQuery((api, signal) => api.start({}, { signal }), []);
  useEffect(() => {
    if (start) host.store('restore', start.restore);
  }, [start]);
  if (error) return <Failure error={error} again={again} />;
  if (!start) return <ProgressRing label="Loading" />;
  const Panel = panels[start.kind];
  return <Panel start={start} />;
}

render(<App host={connect()} />, document.body);
