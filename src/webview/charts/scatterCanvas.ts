/**
 * The points of a scatter plot as pixels. Charts are our own SVG and canvas: under the webview's strict Content Security Policy
 * regl-scatterplot may not compile its shaders' glue (`new Function`), and Observable Plot may not add its <style>. Points are
 * written straight into an ImageData, which draws 40,000 of them in a few milliseconds where canvas paths take dozens.
 */
import { scaleOf, type Size, type View } from './scatterView';

export interface Points {
  /** In 0..1; NaN is not drawn. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Of each point, its place in the palette, and its shape (0..5) if shapes tell groups apart. */
  readonly colour: Uint8Array;
  readonly shapes?: Uint8Array | undefined;
  /** 0 or 1 a point: what is not selected is dimmed, and what is highlighted lies on top. */
  readonly selected: Uint8Array | null;
  readonly highlighted: Uint8Array | null;
}

/** Opaque colours as 0xBBGGRR. */
export interface Inks {
  readonly palette: readonly number[];
  readonly ground: number;
  readonly outline: number;
}

/** Of 256. */
const opacities = { plain: 256, beside: 110, dimmed: 40 } as const;

/** Paints all points over the ground. `pixels` are those of an ImageData, `ratio` device pixels a CSS pixel. */
export function paintPoints(pixels: Uint32Array, size: Size, ratio: number, view: View, points: Points, inks: Inks): void {
  const { x, y, colour, shapes, selected, highlighted } = points;
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  pixels.fill((0xff000000 | inks.ground) >>> 0);
  const scale = scaleOf(view, size) * ratio;
  const [left, top] = [width / 2 - view.x * scale, height / 2 - view.y * scale];
  const radius = Math.max(1, radiusOf(x.length, view.zoom) * ratio);
  const stamps = stampsOf(radius, width);
  const large = { inner: stampsOf(radius * 1.3, width), outer: stampsOf(radius * 1.3 + Math.max(1, ratio), width) };

  // What matters most is painted last: first the dimmed, then the rest, then the highlighted ones.
  for (const layer of layersOf(selected, highlighted)) {
    for (let i = 0; i < x.length; i++) {
      if ((selected ? selected[i]! !== 0 : true) !== layer.selected || (highlighted ? highlighted[i]! !== 0 : false) !== layer.highlighted) continue;
      const atX = left + x[i]! * scale;
      const atY = top + y[i]! * scale;
      // Also false for NaN.
      if (!(atX > -50 && atY > -50 && atX < width + 50 && atY < height + 50)) continue;
      const shape = shapes ? shapes[i]! % shapeTests.length : 0;
      const ink = inks.palette[colour[i]!] ?? inks.outline;
      if (layer.outline) stamp(pixels, width, height, large.outer[shape]!, atX, atY, inks.outline, layer.opacity);
      else stamp(pixels, width, height, (layer.highlighted ? large.inner : stamps)[shape]!, atX, atY, ink, layer.opacity);
    }
  }
}

/** Radius of a point in CSS pixels: smaller the more there are, larger the nearer they come. */
export function radiusOf(count: number, zoom: number): number {
  const base = count > 20_000 ? 1.5 : count > 4_000 ? 2 : 3;
  return Math.min(6, base * Math.max(1, Math.sqrt(zoom) * 0.8));
}

interface Layer {
  readonly selected: boolean;
  readonly highlighted: boolean;
  readonly opacity: number;
  readonly outline?: boolean;
}

/** The highlighted group is outlined as a whole, so that the outline of one point does not hide its neighbours. */
function layersOf(selected: Uint8Array | null, highlighted: Uint8Array | null): Layer[] {
  const raised = (layer: Omit<Layer, 'highlighted'>): Layer[] => [{ ...layer, highlighted: true, outline: true }, { ...layer, highlighted: true }];
  return [
    ...(selected ? [{ selected: false, highlighted: false, opacity: opacities.dimmed }] : []),
    { selected: true, highlighted: false, opacity: highlighted && !selected ? opacities.beside : opacities.plain },
    ...(selected && highlighted ? raised({ selected: false, opacity: opacities.beside }) : []),
    ...(highlighted ? raised({ selected: true, opacity: opacities.plain }) : []),
  ];
}

/** A shape as the pixels that it covers: where they lie from its middle, and how much of each, 1..256. */
interface Stamp {
  readonly reach: number;
  readonly x: Int32Array;
  readonly y: Int32Array;
  /** The same as one step in an image as wide as the one that is painted. */
  readonly step: Int32Array;
  readonly cover: Int32Array;
}

/** Circle, square, diamond, triangle, plus, triangle downwards, each in a circle of radius 1 or little more. */
const shapeTests: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => x * x + y * y <= 1,
  (x, y) => Math.abs(x) <= 0.88 && Math.abs(y) <= 0.88,
  (x, y) => Math.abs(x) + Math.abs(y) <= 1.25,
  (x, y) => y <= 0.8 && Math.abs(x) <= (y + 1.1) * 0.6,
  (x, y) => (Math.abs(x) <= 0.4 && Math.abs(y) <= 1.15) || (Math.abs(y) <= 0.4 && Math.abs(x) <= 1.15),
  (x, y) => y >= -0.8 && Math.abs(x) <= (1.1 - y) * 0.6,
];
export const shapeCount = shapeTests.length;

function stampsOf(radius: number, imageWidth: number): readonly Stamp[] {
  const reach = Math.ceil(radius * 1.25);
  const samples = [-3, -1, 1, 3].map((eighth) => eighth / 8);
  const places = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  return shapeTests.map((covers) => {
    const share = (x: number, y: number) => samples.flatMap((dy) => samples.filter((dx) => covers((x + dx) / radius, (y + dy) / radius))).length * 16;
    const covered = places.flatMap((y) => places.map((x) => ({ x, y, cover: share(x, y) }))).filter(({ cover }) => cover > 0);
    const column = (of: (pixel: (typeof covered)[number]) => number) => Int32Array.from(covered, of);
    return { reach, x: column(({ x }) => x), y: column(({ y }) => y), step: column(({ x, y }) => y * imageWidth + x), cover: column(({ cover }) => cover) };
  });
}

function stamp(pixels: Uint32Array, width: number, height: number, { reach, x, y, step, cover }: Stamp, atX: number, atY: number, ink: number, opacity: number): void {
  const [column, row] = [Math.floor(atX), Math.floor(atY)];
  const middle = row * width + column;
  const inside = column >= reach && row >= reach && column + reach < width && row + reach < height;
  const solid = (0xff000000 | ink) >>> 0;
  const [redBlue, green] = [ink & 0xff00ff, ink & 0x00ff00];
  for (let k = 0; k < step.length; k++) {
    if (!inside && !(column + x[k]! >= 0 && column + x[k]! < width && row + y[k]! >= 0 && row + y[k]! < height)) continue;
    const share = (cover[k]! * opacity) >> 8;
    const place = middle + step[k]!;
    if (share >= 256) {
      pixels[place] = solid;
      continue;
    }
    const under = pixels[place]!;
    // Two channels at a time: red and blue lie far enough apart in one number.
    const mixedRedBlue = ((Math.imul(redBlue, share) + Math.imul(under & 0xff00ff, 256 - share)) >>> 8) & 0xff00ff;
    const mixedGreen = ((Math.imul(green, share) + Math.imul(under & 0x00ff00, 256 - share)) >>> 8) & 0x00ff00;
    pixels[place] = (0xff000000 | mixedRedBlue | mixedGreen) >>> 0;
  }
}
