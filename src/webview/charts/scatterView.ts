/**
 * Where the unit square of a projection lies on the screen: `zoom` 1 shows all of it, and (x, y) is the place in the middle.
 * Lengths on the screen are CSS pixels.
 */
export interface View {
  readonly zoom: number;
  readonly x: number;
  readonly y: number;
}
export interface Size {
  readonly width: number;
  readonly height: number;
}

export const wholeView: View = { zoom: 1, x: 0.5, y: 0.5 };
const margin = 12;
const zooms = { least: 0.5, most: 400 } as const;

/** Pixels a unit. */
export const scaleOf = (view: View, { width, height }: Size): number => Math.max(1, Math.min(width, height) - 2 * margin) * view.zoom;

export function toScreen(view: View, size: Size, x: number, y: number): [x: number, y: number] {
  const scale = scaleOf(view, size);
  return [size.width / 2 + (x - view.x) * scale, size.height / 2 + (y - view.y) * scale];
}

export function toUnit(view: View, size: Size, x: number, y: number): [x: number, y: number] {
  const scale = scaleOf(view, size);
  return [view.x + (x - size.width / 2) / scale, view.y + (y - size.height / 2) / scale];
}

/** Moves what is shown by so many pixels. The middle of the screen stays on the square. */
export function panned(view: View, size: Size, dx: number, dy: number): View {
  const scale = scaleOf(view, size);
  return { ...view, x: clamp(view.x - dx / scale, 0, 1), y: clamp(view.y - dy / scale, 0, 1) };
}

/** Zooms by a factor; what lies under (x, y) on the screen stays there. */
export function zoomed(view: View, size: Size, factor: number, x = size.width / 2, y = size.height / 2): View {
  const [unitX, unitY] = toUnit(view, size, x, y);
  const nearer = { ...view, zoom: clamp(view.zoom * factor, zooms.least, zooms.most) };
  const [nowX, nowY] = toScreen(nearer, size, unitX, unitY);
  return panned(nearer, size, x - nowX, y - nowY);
}

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
