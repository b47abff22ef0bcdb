import { describe, expect, it } from 'vitest';
import { barsSvg, type BarRow } from '../../../src/webview/charts/barRows';
import { decimate, smoothed } from '../../../src/webview/charts/decimate';
import { apart, ticks } from '../../../src/webview/charts/ticks';
import { wilson } from '../../../src/shared/wilson';

const colours = { solid: 'blue', hatched: 'orange', text: 'black', ground: 'white', font: 'sans-serif' };
const row = (changes: Partial<BarRow> = {}): BarRow => ({ label: 'coat', first: { n: 40, share: 0.15 }, second: { n: 40, share: 0.7 }, difference: -0.55, interval: [-0.7, -0.33], ...changes });

describe('wilson', () => {
  it.each([
    // Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('agrees with the published interval of %i of %i', (right, n, low, high) => {
    const [ownLow, ownHigh] = wilson(right / n, n);
    expect(ownLow).toBeCloseTo(low, 4);
    expect(ownHigh).toBeCloseTo(high, 4);
  });
});

describe('decimate', () => {
  const x = Array.from({ length: 5000 }, (_, i) => i);
  const y = x.map((i) => Math.sin(i / 50));

  it('keeps a lone spike, a lone dip and both ends of a long line', () => {
    y[1240] = 9;
    y[4321] = -9;
    const kept = decimate(x, y, 300);
    expect(kept).toEqual(expect.arrayContaining([0, 1240, 4321, 4999]));
    expect(kept.length).toBeLessThanOrEqual(602);
    expect([...kept].sort((a, b) => a - b)).toEqual(kept);
  });

  it('draws a short line whole, and leaves out what is no number', () => {
    expect(decimate([1, 2, 3], [5, 5, 5], 100)).toEqual([0, 1, 2]);
    expect(decimate([1, 2, 3], [5, NaN, Infinity], 100)).toEqual([0]);
    expect(decimate([], [], 100)).toEqual([]);
  });
});

describe('smoothed', () => {
  it('leaves a constant as it is, from its first point on', () => {
    for (const value of smoothed([3, 3, 3, 3], 10)) expect(value).toBeCloseTo(3, 12);
  });
  it('evens a zigzag out', () => {
    const last = smoothed(Array.from({ length: 400 }, (_, i) => (i % 2) * 2), 40).at(-1)!;
    expect(Math.abs(last - 1)).toBeLessThan(0.1);
  });
  it('passes over what is no number', () => {
    expect(smoothed([1, NaN, 1], 3)[2]).toBeCloseTo(1, 12);
  });
});

describe('ticks', () => {
  it.each([
    [0, 1, 5, false, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [0, 3.7, 5, false, [0, 1, 2, 3]],
    [1, 4, 10, true, [1, 2, 3, 4]],
    [0, 1240, 4, true, [0, 500, 1000]],
    [2, 2, 5, false, [2]],
  ])('of %d to %d', (start, end, about, whole, expected) => expect(ticks(start, end, about, whole)).toEqual(expected));
});

describe('apart', () => {
  it('moves texts apart that would overlap, and keeps them on the plot', () => {
    const placed = apart([100, 100, 101, 5], 14, 0, 110);
    const sorted = [...placed].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThanOrEqual(14);
    expect(sorted.at(-1)).toBeLessThanOrEqual(110);
    expect(placed[3]).toBe(5);
  });
});

describe('a bar chart as a file', () => {
  it('names every class, its change and both sides', () => {
    const svg = barsSvg('Accuracy', ['With', 'Without'], [row(), row({ label: 'sandal', first: { n: 0, share: null }, difference: null, interval: null })], 'second', colours);
    for (const text of ['coat', 'sandal', 'With', 'Without', '−55.0 (−70.0 to −33.0)', 'no images']) expect(svg).toContain(`>${text}<`);
    // 15% and 70% of the scale's 300 pixels.
    expect(svg).toContain('width="45" height="10"');
    expect(svg).toContain('width="210" height="10"');
  });

  it('takes labels as text', () => {
    const svg = barsSvg('<script>', ['a', 'b'], [row({ label: '<img onerror>' }), row({ label: 'a\u0000b\ud800c&"' })], 'second', colours);
    expect(svg).not.toMatch(/<(img|script)/);
    expect(svg).toContain('&lt;img onerror&gt;');
    expect(svg).toContain('a\ufffdb\ufffdc&amp;&quot;');
  });
});
