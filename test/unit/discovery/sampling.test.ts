import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { positions, roiAlignMatrix, tokenPoolingMatrix, type MapShape } from '../../../src/engine/discovery/sampling';
import { model, node, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { Box } from '../../../src/shared/boxes';

/** RoIAlign straight from its definition: average of bilinear samples per bin, half-pixel coordinates. */
function roiAlignReference(map: Float64Array, height: number, width: number, [x0, y0, w, h]: Box): Float64Array {
  const out = new Float64Array(height * width);
  const binH = h / height;
  const binW = w / width;
  const gridH = Math.max(1, Math.ceil(binH));
  const gridW = Math.max(1, Math.ceil(binW));
  for (let oy = 0; oy < height; oy++)
    for (let ox = 0; ox < width; ox++) {
      let sum = 0;
      for (let iy = 0; iy < gridH; iy++)
        for (let ix = 0; ix < gridW; ix++)
          sum += bilinear(map, height, width, y0 - 0.5 + oy * binH + ((iy + 0.5) * binH) / gridH, x0 - 0.5 + ox * binW + ((ix + 0.5) * binW) / gridW);
      out[oy * width + ox] = sum / (gridH * gridW);
    }
  return out;
}

function bilinear(map: Float64Array, height: number, width: number, y: number, x: number): number {
  if (y < -1 || y > height || x < -1 || x > width) return 0;
  y = Math.max(0, y);
  x = Math.max(0, x);
  let y0 = Math.floor(y);
  let x0 = Math.floor(x);
  let y1 = y0 + 1;
  let x1 = x0 + 1;
  if (y0 >= height - 1) y0 = y1 = y = height - 1;
  if (x0 >= width - 1) x0 = x1 = x = width - 1;
  const at = (r: number, c: number) => map[r * width + c];
  return (
    at(y0, x0) * (1 - (y - y0)) * (1 - (x - x0)) +
    at(y0, x1) * (1 - (y - y0)) * (x - x0) +
    at(y1, x0) * (y - y0) * (1 - (x - x0)) +
    at(y1, x1) * (y - y0) * (x - x0)
  );
}

function apply(matrix: Float32Array, values: Float64Array): Float64Array {
  const n = values.length;
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += matrix[i * n + j] * values[j];
    return sum;
  });
}

const caseOf = fc.record({
  prefix: fc.integer({ min: 0, max: 2 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  at: fc.tuple(...Array.from({ length: 4 }, () => fc.double({ min: 0, max: 1, noNaN: true }))),
  values: fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 83, maxLength: 83 }),
});

const boxIn = (map: MapShape, [a, b, c, d]: number[]): Box => {
  const x = a * map.width * 0.95;
  const y = b * map.height * 0.95;
  return [x, y, Math.max(0.05, c * (map.width - x)), Math.max(0.05, d * (map.height - y))];
};

describe('RoIAlign as a sampling matrix', () => {
  it('equals direct bilinear sampling to 1e-5 and leaves prefix tokens alone', () => {
    fc.assert(
      fc.property(caseOf, (c) => {
        const n = positions(c);
        const values = Float64Array.from(c.values.slice(0, n));
        const matrix = new Float32Array(n * n).fill(7);
        const box = boxIn(c, c.at);
        roiAlignMatrix(box, c, matrix);
        const got = apply(matrix, values);
        const want = roiAlignReference(values.subarray(c.prefix), c.height, c.width, box);
        for (let p = 0; p < c.prefix; p++) expect(got[p]! - values[p]!).toBe(0);
        want.forEach((w, i) => expect(Math.abs(got[c.prefix + i] - w)).toBeLessThan(1e-5));
      }),
      { numRuns: 300 },
    );
  });

  it('is the identity for the whole map', () => {
    const map = { prefix: 1, height: 7, width: 5 };
    const n = positions(map);
    const matrix = new Float32Array(n * n);
    roiAlignMatrix([0, 0, 5, 7], map, matrix);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) expect(matrix[i * n + j]).toBeCloseTo(i === j ? 1 : 0, 6);
  });

  it("equals onnxruntime's RoiAlign operator", async () => {
    const [height, width, rois] = [7, 6, 20];
    const session = await InferenceSession.create(
      encodeModel(
        model({
          nodes: [
            node('RoiAlign', ['map', 'rois', 'image'], ['aligned'], {
              coordinate_transformation_mode: 'half_pixel',
              output_height: height,
              output_width: width,
              sampling_ratio: 0,
            }),
          ],
          inputs: [
            valueInfo('map', 'float32', [1, 1, height, width]),
            valueInfo('rois', 'float32', [rois, 4]),
            valueInfo('image', 'int64', [rois]),
          ],
          outputs: [valueInfo('aligned', 'float32', [rois, 1, height, width])],
        }),
      ),
    );
    const map = Float32Array.from({ length: height * width }, (_, i) => Math.sin(i * 1.7) * 3);
    const corners = Float32Array.from({ length: rois * 4 }, (_, i) => {
      const at = (Math.sin(i * 12.9898) + 1) / 2;
      const side = i % 2 ? height : width;
      return i % 4 < 2 ? at * side * 0.5 : side * (0.55 + 0.45 * at);
    });
    const { aligned } = await session.run({
      map: new Tensor('float32', map, [1, 1, height, width]),
      rois: new Tensor('float32', corners, [rois, 4]),
      image: new Tensor('int64', new BigInt64Array(rois), [rois]),
    });
    const n = height * width;
    const matrix = new Float32Array(n * n);
    for (let r = 0; r < rois; r++) {
      const [x1, y1, x2, y2] = corners.subarray(r * 4, r * 4 + 4);
      roiAlignMatrix([x1, y1, x2 - x1, y2 - y1], { prefix: 0, height, width }, matrix);
      const want = (aligned.data as Float32Array).subarray(r * n, (r + 1) * n);
      apply(matrix, Float64Array.from(map)).forEach((got, i) => expect(Math.abs(got - want[i])).toBeLessThan(1e-5));
    }
  });
});

describe('token pooling', () => {
  it('is the area-weighted mean of the cells inside the box, at every position', () => {
    fc.assert(
      fc.property(caseOf, (c) => {
        const n = positions(c);
        const values = Float64Array.from(c.values.slice(0, n));
        const matrix = new Float32Array(n * n);
        const [x, y, w, h] = boxIn(c, c.at);
        tokenPoolingMatrix([x, y, w, h], c, matrix);
        // Reference: average over a fine raster of points inside the box.
        let sum = 0;
        let area = 0;
        for (let r = 0; r < c.height; r++)
          for (let col = 0; col < c.width; col++) {
            const share =
              Math.max(0, Math.min(col + 1, x + w) - Math.max(col, x)) * Math.max(0, Math.min(r + 1, y + h) - Math.max(r, y));
            sum += share * values[c.prefix + r * c.width + col];
            area += share;
          }
        apply(matrix, values).forEach((got) => expect(got).toBeCloseTo(sum / area, 4));
      }),
    );
  });
});
