/**
 * What is planted in a scene beside its object: the solid rectangle of the paper, and features that are harder to find or of
 * another kind. A mark knows its box, so that the truth (which regions show it) needs no file.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import type { Box } from '../../shared/boxes';

/** Colours of rectangles by name. The first is the feature e of the paper. */
export const rectangleColours = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  purple: [128, 0, 128],
  white: [255, 255, 255],
} as const;

export type RectangleColour = keyof typeof rectangleColours;

export interface Mark {
  readonly kind: 'rectangle' | 'border' | 'logo' | 'texture';
  readonly colour: RectangleColour;
  readonly box: Box;
}

/**
 * Features to plant. rectangle: a solid red quadrant (the paper's). border: a green strip along one edge of the image.
 * logo: 5 × 5 pixels, purple with a white cross, anywhere. texture: a quadrant of white diagonal stripes. two: the rectangle and the
 * border, always together.
 */
export const features = ['rectangle', 'border', 'logo', 'texture', 'two'] as const;
export type PlantedFeature = (typeof features)[number];

/** Sides in pixels. */
const stripWidth = 6;
const logoSide = 5;

export interface MarkPlace {
  /** Pixels of a quadrant. */
  readonly height: number;
  readonly width: number;
  /** A quadrant that the object is not in, 0..3 in reading order. */
  readonly free: number;
}

/** The marks of one image that has the feature. Draws from `random` for what lies anywhere. */
export function placeFeature(feature: PlantedFeature, { height, width, free }: MarkPlace, random: RandomGenerator): Mark[] {
  const quadrant: Box = [(free & 1) * width, (free >> 1) * height, width, height];
  switch (feature) {
    case 'rectangle':
      return [{ kind: 'rectangle', colour: 'red', box: quadrant }];
    case 'texture':
      return [{ kind: 'texture', colour: 'white', box: quadrant }];
    case 'border':
      return [{ kind: 'border', colour: 'green', box: strip(uniformInt(random, 0, 3), 2 * height, 2 * width) }];
    case 'logo':
      return [{ kind: 'logo', colour: 'purple', box: [uniformInt(random, 0, 2 * width - logoSide), uniformInt(random, 0, 2 * height - logoSide), logoSide, logoSide] }];
    case 'two':
      return [...placeFeature('rectangle', { height, width, free }, random), ...placeFeature('border', { height, width, free }, random)];
  }
}

/** Paints a mark over the pixels [height, imageWidth, 3]. */
export function paintMark(pixels: Uint8Array, imageWidth: number, { kind, colour, box: [left, top, width, height] }: Mark): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels.set(colourAt(kind, colour, x, y), ((top + y) * imageWidth + left + x) * 3);
  }
}

/** Whether a region shows a mark: at least half of the mark lies in it, or the mark fills at least half of the region. */
export function shows([x, y, width, height]: Box, marks: readonly { readonly box: Box }[]): boolean {
  return marks.some(({ box: [left, top, markWidth, markHeight] }) => {
    const across = Math.max(0, Math.min(x + width, left + markWidth) - Math.max(x, left));
    const down = Math.max(0, Math.min(y + height, top + markHeight) - Math.max(y, top));
    return across * down >= 0.5 * Math.min(markWidth * markHeight, width * height);
  });
}

function strip(edge: number, height: number, width: number): Box {
  const [far, low] = [width - stripWidth, height - stripWidth];
  return ([[0, 0, width, stripWidth], [far, 0, stripWidth, height], [0, low, width, stripWidth], [0, 0, stripWidth, height]] as const)[edge]!;
}

function colourAt(kind: Mark['kind'], colour: RectangleColour, x: number, y: number): readonly [number, number, number] {
  const white = rectangleColours.white;
  if (kind === 'logo' && (x === 2 || y === 2)) return white;
  if (kind === 'texture' && (x + y) % 6 < 3) return [0, 0, 0];
  return rectangleColours[colour];
}
