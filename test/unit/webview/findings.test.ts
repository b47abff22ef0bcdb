import { describe, expect, it, vi } from 'vitest';
import type { FindingSummary, Overview, RegionTable } from '../../../src/shared/runQueries';
import { groupsOf } from '../../../src/webview/findings/groups';
import { tableRows, typedAhead } from '../../../src/webview/findings/order';
import { countsInside, filtered, imagesByName, maskOf, membersOf } from '../../../src/webview/findings/regions';
import { createFindingsStore, keptOf } from '../../../src/webview/findings/state';
import { finding } from '../../fixtures/exampleFindings';

const noVerdicts = { version: 1, clusters: {} } as const;
const none = { sort: { column: 'rank', descending: false }, search: '', flaggedOnly: false } as const;

const row = (cluster: number, name: string, more: Partial<FindingSummary>): FindingSummary => ({ ...finding({ cluster, counts: [] }, ['a.png']), name: [name], reasons: [], ...more });
const rows = [
  row(4, 'red', { flagged: true, rank: 1, gap: 0.9, qValue: 0.001, attribute: 'coat', influence: 0.5 }),
  row(2, 'river', { flagged: false, rank: 2, gap: 0.2, qValue: null, attribute: 'boot', influence: null }),
  row(7, 'sand', { flagged: false, rank: null, gap: 0.5, qValue: 0.3, attribute: null, influence: 0.1 }),
];
const clustersOf = (found: readonly FindingSummary[]) => found.map(({ cluster }) => cluster);

/** Three images of two classes (the third mispredicted), five regions of two clusters. */
const table: RegionTable = {
  cluster: Int32Array.of(0, 1, 0, 1, 0),
  image: Int32Array.of(0, 0, 1, 2, 2),
  x: new Float32Array(5),
  y: new Float32Array(5),
  width: new Float32Array(5).fill(1),
  height: new Float32Array(5).fill(1),
  similarity: Float32Array.of(0.5, 1, 0.75, 0.25, 1),
  scorePredicted: Float32Array.of(0.1, 0.2, 0.5, 0.75, 0.9),
  scoreLabel: new Float32Array(5),
  influential: Uint8Array.of(0, 0, 0, 1, 0),
  imageLabel: Int32Array.of(0, 1, 0),
  imagePredicted: Int32Array.of(0, 1, 1),
  imageNames: ['a.png', 'b.png', 'a.png'],
};
const all = { label: null, outcome: 'all', minScore: 0 } as const;

describe('the table of findings', () => {
  it('keeps the order of the ranking until another column is chosen', () => {
    expect(clustersOf(tableRows(rows, none, noVerdicts, null))).toEqual([4, 2, 7]);
    expect(clustersOf(tableRows(rows, { ...none, sort: { column: 'gap', descending: true } }, noVerdicts, null))).toEqual([4, 7, 2]);
    expect(clustersOf(tableRows(rows, { ...none, sort: { column: 'attribute', descending: false } }, noVerdicts, null))).toEqual([2, 4, 7]);
  });

  it('puts what is missing last, whichever way it is sorted', () => {
    for (const descending of [true, false]) expect(clustersOf(tableRows(rows, { ...none, sort: { column: 'qValue', descending } }, noVerdicts, null)).at(-1)).toBe(2);
  });

  it('sorts by verdict and by what lies in the lasso', () => {
    const verdicts = { version: 1, clusters: { 7: { verdict: 'core', note: '' } } } as const;
    expect(clustersOf(tableRows(rows, { ...none, sort: { column: 'verdict', descending: false } }, verdicts, null))).toEqual([7, 4, 2]);
    const inside = Int32Array.of(0, 0, 9, 0, 3);
    expect(clustersOf(tableRows(rows, { ...none, sort: { column: 'lasso', descending: true } }, noVerdicts, inside))).toEqual([2, 4, 7]);
  });

  it('searches names, classes and reasons, and keeps the flagged alone', () => {
    const search = (text: string) => clustersOf(tableRows(rows, { ...none, search: text }, noVerdicts, null));
    expect(search('RIVER')).toEqual([2]);
    expect(search('coat')).toEqual([4]);
    expect(search('cluster 7')).toEqual([7]);
    expect(search('nothing of the kind')).toEqual([]);
    expect(clustersOf(tableRows(rows, { ...none, flaggedOnly: true }, noVerdicts, null))).toEqual([4]);
  });

  it('jumps to the next name that begins with what is typed, going round', () => {
    expect(typedAhead(rows, 0, 'r')).toBe(1);
    expect(typedAhead(rows, 1, 'r')).toBe(0);
    expect(typedAhead(rows, 0, 're')).toBe(0);
    expect(typedAhead(rows, 0, 'Sa')).toBe(2);
    expect(typedAhead(rows, -1, 'r')).toBe(0);
    expect(typedAhead(rows, 0, 'x')).toBe(-1);
    expect(typedAhead([], -1, 'x')).toBe(-1);
  });
});

describe('the regions of a finding', () => {
  it('come with the most typical first', () => {
    expect([...membersOf(table, 0)]).toEqual([4, 2, 0]);
    expect([...membersOf(table, 1)]).toEqual([1, 3]);
    expect([...membersOf(table, null)]).toEqual([0, 1, 2, 3, 4]);
    expect([...membersOf(table, 9)]).toEqual([]);
  });

  it('are filtered by class, error, score and lasso, all at once', () => {
    const members = membersOf(table, null);
    expect([...filtered(table, members, { ...all, label: 1 }, null)]).toEqual([2]);
    expect([...filtered(table, members, { ...all, outcome: 'wrong' }, null)]).toEqual([3, 4]);
    expect([...filtered(table, members, { ...all, outcome: 'right' }, null)]).toEqual([0, 1, 2]);
    expect([...filtered(table, members, { ...all, minScore: 0.5 }, null)]).toEqual([2, 3, 4]);
    expect([...filtered(table, members, { label: 0, outcome: 'wrong', minScore: 0.8 }, Uint8Array.of(1, 1, 1, 1, 1))]).toEqual([4]);
    expect([...filtered(table, members, all, Uint8Array.of(0, 1, 0, 0, 1))]).toEqual([1, 4]);
  });

  it('are counted by cluster inside a lasso', () => {
    expect([...countsInside(table, Uint8Array.of(1, 0, 1, 1, 0))]).toEqual([2, 1]);
    expect([...maskOf(table, 1)]).toEqual([0, 1, 0, 1, 0]);
  });

  it('find an image by its name, the first of equal ones', () => {
    expect([...imagesByName(table)]).toEqual([['a.png', 0], ['b.png', 1]]);
  });
});

describe('the colours of the map', () => {
  const overview = { findings: [row(1, 'red', {}), row(0, 'sky', {})], classes: ['cat', 'dog'] } as unknown as Overview;

  it('tell clusters, classes, errors and influence apart, with counts that add up', () => {
    for (const colouring of ['cluster', 'class', 'outcome', 'influence'] as const) {
      const { colour, legend } = groupsOf(overview, table, colouring);
      expect(colour).toHaveLength(5);
      expect(legend.reduce((sum, { count }) => sum + count, 0)).toBe(5);
    }
    expect(groupsOf(overview, table, 'cluster').legend.map(({ text, count, target }) => [text, count, target])).toEqual([['red', 2, 1], ['sky', 3, 0]]);
    expect(groupsOf(overview, table, 'class').legend.map(({ text, count }) => [text, count])).toEqual([['cat', 4], ['dog', 1]]);
    expect(groupsOf(overview, table, 'outcome').legend.map(({ count }) => count)).toEqual([3, 2]);
    expect(groupsOf(overview, table, 'influence').legend.map(({ count }) => count)).toEqual([4, 1]);
  });

  it('never give two groups the same colour and shape', () => {
    const many = Array.from({ length: 30 }, (_, i) => row(i, `name ${i}`, {}));
    const { legend } = groupsOf({ ...overview, findings: many }, { ...table, cluster: Int32Array.from({ length: 5 }, (_, i) => 20 + i) }, 'cluster');
    const looks = legend.map(({ colour, shape }) => `${colour} ${shape}`);
    expect(new Set(looks).size).toBe(looks.length);
    expect(legend.at(-1)).toMatchObject({ text: 'other clusters', count: 5, target: null });
  });
});

describe('the state of the panel', () => {
  it('comes back as it was kept, without what is only of the moment', () => {
    const store = createFindingsStore(undefined);
    store.set({ cluster: 3, search: 'red', lasso: Uint8Array.of(1), hovered: 4, outcome: 'wrong' });
    const again = createFindingsStore(JSON.parse(JSON.stringify(keptOf(store.get()))));
    expect(again.get()).toMatchObject({ cluster: 3, search: 'red', outcome: 'wrong', lasso: null, hovered: null });
  });

  it('leaves out what it does not understand', () => {
    for (const kept of [null, 'text', 7, [], { cluster: 'x', sort: { column: 'price' }, minScore: 9, tab: 'none', flaggedOnly: true }]) {
      expect(createFindingsStore(kept).get()).toMatchObject({ cluster: null, sort: { column: 'rank' }, minScore: 0, tab: 'regions' });
    }
    expect(createFindingsStore({ cluster: 'x', flaggedOnly: true }).get().flaggedOnly).toBe(true);
  });

  it('tells its listeners of a change, and of none where nothing changed', () => {
    const store = createFindingsStore({});
    const heard = vi.fn();
    const end = store.subscribe(heard);
    store.set({ search: '' });
    expect(heard).not.toHaveBeenCalled();
    store.set({ search: 'a' });
    expect(heard).toHaveBeenCalledOnce();
    end();
    store.set({ search: 'b' });
    expect(heard).toHaveBeenCalledOnce();
  });
});
