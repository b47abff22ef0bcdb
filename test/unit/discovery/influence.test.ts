import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countContingency, emptyContingency, imageClusters } from '../../../src/engine/discovery/contingency';
import { groupBy } from '../../../src/engine/discovery/groups';
import { influence } from '../../../src/engine/discovery/influence';

interface Data {
  classes: number;
  clusters: number;
  labels: number[];
  predictions: number[];
  regions: { image: number; cluster: number; scores: number[] }[];
}

function measured({ classes, clusters, labels, predictions, regions }: Data, skipSingle: boolean) {
  const labelColumn = Int32Array.from(labels);
  const predictionColumn = Int32Array.from(predictions);
  const assignment = Int32Array.from(regions, (r) => r.cluster);
  const byImage = groupBy(Int32Array.from(regions, (r) => r.image), labels.length);
  const presence = imageClusters(byImage, assignment);
  const { perCluster, perClass } = influence(
    {
      labels: labelColumn,
      predictions: predictionColumn,
      regions: byImage,
      presence,
      assignment,
      regionScores: Float32Array.from(regions.flatMap((r) => r.scores)),
      table: countContingency(presence, labelColumn, predictionColumn, emptyContingency(clusters, classes)),
    },
    skipSingle,
  );
  return { perCluster: Array.from(perCluster), perClass: Array.from(perClass) };
}

/** Nested loops straight from the text of the method. */
function reference({ classes, clusters, labels, predictions, regions }: Data, skipSingle: boolean) {
  const perClass: number[] = [];
  const perCluster: number[] = [];
  const images = labels.map((_, image) => image);
  for (let c = 0; c < clusters; c++) {
    const owns = (image: number) => regions.some((r) => r.image === image && r.cluster === c);
    const shares: number[] = [];
    for (let y = 0; y < classes; y++) {
      const inside = images.filter((i) => labels[i] === y && owns(i));
      const outside = images.filter((i) => labels[i] === y && !owns(i));
      const accuracy = (set: number[]) => set.filter((i) => predictions[i] === y).length / set.length;
      perClass.push(NaN);
      if (inside.length === 0 || outside.length === 0 || !(accuracy(inside) < accuracy(outside))) continue;
      let considered = 0;
      let blamed = 0;
      for (const i of inside.filter((image) => predictions[image] !== y)) {
        const own = regions.filter((r) => r.image === i);
        if (skipSingle && own.length === 1) continue;
        considered++;
        const top = Math.max(...own.map((r) => r.scores[predictions[i]]));
        if (own.find((r) => r.scores[predictions[i]] === top)!.cluster === c) blamed++;
      }
      if (considered === 0) continue;
      perClass[perClass.length - 1] = blamed / considered;
      shares.push(blamed / considered);
    }
    perCluster.push(shares.length > 0 ? Math.max(...shares) : NaN);
  }
  return { perCluster, perClass };
}

describe('influence', () => {
  it('equals the definition, with and without images of a single region', () => {
    const data = fc
      .record({ images: fc.integer({ min: 1, max: 20 }), classes: fc.integer({ min: 1, max: 3 }), clusters: fc.integer({ min: 1, max: 4 }) })
      .chain(({ images, classes, clusters }) => {
        const perImage = { minLength: images, maxLength: images };
        const id = (max: number) => fc.integer({ min: 0, max: max - 1 });
        return fc.record<Data>({
          classes: fc.constant(classes),
          clusters: fc.constant(clusters),
          labels: fc.array(id(classes), perImage),
          predictions: fc.array(id(classes), perImage),
          regions: fc.array(
            // Few distinct scores, so that ties are common.
            fc.record({ image: id(images), cluster: id(clusters), scores: fc.array(fc.constantFrom(0, 0.25, 0.5), { minLength: classes, maxLength: classes }) }),
            { minLength: 20, maxLength: 60 },
          ),
        });
      });
    let informative = 0;
    fc.assert(
      fc.property(data, fc.boolean(), (d, skipSingle) => {
        const expected = reference(d, skipSingle);
        if (expected.perCluster.some((h) => h > 0 && h < 1)) informative++;
        expect(measured(d, skipSingle)).toEqual(expected);
      }),
      { numRuns: 500, seed: 1 },
    );
    expect(informative).toBeGreaterThan(20);
  });

  it('counts by hand: two of three wrong images are blamed on the cluster', () => {
    // Class 0: images 0-3 own cluster 0 and are wrong but for image 3; images 4 and 5 lack it and are right.
    const regions = [0, 1, 2, 3, 4, 5].flatMap((image) => [
      { image, cluster: image < 4 ? 0 : 1, scores: [0.5, image === 2 ? 0.1 : 0.9] },
      { image, cluster: 1, scores: [0.5, 0.4] },
    ]);
    const result = measured(
      { classes: 2, clusters: 2, labels: [0, 0, 0, 0, 0, 0], predictions: [1, 1, 1, 0, 0, 0], regions },
      true,
    );
    expect(result.perClass[0]).toBeCloseTo(2 / 3, 12);
    expect(result.perCluster[0]).toBeCloseTo(2 / 3, 12);
    // Cluster 1 is in every image: there is nothing to compare with.
    expect(result.perCluster[1]).toBeNaN();
  });
});
