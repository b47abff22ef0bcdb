import { gridOf, type Grid } from './grid';
import { startLasso, type Lasso } from './lasso';
import { paintPoints, radiusOf, type Inks, type Points } from './scatterCanvas';
import { panned, toScreen, toUnit, wholeView, zoomed, type Size, type View } from './scatterView';

/** What the person does with the main mouse button. The middle one always moves the picture. */
export type Tool = 'lasso' | 'pan';

export interface ScatterEvents {
  onLasso(selected: Uint8Array | null): void;
  /** Nearest point where the pointer has rested, and where that is in the window. */
  onHover(index: number | null, place: { readonly x: number; readonly y: number }): void;
  onPick(index: number): void;
  /** Points that the lasso holds while it is drawn; null when it is not. */
  onCount(count: number | null): void;
}

export interface ScatterControl {
  show(points: Points, inks: Inks, ring: number | null): void;
  readonly tool: Tool;
  use(tool: Tool): void;
  zoom(factor: number): void;
  fit(): void;
  pan(dx: number, dy: number): void;
  /** Gives a lasso up that is being drawn. False where none is. */
  giveUp(): boolean;
  dispose(): void;
}

const hoverRest = 125;
const hoverReach = 12;
const settlingRest = 150;

/** Draws into the two canvases of `box` (points, and over them the lasso and rings) and follows the pointer. */
export function controlScatter(box: HTMLElement, canvas: HTMLCanvasElement, overlay: HTMLCanvasElement, events: ScatterEvents): ScatterControl {
  let tool: Tool = 'lasso';
  let view: View = wholeView;
  let size: Size = { width: 0, height: 0 };
  let shown: { points: Points; inks: Inks; ring: number | null; grid: Grid } | null = null;
  let image: ImageData | null = null;
  let drawing: { lasso: Lasso; corners: number[]; selected: Uint8Array | null; mode: 'new' | 'add' | 'remove' } | null = null;
  let moving: { x: number; y: number } | null = null;
  let hovered = -1;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let settling: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  let stale = true;
  const pointsContext = canvas.getContext('2d', { alpha: false });
  const overlayContext = overlay.getContext('2d');

  const redraw = (all: boolean) => {
    stale ||= all;
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!shown || size.width === 0) return;
      if (stale) drawPoints(shown.points, shown.inks);
      stale = false;
      drawOverlay(shown);
    });
  };

  const drawPoints = (points: Points, inks: Inks) => {
    const ratio = settling === undefined ? devicePixelRatio : 1;
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
      image = null;
    }
    image ??= pointsContext?.createImageData(width, height) ?? null;
    if (!image) return;
    const selected = drawing ? drawing.selected : points.selected;
    paintPoints(new Uint32Array(image.data.buffer), { width: size.width, height: size.height }, ratio, view, { ...points, selected }, inks);
    pointsContext?.putImageData(image, 0, 0);
  };

  /** While it moves, the picture has one pixel a point of the window: a sharp one of tens of thousands of points comes too late. */
  const moves = () => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      settling = undefined;
      redraw(true);
    }, settlingRest);
    redraw(true);
  };

  const drawOverlay = ({ points, ring }: { points: Points; ring: number | null }) => {
    if (!overlayContext) return;
    const { color: ink, backgroundColor: ground } = getComputedStyle(box);
    overlayContext.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    overlayContext.clearRect(0, 0, size.width, size.height);
    const line = (colour: string, width: number, dash: number[] = []) => {
      overlayContext.setLineDash(dash);
      overlayContext.lineWidth = width;
      overlayContext.strokeStyle = colour;
      overlayContext.stroke();
    };
    if (drawing && drawing.corners.length >= 4) {
      overlayContext.beginPath();
      for (let i = 0; i < drawing.corners.length; i += 2) overlayContext.lineTo(...toScreen(view, size, drawing.corners[i]!, drawing.corners[i + 1]!));
      overlayContext.closePath();
      line(ink, 1.5, [4, 3]);
    }
    for (const index of new Set([ring, hovered])) {
      if (index === null || !(index in points.x)) continue;
      overlayContext.beginPath();
      overlayContext.arc(...toScreen(view, size, points.x[index]!, points.y[index]!), radiusOf(points.x.length, view.zoom) + 4, 0, 2 * Math.PI);
      line(ground, 4);
      line(ink, 2);
    }
  };

  const placeOf = (event: MouseEvent): [number, number] => {
    const { left, top } = box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  const nearestTo = (event: MouseEvent): number => {
    if (!shown) return -1;
    const [x, y] = toUnit(view, size, ...placeOf(event));
    const reach = toUnit(view, size, hoverReach, 0)[0] - toUnit(view, size, 0, 0)[0];
    return shown.grid.nearest(x, y, reach);
  };

  const hover = (index: number, event?: MouseEvent) => {
    if (index === hovered) return;
    clearTimeout(resting);
    if (hovered >= 0) events.onHover(null, { x: 0, y: 0 });
    hovered = index;
    const place = { x: event?.clientX ?? 0, y: event?.clientY ?? 0 };
    if (index >= 0) resting = setTimeout(() => events.onHover(index, place), hoverRest);
    redraw(false);
  };

  const down = (event: PointerEvent) => {
    if (!shown || event.button > 1) return;
    box.setPointerCapture(event.pointerId);
    hover(-1);
    if (event.button === 1 || tool === 'pan') {
      event.preventDefault();
      moving = { x: event.clientX, y: event.clientY };
      return;
    }
    const { x, y, selected } = shown.points;
    drawing = { lasso: startLasso(x, y), corners: [], selected, mode: event.shiftKey ? 'add' : event.altKey ? 'remove' : 'new' };
    addCorner(event);
  };

  const move = (event: PointerEvent) => {
    if (moving) {
      view = panned(view, size, event.clientX - moving.x, event.clientY - moving.y);
      moving = { x: event.clientX, y: event.clientY };
      moves();
    } else if (drawing) addCorner(event);
    else hover(nearestTo(event), event);
  };

  const addCorner = (event: MouseEvent) => {
    if (!drawing || !shown) return;
    const corner = toUnit(view, size, ...placeOf(event));
    drawing.lasso.add(...corner);
    drawing.corners.push(...corner);
    if (drawing.corners.length < 6) return;
    drawing.selected = combined(shown.points.selected, drawing.lasso.inside(), drawing.mode);
    events.onCount(countOf(drawing.selected));
    redraw(true);
  };

  const up = (event: PointerEvent) => {
    const finished = drawing;
    moving = drawing = null;
    if (finished && finished.corners.length < 6) {
      const index = nearestTo(event);
      if (index >= 0) events.onPick(index);
    } else if (finished) events.onLasso(countOf(finished.selected) > 0 ? finished.selected : null);
    if (finished) events.onCount(null);
    redraw(true);
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    view = zoomed(view, size, Math.exp(-pixels * 0.002), ...placeOf(event));
    hover(-1);
    moves();
  };

  const observer = new ResizeObserver(() => {
    size = { width: box.clientWidth, height: box.clientHeight };
    overlay.width = Math.round(size.width * devicePixelRatio);
    overlay.height = Math.round(size.height * devicePixelRatio);
    redraw(true);
  });
  observer.observe(box);

  const control: ScatterControl = {
    show(points, inks, ring) {
      const grid = shown && shown.points.x === points.x && shown.points.y === points.y ? shown.grid : gridOf(points.x, points.y);
      if (shown && shown.points.x !== points.x) hover(-1);
      shown = { points, inks, ring, grid };
      redraw(true);
    },
    get tool() {
      return tool;
    },
    use(next) {
      tool = next;
    },
    zoom(factor) {
      view = zoomed(view, size, factor);
      redraw(true);
    },
    fit() {
      view = wholeView;
      redraw(true);
    },
    pan(dx, dy) {
      view = panned(view, size, dx, dy);
      redraw(true);
    },
    giveUp() {
      if (!drawing) return false;
      drawing = null;
      events.onCount(null);
      redraw(true);
      return true;
    },
    dispose() {
      observer.disconnect();
      cancelAnimationFrame(frame);
      clearTimeout(resting);
      clearTimeout(settling);
      stop.abort();
    },
  };
  const stop = new AbortController();
  const on = { signal: stop.signal };
  box.addEventListener('pointerdown', down, on);
  box.addEventListener('pointermove', move, on);
  box.addEventListener('pointerup', up, on);
  box.addEventListener('pointercancel', () => control.giveUp(), on);
  box.addEventListener('pointerleave', () => hover(-1), on);
  box.addEventListener('wheel', wheel, { ...on, passive: false });
  return control;
}

export const countOf = (selected: Uint8Array | null): number => selected?.reduce((sum, each) => sum + each, 0) ?? 0;

/** What is selected once the lasso's points are taken instead, added or removed. */
export function combined(before: Uint8Array | null, inside: Uint8Array, mode: 'new' | 'add' | 'remove'): Uint8Array {
  if (mode === 'new') return inside;
  if (mode === 'add') return before ? inside.map((each, i) => each | before[i]!) : inside;
  return inside.map((each, i) => (before ? before[i]! : 1) & ~each & 1);
}
