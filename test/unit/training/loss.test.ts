import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { graphBuilder, type Value } from '../../../src/engine/autodiff/builder';
import { batchMasks, regionKind } from '../../../src/engine/training/batchMasks';
import { addLoss, lossInputs, lossInputValues, type LossOptions } from '../../../src/engine/training/loss';
import { model, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import { openSession, Tensor } from '../../../src/engine/runtime/session';

const { none, regular, spurious } = regionKind;

interface Case {
  /** Class of each image; -1 for none. */
  readonly labels: readonly number[];
  /** Kinds of each image's regions. */
  readonly kinds: readonly (readonly number[])[];
  readonly classes: number;
  readonly options?: Partial<LossOptions>;
  readonly count?: 'distinct' | 'per-sample';
  readonly reduction?: 'mean' | 'sum';
}

interface Embeddings {
  readonly images: number[][];
  readonly captions: number[][];
  readonly classes: number[][];
  /** [images][regions] */
  readonly regions: number[][][];
}

const dim = 5;
/** Exact in float32: onnxruntime fuses the factor into the product before it as a float32 attribute, in float64 graphs too. */
const defaults: LossOptions = { lambda: 0.8, temperature: 1 / 16, logitScale: 18 };

/** The formulas of the paper, word by word: plain exponentials in float64, sums over sets. */
function reference({ labels, kinds, options, count = 'distinct', reduction = 'mean' }: Case, e: Embeddings) {
  const { lambda, temperature, logitScale } = { ...defaults, ...options };
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, d) => sum + value * b[d]!, 0);
  const n = labels.length;
  const pair = (i: number, j: number) => Math.exp(logitScale * dot(e.images[i]!, e.captions[j]!));
  let contrastive = 0;
  for (let i = 0; i < n; i++) {
    const [row, column] = [[...Array(n).keys()].map((j) => pair(i, j)), [...Array(n).keys()].map((j) => pair(j, i))];
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    contrastive -= (Math.log(pair(i, i) / sum(row)) + Math.log(pair(i, i) / sum(column))) / (2 * n);
  }
  const sigma = (region: number[], y: number) => Math.exp(dot(region, e.classes[y]!) / temperature);
  const regionsOf = (i: number, kind: number) => e.regions[i]!.filter((_, r) => kinds[i]![r] === kind);
  const best = (i: number, y: number) => Math.max(...regionsOf(i, regular).map((region) => sigma(region, y)));
  const part = [...Array(n).keys()].filter((i) => labels[i]! >= 0 && regionsOf(i, regular).length > 0);
  const bad = [...Array(n).keys()].filter((i) => labels[i]! >= 0).flatMap((i) => regionsOf(i, spurious));
  const all = part.map((i) => labels[i]!);
  const distinct = [...new Set(all)];
  const penalty = bad.reduce((sum, region) => sum + Math.max(...distinct.map((y) => sigma(region, y))), 0);
  let [lr, la] = [0, 0];
  for (const i of part) {
    const y = labels[i]!;
    const own = best(i, y);
    lr -= Math.log(own / ((count === 'distinct' ? distinct : all).reduce((sum, k) => sum + best(i, k), 0) + penalty));
    const rivals = part.filter((j) => labels[j] !== y).reduce((sum, j) => sum + best(j, y), 0);
    la -= Math.log(own / (own + rivals + bad.reduce((sum, region) => sum + sigma(region, y), 0)));
  }
  const scale = reduction === 'mean' ? 1 / n : 1;
  return { contrastive, region: lr * scale, alignment: la * scale, loss: lambda * contrastive + (1 - lambda) * (lr + la) * scale };
}

function draw(test: Case, seed: number): Embeddings {
  const random = xoroshiro128plus(seed);
  const unit = () => {
    const v = Array.from({ length: dim }, () => 2 * uniformFloat64(random) - 1);
    const norm = Math.hypot(...v);
    return v.map((value) => value / norm);
  };
  const rows = (count: number) => Array.from({ length: count }, unit);
  return { images: rows(test.labels.length), captions: rows(test.labels.length), classes: rows(test.classes), regions: test.kinds.map((kinds) => rows(kinds.length)) };
}

async function inGraph(test: Case, e: Embeddings) {
  const regions = test.kinds[0]!.length;
  const shape = { batch: test.labels.length, regions, classes: test.classes, dim };
  const g = graphBuilder(17, 'loss:');
  const images: Value = { name: 'images', dims: [shape.batch, dim], dtype: 'float64' };
  const ofRegions: Value = { name: 'regions', dims: [shape.batch * regions, dim], dtype: 'float64' };
  const parts = addLoss(g, shape, { ...defaults, ...test.options }, images, regions > 0 ? ofRegions : undefined);
  const inputs = [images, ...(regions > 0 ? [ofRegions] : []), ...lossInputValues(shape, 'float64')];
  const outputs = [parts.loss, parts.contrastive, parts.region, parts.alignment].filter((value) => value !== undefined);
  const info = ({ name, dtype, dims }: Value) => valueInfo(name, dtype, dims);
  const session = await openSession(encodeModel(model({ nodes: g.nodes, initializers: g.initializers, inputs: inputs.map(info), outputs: outputs.map(info) })));
  const kinds = Uint8Array.from(test.kinds.flat());
  const masks = batchMasks({ labels: Int32Array.from(test.labels), kinds, regions, classes: test.classes }, test.count ?? 'distinct', test.reduction ?? 'mean');
  const given: Record<string, ArrayLike<number>> = { ...masks, images: e.images.flat(), regions: e.regions.flat(2), [lossInputs.captions]: e.captions.flat(), [lossInputs.classes]: e.classes.flat() };
  const results = await session.run(Object.fromEntries(inputs.map(({ name, dims }) => [name, new Tensor('float64', Float64Array.from(given[name]!), dims)])));
  await session.release();
  const value = (part: Value | undefined) => (part ? Number(results[part.name]!.data[0]) : 0);
  return { loss: value(parts.loss), contrastive: value(parts.contrastive), region: value(parts.region), alignment: value(parts.alignment) };
}

const grid = (images: number, pattern: readonly number[]) => Array.from({ length: images }, () => pattern);

describe('the region-aware loss equals the formulas with plain exponentials', () => {
  const cases: [string, Case][] = [
    ['one spurious region an image', { labels: [0, 1, 2, 1], kinds: grid(4, [regular, spurious, regular]), classes: 3 }],
    ['no spurious region', { labels: [0, 1, 1], kinds: grid(3, [regular, regular]), classes: 2 }],
    ['images without a label take part in the contrastive loss only', { labels: [0, -1, 2, -2], kinds: grid(4, [regular, spurious]), classes: 3 }],
    ['an image whose regions are all spurious only repels', { labels: [0, 1, 1], kinds: [[spurious, spurious], [regular, spurious], [regular, regular]], classes: 2 }],
    ['fewer regions than most', { labels: [1, 0, 1], kinds: [[regular, none, none], [regular, spurious, regular], [none, regular, none]], classes: 2 }],
    ['one label only', { labels: [1, 1, 1], kinds: grid(3, [regular, spurious]), classes: 3 }],
    ['nobody takes part', { labels: [-1, -1], kinds: grid(2, [regular, spurious]), classes: 2 }],
    ['a label counted once a sample', { labels: [0, 1, 1, 1], kinds: grid(4, [regular, spurious]), classes: 2, count: 'per-sample' }],
    ['summed over the batch', { labels: [0, 1, 1], kinds: grid(3, [regular, spurious]), classes: 2, reduction: 'sum' }],
    ['lambda = 0, another temperature', { labels: [0, 1], kinds: grid(2, [regular, spurious]), classes: 2, options: { lambda: 0, temperature: 0.5 } }],
    ['plain contrastive', { labels: [0, 1, 1], kinds: grid(3, []), classes: 2, options: { lambda: 1 } }],
  ];
  it.each(cases)('%s', async (_, test) => {
    for (const seed of [1, 2]) {
      const e = draw(test, seed);
      const [found, expected] = [await inGraph(test, e), reference(test, e)];
      expect(found.contrastive).toBeCloseTo(expected.contrastive, 12);
      if (test.kinds[0]!.length === 0) return expect(found.loss).toBeCloseTo(expected.contrastive, 12);
      for (const key of ['region', 'alignment', 'loss'] as const) expect(Math.abs(found[key] - expected[key]), key).toBeLessThan(1e-12 * Math.max(1, Math.abs(expected[key])));
    }
  });

  it('stays finite where plain exponentials overflow', async () => {
    const test: Case = { labels: [0, 1], kinds: grid(2, [regular, spurious]), classes: 2, options: { temperature: 1e-3, logitScale: 1000 } };
    const e = draw(test, 3);
    expect(Object.values(await inGraph(test, e)).every(Number.isFinite)).toBe(true);
  });
});
