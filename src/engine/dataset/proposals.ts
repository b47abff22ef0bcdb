import { basename } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Device, RegionsConfig } from '../../shared/config';
import type { Preprocessing } from '../../shared/preprocessing';
import type { Report } from '../../shared/progress';
import { float16ToFloat32 } from '../onnx/float16';
import { openCheckedSession } from '../runtime/device';
import { openSession, Tensor, type GraphSession, type SessionValue } from '../runtime/session';
import { intersection } from './boxes';
import { detectorUnusable } from './errors';
import { frame, fromInput, placement, type Frame } from './frame';
import { nonMaximumSuppression } from './nms';
import { preprocess } from './preprocess';
import type { Pixels } from './resample';

type ProposalsConfig = Extract<RegionsConfig, { kind: 'proposals' }>;

/** A detector that proposes regions of an image. */
export interface Proposer {
  /** At most `topK` boxes in pixels of the image, best first, clipped to it. */
  propose(image: Pixels): Promise<Box[]>;
  release(): Promise<void>;
}

/**
 * Opens an ONNX detector as a source of regions: one image input (NCHW or NHWC, with or without the batch axis; uint8
 * or float), one output of boxes [.., N, 4] and one of scores [.., N] or [.., N, classes], of which the best class
 * counts. Further outputs are ignored.
 *
 * The session opens on `device`, checked against the CPU, with the first image.
 * Throws `dataset-detector-unusable` when input or outputs cannot be told, or the values are no boxes and scores.
 */
export async function openProposer(config: ProposalsConfig, device: Device, report: Report): Promise<Proposer> {
  const { input, names } = await inspectDetector(config);
  let session: GraphSession | undefined;
  return {
    async propose(image) {
      const { tensor, view } = inputTensor(config, input, image);
      const feeds = { [input.name]: tensor };
      session ??= (await openCheckedSession(config.model, device, feeds, report, { name: basename(config.model) })).session;
      const outputs = await session.run(feeds);
      return boxesOf(config, outputs[names.boxes]!, outputs[names.scores]!, view, image);
    },
    release: async () => session?.release(),
  };
}

async function inspectDetector(config: ProposalsConfig) {
  const session = await openSession(config.model);
  try {
    return { input: imageInput(config.model, session), names: outputNames(config, session) };
  } finally {
    await session.release();
  }
}

interface ImageInput {
  readonly name: string;
  readonly dtype: 'float32' | 'uint8';
  readonly layout: 'NCHW' | 'NHWC';
  readonly batched: boolean;
  /** Null where the graph leaves the size open. */
  readonly width: number | null;
  readonly height: number | null;
}

function imageInput(model: string, session: GraphSession): ImageInput {
  const hint = 'Export a detector with one image input of 3 channels, [1, 3, height, width] or [1, height, width, 3].';
  const value = session.inputs[0];
  if (value === undefined || session.inputs.length > 1) {
    const names = session.inputs.map(({ name }) => name).join(', ');
    throw detectorUnusable(model, `has ${session.inputs.length} inputs (${names}) instead of one image`, hint);
  }
  const shape = `[${value.dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
  const [batch, ...sides] = value.dims.length === 3 ? [1, ...value.dims] : value.dims;
  const one = sides.length === 3 && !(typeof batch === 'number' && batch > 1);
  const layout = one && sides[0] === 3 ? 'NCHW' : one && sides[2] === 3 ? 'NHWC' : null;
  if (layout === null) throw detectorUnusable(model, `has the input "${value.name}" ${shape}, which is no image`, hint);
  if (value.dtype !== 'float32' && value.dtype !== 'uint8') {
    throw detectorUnusable(model, `takes its image as ${value.dtype}`, 'Export it with a float32 or uint8 image input.');
  }
  const [height, width] = layout === 'NCHW' ? [sides[1], sides[2]] : [sides[0], sides[1]];
  return { name: value.name, dtype: value.dtype, layout, batched: value.dims.length === 4, height: fixed(height), width: fixed(width) };
}

/** onnxruntime writes an open dimension as its symbolic name, '' or -1. */
function fixed(dim: number | string | undefined): number | null {
  return typeof dim === 'number' && dim > 0 ? dim : null;
}

function outputNames(config: ProposalsConfig, { outputs }: GraphSession): { boxes: string; scores: string } {
  const listed = outputs.map(({ name, dims }) => `${name} [${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`).join(', ');
  const choose = (role: 'boxes' | 'scores', named: string | undefined, pattern: RegExp, fits: (value: SessionValue) => boolean): string => {
    if (named !== undefined) {
      if (outputs.some(({ name }) => name === named)) return named;
      throw detectorUnusable(config.model, `has no output "${named}"; its outputs are ${listed}`, `Correct regions.${role}Output in ravl.yaml.`);
    }
    const candidates = outputs.filter(fits);
    const likely = candidates.filter(({ name }) => pattern.test(name));
    const found = likely.length > 0 ? likely : candidates;
    if (found.length === 1) return found[0]!.name;
    const problem = `does not tell which output holds the ${role}; its outputs are ${listed}`;
    throw detectorUnusable(config.model, problem, `Name it as regions.${role}Output in ravl.yaml.`);
  };
  const boxes = choose('boxes', config.boxesOutput, /box/i, ({ dims }) => dims.length === 0 || (dims.length >= 2 && open(dims.at(-1), 4)));
  const scores = choose(
    'scores',
    config.scoresOutput,
    /score|prob|conf/i,
    ({ name, dtype, dims }) => name !== boxes && dtype.startsWith('float') && dims.length <= 3 && !/raw|anchor/i.test(name),
  );
  return { boxes, scores };
}

function open(dim: number | string | undefined, size: number): boolean {
  return dim === size || fixed(dim) === null;
}

/** Detectors are fed one image at a time, stretched to their input and scaled to 0..1 unless the configuration says otherwise. */
function inputTensor(config: ProposalsConfig, input: ImageInput, image: Pixels): { tensor: Tensor; view: Frame } {
  const raw = input.dtype === 'uint8';
  const base: Preprocessing = config.preprocessing ?? {
    resize: { rule: 'exact', height: input.height ?? image.height, width: input.width ?? image.width },
    filter: 'bilinear',
    crop: null,
    pad: null,
    rescale: 1 / 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  // A uint8 input takes the pixels as they are.
  const spec = raw ? { ...base, rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] } : base;
  const { width, height } = placement(spec, image.width, image.height).input;
  if ((input.width ?? width) !== width || (input.height ?? height) !== height) {
    throw detectorUnusable(
      config.model,
      `takes images of ${input.width ?? '?'}×${input.height ?? '?'} pixels, but its preprocessing makes ${width}×${height}`,
      'Correct regions.preprocessing in ravl.yaml.',
    );
  }
  const planes = new Float32Array(3 * width * height);
  preprocess(image, spec, planes, 0);
  const values = input.layout === 'NCHW' ? planes : interleaved(planes, width * height);
  const sides = input.layout === 'NCHW' ? [3, height, width] : [height, width, 3];
  const dims = input.batched ? [1, ...sides] : sides;
  const tensor = raw ? new Tensor('uint8', Uint8Array.from(values), dims) : new Tensor('float32', values, dims);
  return { tensor, view: frame(spec, image.width, image.height) };
}

function interleaved(planes: Float32Array, size: number): Float32Array {
  const values = new Float32Array(planes.length);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) values[3 * i + c] = planes[c * size + i]!;
  return values;
}

function boxesOf(config: ProposalsConfig, boxes: Tensor, scores: Tensor, view: Frame, image: Pixels): Box[] {
  const corners = numbers(boxes);
  const count = corners.length / 4;
  if (count === 0) return [];
  const best = bestScores(config, numbers(scores), count);
  // Shares of the side end at 1; a little more is a box that leans out of the image.
  const shares = config.normalized ?? corners.every((value) => Math.abs(value) <= 2);
  const [scaleX, scaleY] = shares ? [view.width, view.height] : [1, 1];
  const candidates: Box[] = [];
  const candidateScores: number[] = [];
  for (let i = 0; i < count; i++) {
    const box = asXywh(config.boxFormat, corners.subarray(4 * i, 4 * i + 4));
    const mapped = fromInput(view, [box[0] * scaleX, box[1] * scaleY, box[2] * scaleX, box[3] * scaleY]);
    // Not a number compares false throughout, so such a box has no intersection either.
    const inside = intersection(mapped, [0, 0, image.width, image.height]);
    if (inside === null) continue;
    candidates.push(inside);
    candidateScores.push(best[i]!);
  }
  return nonMaximumSuppression(candidates, candidateScores, config).map((index) => candidates[index]!);
}

/** The best class' score of each box. Throws when they are no probabilities: logits would make `minScore` meaningless. */
function bestScores(config: ProposalsConfig, scores: Float64Array, count: number): Float64Array {
  const classes = scores.length / count;
  if (!Number.isInteger(classes) || classes === 0) {
    const hint = 'Name its outputs as regions.boxesOutput and regions.scoresOutput in ravl.yaml.';
    throw detectorUnusable(config.model, `gives ${count} boxes but ${scores.length} scores`, hint);
  }
  if (!scores.every((score) => score >= -1e-6 && score <= 1 + 1e-6)) {
    const hint = 'They look like logits: export the detector with its sigmoid or softmax, without the background class.';
    throw detectorUnusable(config.model, 'gives scores outside 0..1', hint);
  }
  return Float64Array.from({ length: count }, (_, i) => scores.subarray(i * classes, (i + 1) * classes).reduce((a, b) => Math.max(a, b), 0));
}

function asXywh(format: ProposalsConfig['boxFormat'], values: Float64Array): Box {
  const [a, b, c, d] = values as unknown as [number, number, number, number];
  switch (format) {
    case 'xyxy':
      return [a, b, c - a, d - b];
    case 'yxyx':
      return [b, a, d - b, c - a];
    case 'xywh':
      return [a, b, c, d];
    case 'cxcywh':
      return [a - c / 2, b - d / 2, c, d];
  }
}

/** A tensor's values as doubles; float16 comes as bits. */
function numbers({ type, data }: Tensor): Float64Array {
  if (type === 'float16' && data instanceof Uint16Array) return Float64Array.from(float16ToFloat32(data));
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}
