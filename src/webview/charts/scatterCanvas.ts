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

const opacities = { plain: 220, beside: 110, dimmed: 40, full: 256 } as const;

/** Paints all points over the ground. `pixels` are those of an ImageData, `ratio` device pixels a CSS pixel. */
export function paintPoints(pixels: Uint32Array, size: Size, ratio: number, view: View, points: Points, inks: Inks): void {
  const { x, y, colour, shapes, selected, highlighted } = points;
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  pixels.fill((0xff000000 | inks.ground) >>> 0);
  const scale = scaleOf(view, size) * ratio;
  const [left, top] = [width / 2 - view.x * scale, height / 2 - view.y * scale];
  const radius = Math.max(1, radiusOf(x.length, view.zoom) * ratio);
  const stamps = stampsOf(radius);
  const large = { inner: stampsOf(radius * 1.3), outer: stampsOf(radius * 1.3 + Math.max(1, ratio)) };

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
      if (layer.highlighted) {
        stamp(pixels, width, height, large.outer[shape]!, atX, atY, inks.outline, layer.opacity);
        stamp(pixels, width, height, large.inner[shape]!, atX, atY, ink, layer.opacity);
      } else stamp(pixels, width, height, stamps[shape]!, atX, atY, ink, layer.opacity);
    }
  }
}

/** Radius of a point in CSS pixels: smaller the more there are, larger the nearer they come. */
export function radiusOf(count: number, zoom: number): number {
  const base = count > 20_000 ? 1.5 : count > 4_000 ? 2 : 3;
  return Math.min(6, base * Math.max(1, Math.sqrt(zoom) * 0.8));
}

function layersOf(selected: Uint8Array | null, highlighted: Uint8Array | null) {
  const plain = highlighted ? opacities.beside : opacities.plain;
  return [
    ...(selected ? [{ selected: false, highlighted: false, opacity: opacities.dimmed }] : []),
    { selected: true, highlighted: false, opacity: selected ? opacities.plain : plain },
    ...(selected && highlighted ? [{ selected: false, highlighted: true, opacity: opacities.beside }] : []),
    ...(highlighted ? [{ selected: true, highlighted: true, opacity: opacities.full }] : []),
  ];
}

/** A shape as the share of each pixel that it covers, 0..255, in a square of `side` pixels. */
interface Stamp {
  readonly side: number;
  readonly cover: Uint8Array;
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

function stampsOf(radius: number): readonly Stamp[] {
  const side = 2 * Math.ceil(radius * 1.25) + 1;
  const middle = side / 2;
  const samples = [1, 3, 5, 7].map((eighth) => eighth / 8);
  return shapeTests.map((covers) => {
    const cover = Uint8Array.from({ length: side * side }, (_, at) => {
      const [column, row] = [at % side, Math.floor(at / side)];
      const covered = samples.flatMap((dy) => samples.filter((dx) => covers((column + dx - middle) / radius, (row + dy - middle) / radius)));
      return (covered.length * 255) / 16;
    });
    return { side, cover };
  });
}

function stamp(pixels: Uint32Array, width: number, height: number, { side, cover }: Stamp, x: number, y: number, ink: number, opacity: number): void {
  const [startX, startY] = [Math.round(x - side / 2), Math.round(y - side / 2)];
  const [firstColumn, lastColumn] = [Math.max(0, -startX), Math.min(side, width - startX)];
  const [firstRow, lastRow] = [Math.max(0, -startY), Math.min(side, height - startY)];
  const [redBlue, green] = [ink & 0xff00ff, ink & 0x00ff00];
  for (let row = firstRow; row < lastRow; row++) {
    const line = (startY + row) * width + startX;
    for (let column = firstColumn; column < lastColumn; column++) {
      const share = ((cover[row * side + column]! + 1) * opacity) >> 8;
      if (share === 0) continue;
      const under = pixels[line + column]!;
      // Two channels at a time: red and blue lie far enough apart in one number.
      const mixedRedBlue = ((Math.imul(redBlue, share) + Math.imul(under & 0xff00ff, 256 - share)) >>> 8) & 0xff00ff;
      const mixedGreen = ((Math.imul(green, share) + Math.imul(under & 0x00ff00, 256 - share)) >>> 8) & 0x00ff00;
      pixels[line + column] = (0xff000000 | mixedRedBlue | mixedGreen) >>> 0;
    }
  }
}
