import { describe, expect, it } from 'vitest';
import { graphBuilder, type Value } from '../../../../src/engine/autodiff/builder';
import { normal } from '../../../../src/engine/benchmark/detection/normal';
import { balancedSample, groupIds, groupWeights } from '../../../../src/engine/benchmark/mitigation/groups';
import { retrainLastLayer } from '../../../../src/engine/benchmark/mitigation/lastLayer';
import { classificationLoss, contrastMasks, rivalInputs, spuriousAwareLoss } from '../../../../src/engine/benchmark/mitigation/losses';
import { model, valueInfo } from '../../../../src/engine/onnx/build';
import { encodeModel } from '../../../../src/engine/onnx/model';
import { openSession, Tensor } from '../../../../src/engine/runtime/session';
import { lossInputs, type Loss } from '../../../../src/engine/training/loss';

const dim = 4;
const options = { lambda: 0.8, temperature: 0.5, logitScale: 3 };
const random = normal(11);
const unitRows = (count: number) =>
  Array.from({ length: count }, () => {
    const row = Array.from({ length: dim }, random);
    return row.map((value) => value / Math.hypot(...row));
  });
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, d) => sum + value * b[d]!, 0);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The contrastive loss in plain exponentials (Radford et al. 2021). */
function contrastive(images: number[][], captions: number[][]): number {
  const pair = (i: number, j: number) => Math.exp(options.logitScale * dot(images[i]!, captions[j]!));
  const all = [...images.keys()];
  return sum(all.map((i) => -Math.log(pair(i, i) / sum(all.map((j) => pair(i, j)))) - Math.log(pair(i, i) / sum(all.map((j) => pair(j, i)))))) / (2 * images.length);
}

async function inGraph(loss: Loss, images: number[][], classes: number, given: Record<string, ArrayLike<number>>) {
  const shape = { batch: images.length, regions: 0, classes, dim };
  const g = graphBuilder(17, 'loss:');
  const rows: Value = { name: 'images', dims: [images.length, dim], dtype: 'float32' };
  const parts = loss.add(g, shape, rows, undefined);
  const inputs = [rows, ...loss.inputs(shape)];
  const info = ({ name, dtype, dims }: Value) => valueInfo(name, dtype, dims);
  const session = await openSession(encodeModel(model({ nodes: g.nodes, initializers: g.initializers, inputs: inputs.map(info), outputs: [parts.loss, parts.samples!].map(info) })));
  const feeds = Object.fromEntries(inputs.map(({ name, dims }) => [name, new Tensor('float32', Float32Array.from(name === 'images' ? images.flat() : given[name]!), dims)]));
  const results = await session.run(feeds);
  await session.release();
  return { loss: Number(results[parts.loss.name]!.data[0]), samples: Array.from(results[parts.samples!.name]!.data as Float32Array) };
}

describe("the rivals' losses equal their formulas", () => {
  const [images, captions, classes] = [unitRows(5), unitRows(5), unitRows(3)];
  const labels = Int32Array.of(0, 1, 2, 1, 0);

  it('classification: weighted cross-entropy of the zero-shot scores', async () => {
    const weight = [0.1, 0.4, 0.2, 0.05, 0.25];
    const label = Array.from(labels, (y) => [0, 1, 2].map((k) => (k === y ? 1 : 0))).flat();
    const found = await inGraph(classificationLoss(options), images, 3, { [lossInputs.captions]: captions.flat(), [lossInputs.classes]: classes.flat(), [lossInputs.label]: label, [rivalInputs.weight]: weight });
    const entropies = images.map((image, i) => {
      const exponentials = classes.map((row) => Math.exp(dot(image, row) / options.temperature));
      return -Math.log(exponentials[labels[i]!]! / sum(exponentials));
    });
    found.samples.forEach((value, i) => expect(value).toBeCloseTo(entropies[i]!, 5));
    expect(found.loss).toBeCloseTo(0.8 * contrastive(images, captions) + 0.2 * sum(entropies.map((value, i) => value * weight[i]!)), 5);
  });

  it('spurious-aware: drawn to the own class on the other side, pushed from others on the own side', async () => {
    const present = Uint8Array.of(1, 0, 1, 1, 0);
    const found = await inGraph(spuriousAwareLoss(options), images, 3, { [lossInputs.captions]: captions.flat(), ...contrastMasks(labels, present) });
    const s = (i: number, j: number) => Math.exp(dot(images[i]!, images[j]!) / options.temperature);
    // Image 0 (class 0, with): positive 4; negatives 2, 3. Image 4: positive 0; negative 1. Images 1 and 3 likewise. Image 2 has no positive.
    const terms = [
      -Math.log(s(0, 4) / (s(0, 4) + s(0, 2) + s(0, 3))),
      -Math.log(s(1, 3) / (s(1, 3) + s(1, 4))),
      -Math.log(s(3, 1) / (s(3, 1) + s(3, 0) + s(3, 2))),
      -Math.log(s(4, 0) / (s(4, 0) + s(4, 1))),
    ];
    expect(found.loss).toBeCloseTo(0.8 * contrastive(images, captions) + (0.2 * sum(terms)) / 4, 5);
  });

  it('leaves images without a class out', () => {
    const masks = contrastMasks(Int32Array.of(-1, -1), Uint8Array.of(0, 1));
    expect([...masks[lossInputs.share]!]).toEqual([0, 0]);
  });
});

describe('groups', () => {
  it('are class × feature', () => {
    expect([...groupIds(Int32Array.of(0, 2, -1, 1), Uint8Array.of(1, 0, 1, 1))]).toEqual([1, 4, -1, 3]);
  });

  it('are drawn equally often by the sampler, however small', () => {
    const groups = Int32Array.from({ length: 1000 }, (_, i) => (i < 5 ? 0 : i < 50 ? 1 : i < 60 ? -1 : 2));
    const drawn = balancedSample(groups, 3000, 1);
    for (const group of [0, 1, 2]) {
      // 1,000 ± 26 each; five deviations.
      expect(Math.abs(drawn.filter((image) => groups[image] === group).length - 1000)).toBeLessThan(130);
    }
    expect(drawn.some((image) => groups[image] === -1)).toBe(false);
    expect(balancedSample(Int32Array.of(-1), 5, 1)).toHaveLength(0);
  });

  it('gain weight by their loss, as in algorithm 1 of group DRO', () => {
    const dro = groupWeights(2, 0.5);
    expect([...dro.ofSamples(Int32Array.of(0, 0, 1))]).toEqual([0.25, 0.25, 0.5]);
    dro.update(Int32Array.of(0, 0, 1), [1, 3, 4]);
    // q = (½ e^(½·2), ½ e^(½·4)), scaled.
    const [a, b] = [Math.exp(1), Math.exp(2)];
    expect(dro.weights[0]).toBeCloseTo(a / (a + b), 12);
    expect(dro.weights[1]).toBeCloseTo(b / (a + b), 12);
    // A group that the batch lacks leaves its weight to those there.
    expect([...dro.ofSamples(Int32Array.of(0, 0))]).toEqual([0.5, 0.5]);
  });
});

describe('last-layer retraining', () => {
  it('lifts the weakest group where the encoder knows better than its last layer', () => {
    // Axis 0 tells the class, axis 1 the spurious feature; the class rows lean on axis 1 alone.
    const item = (label: number, present: number) => [(label === 0 ? 0.5 : -0.5) + 0.1 * random(), (present ? 0.8 : -0.8) + 0.1 * random(), 0.1 * random(), 0.1 * random()];
    const sample = (perGroup: number) => [0, 1].flatMap((label) => [0, 1].flatMap((present) => Array.from({ length: perGroup }, () => ({ label, present, row: item(label, present) }))));
    const [train, test] = [sample(50), sample(50)];
    const normalised = (rows: number[][]) => Float32Array.from(rows.flatMap((row) => row.map((value) => value / Math.hypot(...row))));
    const start = Float32Array.of(0, 1, 0, 0, 0, -1, 0, 0);
    const rows = retrainLastLayer({ embeddings: normalised(train.map(({ row }) => row)), labels: Int32Array.from(train, ({ label }) => label), dim }, start, 0.07);
    const weakest = (classRows: Float32Array) => {
      const right = test.map(({ label, present, row }) => {
        const scores = [0, 1].map((y) => dot(row, Array.from(classRows.subarray(y * dim, (y + 1) * dim))));
        return { group: 2 * label + present, right: (scores[1]! > scores[0]! ? 1 : 0) === label };
      });
      return Math.min(...[0, 1, 2, 3].map((group) => right.filter((each) => each.group === group && each.right).length / 50));
    };
    expect(weakest(start)).toBeLessThan(0.1);
    expect(weakest(rows)).toBeGreaterThan(0.95);
  });

  it('changes nothing without data', () => {
    const start = Float32Array.of(1, 2, 3, 4);
    expect(retrainLastLayer({ embeddings: new Float32Array(0), labels: new Int32Array(0), dim }, start, 0.07)).toEqual(start);
  });
});
