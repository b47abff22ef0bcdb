import type { Overview, RegionTable } from '../../shared/runQueries';
import { nameOf, shown } from '../../shared/words';
import { chartTokens } from '../charts/theme';
import type { Colouring } from './state';

/** How the points of the map are told apart: a place in the palette and a shape for each, and the legend that says which is what. */
export interface Groups {
  /** A place in `tokens`, a point each. */
  readonly colour: Uint8Array;
  /** 0..5, a point each. */
  readonly shapes: Uint8Array;
  readonly legend: readonly LegendEntry[];
}

export interface LegendEntry {
  readonly text: string;
  /** Place in `tokens`. */
  readonly colour: number;
  readonly shape: number;
  readonly count: number;
  /** A cluster or class to go to; null where there is none. */
  readonly target: number | null;
}

/** Colour tokens of points; the last is for all that has no colour of its own. */
export const pointTokens = [...chartTokens, '--vscode-disabledForeground'] as const;
const other = pointTokens.length - 1;
const shapes = 6;
/** Groups with a colour and shape of their own; more could not be told apart. */
const most = 12;

export function groupsOf(overview: Overview, table: RegionTable, colouring: Colouring): Groups {
  const { cluster, image, imageLabel, imagePredicted, influential } = table;
  switch (colouring) {
    case 'cluster': {
      const entries = overview.findings.map((finding) => ({ text: nameOf(finding), key: finding.cluster }));
      return keyed(cluster, entries, 'other clusters');
    }
    case 'class': {
      const labels = image.map((each) => imageLabel[each]!);
      return keyed(labels, overview.classes.map((label, key) => ({ text: shown(label, 40), key })), 'other classes');
    }
    case 'outcome':
      return binary(
        image.map((each) => Number(imageLabel[each] !== imagePredicted[each])),
        ['image predicted right', 'image predicted wrong'],
        [0, 1],
      );
    case 'influence':
      return binary(Int32Array.from(influential), ['other regions', 'region that an error is traced to'], [other, 1]);
  }
}

/** The first groups get a colour each, and another shape each time the colours start again. */
function keyed(keys: Int32Array, entries: readonly { text: string; key: number }[], rest: string): Groups {
  const place = new Map(entries.slice(0, most).map(({ key }, i) => [key, i]));
  const counts = new Map<number, number>();
  const colour = new Uint8Array(keys.length);
  const shape = new Uint8Array(keys.length);
  keys.forEach((key, point) => {
    const at = place.get(key);
    colour[point] = at === undefined ? other : at % other;
    shape[point] = at === undefined ? 0 : at % shapes;
    counts.set(at ?? -1, (counts.get(at ?? -1) ?? 0) + 1);
  });
  const legend = [...place].map(([key, i]) => ({ text: entries[i]!.text, colour: i % other, shape: i % shapes, count: counts.get(i) ?? 0, target: key }));
  const others = counts.get(-1) ?? 0;
  return { colour, shapes: shape, legend: others > 0 ? [...legend, { text: rest, colour: other, shape: 0, count: others, target: null }] : legend };
}

function binary(which: Int32Array, names: readonly [string, string], colours: readonly [number, number]): Groups {
  const ones = which.reduce((sum, each) => sum + each, 0);
  return {
    colour: Uint8Array.from(which, (each) => colours[each]!),
    shapes: Uint8Array.from(which),
    legend: [0, 1].map((each) => ({ text: names[each]!, colour: colours[each]!, shape: each, count: each === 1 ? ones : which.length - ones, target: null })),
  };
}
