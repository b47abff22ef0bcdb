import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openProposer } from '../../../src/engine/dataset/proposals';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { Box } from '../../../src/shared/boxes';
import type { RegionsConfig } from '../../../src/shared/config';
import type { Preprocessing } from '../../../src/shared/preprocessing';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-detector-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Detector {
  readonly input?: readonly [dtype: 'float32' | 'uint8' | 'int64', dims: readonly (number | string)[]];
  readonly boxes: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
  readonly names?: readonly [string, string];
}

/** A detector that finds the same boxes in every image; with one class its scores are [1, N]. */
async function write({ input = ['float32', [1, 3, 20, 40]], boxes, scores, names = ['pred_boxes', 'scores'] }: Detector): Promise<string> {
  const n = boxes.length;
  const classes = scores[0]!.length;
  const scoreDims = classes === 1 ? [1, n] : [1, n, classes];
  const proto = model({
    // The image must be used, or onnxruntime drops the input.
    nodes: [
      node('Cast', ['image'], ['pixels'], { to: 1 }),
      node('ReduceMean', ['pixels'], ['mean'], { keepdims: 0 }),
      node('Mul', ['mean', 'zero'], ['nothing']),
      node('Add', ['fixed_boxes', 'nothing'], [names[0]]),
      node('Add', ['fixed_scores', 'nothing'], [names[1]]),
      node('Identity', ['mean'], ['brightness']),
    ],
    inputs: [valueInfo('image', ...input)],
    outputs: [valueInfo(names[0], 'float32', [1, n, 4]), valueInfo(names[1], 'float32', scoreDims), valueInfo('brightness', 'float32', [])],
    initializers: [
      tensorProto('zero', [], Float32Array.of(0)),
      tensorProto('fixed_boxes', [1, n, 4], Float32Array.from(boxes.flat())),
      tensorProto('fixed_scores', scoreDims, Float32Array.from(scores.flat())),
    ],
  });
  const file = join(folder, `detector-${count++}.onnx`);
  await writeFile(file, encodeModel(proto));
  return file;
}

type Proposals = Extract<RegionsConfig, { kind: 'proposals' }>;
const defaults = { kind: 'proposals', boxFormat: 'xyxy', iou: 0.5, topK: 10, minScore: 0.05 } as const;

/** Proposals for a white image of 100 × 50 pixels, rounded. */
async function propose(detector: Detector, config: Partial<Proposals> = {}): Promise<Box[]> {
  const proposer = await openProposer({ ...defaults, ...config, model: await write(detector) }, 'cpu', () => undefined);
  try {
    const boxes = await proposer.propose({ data: new Uint8Array(100 * 50 * 3).fill(255), width: 100, height: 50 });
    return boxes.map((box) => box.map((side) => Math.round(side * 1e3) / 1e3) as unknown as Box);
  } finally {
    await proposer.release();
  }
}

const pair: Detector = { boxes: [[4, 2, 20, 10], [20, 10, 40, 20]], scores: [[0.4], [0.9]] };

describe('openProposer', () => {
  it('maps pixels of the stretched input back to the image, best first', async () => {
    // The input is 40 × 20, the image 100 × 50: 2.5 times as large.
    expect(await propose(pair)).toEqual([[50, 25, 50, 25], [10, 5, 40, 20]]);
  });

  it.each([
    ['xyxy', [0.1, 0.2, 0.5, 0.6]],
    ['yxyx', [0.2, 0.1, 0.6, 0.5]],
    ['xywh', [0.1, 0.2, 0.4, 0.4]],
    ['cxcywh', [0.3, 0.4, 0.4, 0.4]],
  ] as const)('reads shares of the side as %s', async (boxFormat, box) => {
    expect(await propose({ boxes: [box], scores: [[1]] }, { boxFormat })).toEqual([[10, 10, 40, 20]]);
  });

  it('suppresses overlaps, weak scores and what is beyond topK; clips and drops empty boxes', async () => {
    const detector: Detector = {
      boxes: [[0, 0, 10, 10], [0, 0, 10, 11], [30, 0, 60, 10], [5, 5, 5, 9], [20, 0, 25, 10], [50, 0, 60, 10]],
      scores: [[0.5], [0.6], [0.7], [0.9], [0.01], [0.8]],
    };
    expect(await propose(detector)).toEqual([[75, 0, 25, 25], [0, 0, 25, 27.5]]);
    expect(await propose(detector, { topK: 1 })).toEqual([[75, 0, 25, 25]]);
    expect(await propose(detector, { iou: 1, minScore: 0 })).toHaveLength(4);
  });

  it('takes the best class of each box', async () => {
    expect(await propose({ ...pair, scores: [[0.1, 0.95, 0], [0.2, 0, 0.3]] })).toEqual([[10, 5, 40, 20], [50, 25, 50, 25]]);
  });

  it('feeds channels last, bytes, an open size, and no batch axis', async () => {
    expect(await propose({ ...pair, input: ['uint8', [1, 20, 40, 3]] })).toEqual([[50, 25, 50, 25], [10, 5, 40, 20]]);
    expect(await propose({ ...pair, input: ['uint8', [1, 'h', 'w', 3]] })).toEqual([[20, 10, 20, 10], [4, 2, 16, 8]]);
    expect(await propose({ ...pair, input: ['float32', [3, 'h', 'w']] })).toEqual([[20, 10, 20, 10], [4, 2, 16, 8]]);
  });

  // Scores are the first two values of the input: red and green of a pixel (channels last), or red of two pixels (first).
  it.each([
    ['float32', [1, 20, 40, 3], 1],
    ['float32', [1, 3, 20, 40], 2],
    ['uint8', [1, 20, 40, 3], 1],
  ] as const)('puts channels where a %s input %j has them', async (dtype, dims, found) => {
    const scale = dtype === 'uint8' ? 1 / 255 : 1;
    const proto = model({
      nodes: [
        node('Cast', ['image'], ['pixels'], { to: 1 }),
        node('Reshape', ['pixels', 'flat'], ['values']),
        node('Slice', ['values', 'from', 'to'], ['first']),
        node('Mul', ['first', 'scale'], ['scores']),
        node('Identity', ['fixed'], ['boxes']),
      ],
      inputs: [valueInfo('image', dtype, dims)],
      outputs: [valueInfo('boxes', 'float32', [2, 4]), valueInfo('scores', 'float32', [2])],
      initializers: [
        tensorProto('flat', [1], BigInt64Array.of(-1n)),
        tensorProto('from', [1], BigInt64Array.of(0n)),
        tensorProto('to', [1], BigInt64Array.of(2n)),
        tensorProto('scale', [], Float32Array.of(scale)),
        tensorProto('fixed', [2, 4], Float32Array.of(0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1)),
      ],
    });
    const file = join(folder, 'channels.onnx');
    await writeFile(file, encodeModel(proto));
    const proposer = await openProposer({ ...defaults, minScore: 0.5, model: file }, 'cpu', () => undefined);
    const orange = new Uint8Array(100 * 50 * 3).map((_, i) => [255, 51, 0][i % 3]!);
    expect(await proposer.propose({ data: orange, width: 100, height: 50 })).toHaveLength(found);
    await proposer.release();
  });

  it('undoes its own preprocessing', async () => {
    const preprocessing: Preprocessing = {
      resize: { rule: 'longest-edge', size: 40 },
      filter: 'bilinear',
      crop: null,
      pad: { width: 40, height: 40, value: 114, position: 'centre' },
      rescale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    };
    // 100 × 50 becomes 40 × 20 with 10 rows of padding above.
    expect(await propose({ boxes: [[4, 12, 20, 20]], scores: [[1]], input: ['float32', [1, 3, 40, 40]] }, { preprocessing })).toEqual([[10, 5, 40, 20]]);
    await expect(propose(pair, { preprocessing })).rejects.toThrow(/takes images of 40×20 pixels, but its preprocessing makes 40×40/);
  });

  it('takes outputs by name where they cannot be told', async () => {
    const detector: Detector = { ...pair, names: ['out_a', 'out_b'] };
    expect(await propose(detector, { boxesOutput: 'out_a', scoresOutput: 'out_b' })).toHaveLength(2);
    await expect(propose(detector, { boxesOutput: 'boxes' })).rejects.toThrow(/has no output "boxes"; its outputs are out_a \[1, 2, 4\]/);
  });

  it('refuses what is no detector', async () => {
    await expect(propose({ ...pair, scores: [[-3], [2]] })).rejects.toThrow(/scores outside 0\.\.1/);
    await expect(propose({ ...pair, input: ['float32', [1, 1, 20, 40]] })).rejects.toThrow(/"image" \[1, 1, 20, 40\], which is no image/);
    await expect(propose({ ...pair, input: ['int64', [1, 3, 20, 40]] })).rejects.toThrow(/takes its image as int64/);
    await expect(propose(pair, { scoresOutput: 'pred_boxes' })).rejects.toMatchObject({ code: 'dataset-detector-unusable' });
  });
});
