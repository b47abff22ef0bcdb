import { useEffect, useRef, useState } from 'preact/hooks';
import { count as written, counted } from '../../shared/format';
import { Button } from '../controls';
import './charts.css';
import { controlScatter, countOf, type ScatterControl, type ScatterEvents, type Tool } from './scatterControl';
import { inksOf, themeColour, useThemeVersion } from './theme';

export interface ScatterProps extends Omit<ScatterEvents, 'onCount'> {
  /** [points] in 0..1. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Place in the palette, a point each. */
  readonly colour: Uint8Array;
  readonly palette: readonly string[];
  /** Shape 0..5, a point each, where colour alone should not tell. */
  readonly shapes?: Uint8Array | undefined;
  readonly selected: Uint8Array | null;
  readonly highlighted: Uint8Array | null;
  /** Point to put a ring around: what is hovered elsewhere. */
  readonly ring: number | null;
  /** What the plot shows, in a sentence: screen readers read it in the plot's stead. */
  readonly label: string;
}

const panStep = 40;
const zoomStep = 1.5;

/** A scatter plot with a lasso that stays on: Shift adds to the selection, Alt takes away, Escape clears it. */
export function Scatter(props: ScatterProps) {
  const { x, y, colour, palette, shapes, selected, highlighted, ring, label } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const control = useRef<ScatterControl | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [tool, setTool] = useState<Tool>('lasso');
  const [count, setCount] = useState<number | null>(null);
  const theme = useThemeVersion();

  useEffect(() => {
    control.current = controlScatter(box.current!, canvas.current!, overlay.current!, {
      onLasso: (points) => latest.current.onLasso(points),
      onHover: (index, place) => latest.current.onHover(index, place),
      onPick: (index) => latest.current.onPick(index),
      onCount: setCount,
    });
    return () => control.current?.dispose();
  }, []);

  useEffect(() => {
    const ground = themeColour('--vscode-editor-background');
    const [groundInk, outline, ...inks] = inksOf([ground, themeColour('--vscode-editor-foreground', '--vscode-foreground'), ...palette], ground);
    control.current?.show({ x, y, colour, shapes, selected, highlighted }, { palette: inks, ground: groundInk!, outline: outline! }, ring);
  }, [x, y, colour, palette, shapes, selected, highlighted, ring, theme]);

  const use = (next: Tool) => {
    control.current?.use(next);
    setTool(next);
  };
  const clear = () => {
    if (!control.current?.giveUp()) props.onLasso(null);
  };
  const keyed = (event: KeyboardEvent) => {
    const action = keys(control.current!, clear)[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  };

  const chosen = count ?? (selected ? countOf(selected) : null);
  return (
    <div class="scatter">
      <div class="chart-tools" role="toolbar" aria-label="Plot">
        <Button look="icon" icon="wand" label="Lasso: drag around points. Shift adds, Alt takes away, Escape clears." pressed={tool === 'lasso'} onClick={() => use('lasso')} />
        <Button look="icon" icon="move" label="Move: drag the plot" pressed={tool === 'pan'} onClick={() => use('pan')} />
        <Button look="icon" icon="zoom-in" label="Zoom in (+)" onClick={() => control.current?.zoom(zoomStep)} />
        <Button look="icon" icon="zoom-out" label="Zoom out (-)" onClick={() => control.current?.zoom(1 / zoomStep)} />
        <Button look="icon" icon="screen-normal" label="Show all (0)" onClick={() => control.current?.fit()} />
        <span class="chart-count" role="status">
          {chosen === null ? counted(x.length, 'point') : `${written(chosen)} / ${written(x.length)} selected`}
        </span>
        {selected && <Button look="icon" icon="clear-all" label="Clear the selection (Escape)" onClick={clear} />}
      </div>
      <div
        class={`scatter-plot ${tool}`}
        ref={box}
        tabIndex={0}
        role="application"
        aria-roledescription="scatter plot"
        aria-label={`${label} Arrow keys move the plot, plus and minus zoom, 0 shows all, Escape clears the selection.`}
        onKeyDown={keyed}
      >
        <canvas ref={canvas} />
        <canvas ref={overlay} class="scatter-overlay" />
      </div>
    </div>
  );
}

const keys = (control: ScatterControl, clear: () => void): Readonly<Record<string, () => void>> => ({
  ArrowLeft: () => control.pan(panStep, 0),
  ArrowRight: () => control.pan(-panStep, 0),
  ArrowUp: () => control.pan(0, panStep),
  ArrowDown: () => control.pan(0, -panStep),
  '+': () => control.zoom(zoomStep),
  '=': () => control.zoom(zoomStep),
  '-': () => control.zoom(1 / zoomStep),
  '0': () => control.fit(),
  Escape: clear,
});
