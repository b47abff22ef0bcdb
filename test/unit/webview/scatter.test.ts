import { describe, expect, it } from 'vitest';
import { gridOf } from '../../../src/webview/charts/grid';
import { insidePolygon, startLasso } from '../../../src/webview/charts/lasso';
import { paintPoints } from '../../../src/webview/charts/scatterCanvas';
import { combined } from '../../../src/webview/charts/scatterControl';
import { panned, toScreen, toUnit, wholeView, zoomed } from '../../../src/webview/charts/scatterView';

/** A small seeded generator: the tests are to be the same each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}
const cloud = (n: number, seed: number) => {
  const next = random(seed);
  return { x: Float32Array.from({ length: n }, next), y: Float32Array.from({ length: n }, next) };
};

/** The even-odd rule by the sum of all crossings, one point at a time. */
function slowInside(px: number, py: number, polygon: readonly (readonly [number, number])[]): boolean {
  let crossings = 0;
  polygon.forEach(([x1, y1], i) => {
    const [x2, y2] = polygon[(i + 1) % polygon.length]!;
    const straddles = y1 > py !== y2 > py;
    if (straddles && px < ((x2 - x1) * (py - y1)) / (y2 - y1) + x1) crossings++;
  });
  return crossings % 2 === 1;
}

describe('the lasso', () => {
  it('holds the same points as a slow reference, for polygons that cross themselves too', () => {
    const { x, y } = cloud(3000, 1);
    const next = random(2);
    for (let round = 0; round < 20; round++) {
      const polygon = Array.from({ length: 3 + Math.floor(next() * 12) }, () => [next(), next()] as const);
      const expected = Array.from(x, (_, i) => (slowInside(x[i]!, y[i]!, polygon) ? 1 : 0));
      expect(Array.from(insidePolygon(x, y, polygon.flat()))).toEqual(expected);
    }
  });

  it('holds nothing while it has no area', () => {
    const { x, y } = cloud(500, 3);
    const none = new Uint8Array(500);
    for (const polygon of [[], [0.5, 0.5], [0.1, 0.1, 0.9, 0.9], [0.2, 0.5, 0.8, 0.5, 0.4, 0.5], [0.5, 0.1, 0.5, 0.9, 0.5, 0.1], [0.1, 0.2, 0.7, 0.9, 0.3, 0.3, 0.7, 0.9, 0.1, 0.2]])
      expect(insidePolygon(x, y, polygon)).toEqual(none);
  });

  it('splits points on a shared edge between two neighbours, so that none is in both or neither', () => {
    const x = Float32Array.of(0.5, 0.5, 0.25, 0.5);
    const y = Float32Array.of(0.25, 0.5, 0.5, 0.75);
    const left = insidePolygon(x, y, [0, 0, 0.5, 0, 0.5, 1, 0, 1]);
    const right = insidePolygon(x, y, [0.5, 0, 1, 0, 1, 1, 0.5, 1]);
    expect(left.map((each, i) => each + right[i]!)).toEqual(Uint8Array.of(1, 1, 1, 1));
  });

  it('holds a point at the height of a corner', () => {
    expect(Array.from(insidePolygon(Float32Array.of(0.5, 0.1), Float32Array.of(0.5, 0.1), [0.5, 0, 1, 0.5, 0.5, 1, 0, 0.5]))).toEqual([1, 0]);
  });

  it('follows each corner, and never holds points without a place', () => {
    const lasso = startLasso(Float32Array.of(0.5, NaN), Float32Array.of(0.3, 0.3));
    lasso.add(0, 0);
    lasso.add(1, 0);
    expect(Array.from(lasso.inside())).toEqual([0, 0]);
    lasso.add(0.5, 1);
    expect(Array.from(lasso.inside())).toEqual([1, 0]);
  });

  it('adds to, takes from or replaces what was selected', () => {
    const [before, inside] = [Uint8Array.of(1, 1, 0, 0), Uint8Array.of(0, 1, 1, 0)];
    expect(Array.from(combined(before, inside, 'new'))).toEqual([0, 1, 1, 0]);
    expect(Array.from(combined(before, inside, 'add'))).toEqual([1, 1, 1, 0]);
    expect(Array.from(combined(before, inside, 'remove'))).toEqual([1, 0, 0, 0]);
    // Taking away from no selection takes away from all.
    expect(Array.from(combined(null, inside, 'remove'))).toEqual([1, 0, 0, 1]);
    expect(Array.from(combined(null, inside, 'add'))).toEqual([0, 1, 1, 0]);
  });
});

describe('the nearest point', () => {
  it('is the one a search through all finds', () => {
    const { x, y } = cloud(2000, 4);
    const grid = gridOf(x, y);
    const next = random(5);
    for (let round = 0; round < 300; round++) {
      const [px, py, reach] = [next() * 1.4 - 0.2, next() * 1.4 - 0.2, next() * 0.1];
      const distance = (i: number) => (x[i]! - px) ** 2 + (y[i]! - py) ** 2;
      const near = Array.from(x.keys()).filter((i) => distance(i) <= reach * reach);
      const expected = near.reduce((best, i) => (best < 0 || distance(i) < distance(best) ? i : best), -1);
      expect(grid.nearest(px, py, reach)).toBe(expected);
    }
  });

  it('is the first of equals, found on the border, and none among none', () => {
    expect(gridOf(Float32Array.of(1, 1, 0), Float32Array.of(1, 1, 0)).nearest(1, 1, 0.1)).toBe(0);
    // Equally far, and the first of them lies in a cell that is looked at last.
    const corners = [1, 0, 1, 0, 1, 0, 1, 0];
    expect(gridOf(Float32Array.from(corners), Float32Array.from(corners)).nearest(0.5, 0.5, 1)).toBe(0);
    expect(gridOf(Float32Array.of(NaN), Float32Array.of(0)).nearest(0, 0, 1)).toBe(-1);
    expect(gridOf(new Float32Array(0), new Float32Array(0)).nearest(0.5, 0.5, 1)).toBe(-1);
  });
});

describe('the view', () => {
  const size = { width: 800, height: 500 };
  it('keeps what lies under the pointer while it zooms', () => {
    const before = { zoom: 3, x: 0.4, y: 0.5 };
    const under = toUnit(before, size, 500, 300);
    const after = zoomed(before, size, 1.7, 500, 300);
    expect(after.zoom).toBeCloseTo(5.1);
    const [x, y] = toScreen(after, size, ...under);
    expect(x).toBeCloseTo(500);
    expect(y).toBeCloseTo(300);
  });
  it('follows a drag by as many pixels, and never loses the points', () => {
    const before = { zoom: 4, x: 0.5, y: 0.5 };
    const [x, y] = toScreen(panned(before, size, 30, -20), size, 0.5, 0.5);
    expect(x).toBeCloseTo(430);
    expect(y).toBeCloseTo(230);
    expect(panned(wholeView, size, 1e6, -1e6)).toEqual({ zoom: 1, x: 0, y: 1 });
  });
});

describe('painted points', () => {
  const size = { width: 60, height: 60 };
  const [red, green, white, black] = [0x0000ff, 0x00ff00, 0xffffff, 0x000000];
  const inks = { palette: [red, green], ground: white, outline: black };
  const at = (x: readonly number[], colour: readonly number[], more: object = {}) => {
    const pixels = new Uint32Array(3600);
    const points = { x: Float32Array.from(x), y: new Float32Array(x.length).fill(0.5), colour: Uint8Array.from(colour), selected: null, highlighted: null, ...more };
    paintPoints(pixels, size, 1, wholeView, points, inks);
    return (unit: number) => {
      const [left, top] = toScreen(wholeView, size, unit, 0.5);
      const pixel = pixels[Math.floor(top) * 60 + Math.floor(left)]!;
      return { red: pixel & 255, green: (pixel >> 8) & 255, blue: (pixel >> 16) & 255 };
    };
  };

  it('lie where they belong, in their colours, on the ground', () => {
    const pixel = at([0.2, 0.8], [0, 1]);
    expect(pixel(0.2).red).toBeGreaterThan(240);
    expect(pixel(0.2).green).toBeLessThan(60);
    expect(pixel(0.8).green).toBeGreaterThan(240);
    expect(pixel(0.5)).toEqual({ red: 255, green: 255, blue: 255 });
  });
  it('are dim where they are not selected', () => {
    const pixel = at([0.2, 0.8], [0, 0], { selected: Uint8Array.of(1, 0) });
    expect(pixel(0.2).green).toBeLessThan(60);
    expect(pixel(0.8).green).toBeGreaterThan(180);
  });
  it('lie on top where they are highlighted, whatever their order', () => {
    const pixel = at([0.5, 0.5], [1, 0], { highlighted: Uint8Array.of(1, 0) });
    expect(pixel(0.5)).toMatchObject({ green: 255 });
    expect(pixel(0.5).red).toBeLessThan(10);
  });
  it('stay inside the picture and leave out what has no place', () => {
    expect(() => at([-5, 0, 1, NaN, Infinity], [0, 0, 0, 0, 9])).not.toThrow();
  });
});
