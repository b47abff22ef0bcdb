/**
 * The whole automatic differentiation against another one: small nets exported by torch.onnx at opsets 11 to 17 (see
 * torchNets.py), their gradients by RaVL in float32 beside those of torch.autograd in float64.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { differentiate, gradientName } from '../../src/engine/autodiff/differentiate';
import { trainableInputs } from '../../src/engine/autodiff/trainableInputs';
import { node, tensorProto, valueInfo } from '../../src/engine/onnx/build';
import { loadTensor } from '../../src/engine/onnx/externalData';
import { encodeModel } from '../../src/engine/onnx/model';
import { readModel } from '../../src/engine/onnx/readModel';
import type { ModelProto } from '../../src/engine/onnx/schema';
import type { DenseTensor } from '../../src/engine/onnx/tensor';
import { openSession, Tensor } from '../../src/engine/runtime/session';
import { staticGraph } from '../../src/engine/runtime/staticGraph';
import { temporaryFolder } from './ravl';

const python = '/usr/bin/python3';
const folder = temporaryFolder();
const cases = exported();

describe.skipIf(cases.length === 0)('gradients agree with torch.autograd', () => {
  it.each(cases)('$case', async (each) => {
    const { embedding, gradients, dx } = await ours(each);
    const bytes = readFileSync(join(folder, `${each.case}.bin`));
    const expected = float64(bytes, each.gradients);
    expect(distance(embedding, float64(bytes, each.y), 1)).toBeLessThan(1e-5);
    if (each.dx) expect(distance(dx!, float64(bytes, each.dx), 0)).toBeLessThan(1e-4);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let from = 0;
    for (const { name, size } of each.weights) {
      const part = (all: Float64Array) => all.subarray(from, from + size);
      // A gradient that is zero in exact arithmetic (the bias of attention's keys) is rounding in ours.
      expect(distance(part(gradients), part(expected), 1e-2 * largest), name).toBeLessThan(1e-4);
      from += size;
    }
  });
});

interface Place {
  readonly offset: number;
  readonly dims: readonly number[];
}

interface Exported {
  readonly case: string;
  readonly opset: number;
  /** The input is token ids. */
  readonly tokens: boolean;
  readonly x: Place;
  readonly cotangent: Place;
  readonly y: Place;
  readonly weights: readonly { readonly name: string; readonly size: number }[];
  /** Of all weights, one after the other. */
  readonly gradients: Place;
  readonly dx: Place | null;
  /** For each element of an initializer, which weight's element it is, or -1. */
  readonly initializers: readonly { readonly name: string; readonly places: Place }[];
}

function exported(): Exported[] {
  try {
    execFileSync(python, ['-c', 'import onnx, torch'], { stdio: 'ignore' });
  } catch {
    console.warn('Skipped: gradients are not compared with torch, which is not installed (Debian: apt-get install python3-torch python3-onnx).');
    return [];
  }
  const script = fileURLToPath(new URL('../fixtures/torchNets.py', import.meta.url));
  return JSON.parse(execFileSync(python, ['-B', script, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as Exported[];
}

/** The embedding, and the gradients of Σ embedding · cotangent, gathered by the weights they belong to. */
async function ours(each: Exported): Promise<{ embedding: Float64Array; gradients: Float64Array; dx: Float64Array | undefined }> {
  const bytes = readFileSync(join(folder, `${each.case}.bin`));
  // As a checkpoint is read: larger constants stay in the file.
  const { proto, folder: externalFolder } = await readModel(join(folder, `${each.case}.onnx`));
  const weights = new Map<string, DenseTensor>();
  for (const { name } of each.initializers) weights.set(name, await loadTensor({ folder: externalFolder }, proto.graph.initializer.find((tensor) => tensor.name === name)!));
  const names = [...weights.keys()];
  const x = each.tokens ? new Tensor('int64', new BigInt64Array(slice(bytes, each.x, 8)), each.x.dims) : new Tensor('float32', new Float32Array(slice(bytes, each.x, 4)), each.x.dims);
  const withOutput = withLoss(trainableInputs(proto, names), new Float32Array(slice(bytes, each.cotangent, 4)));
  const { proto: whole, shapes } = await staticGraph({ proto: withOutput, folder: externalFolder }, { x: each.x.dims });
  const wrt = [...names, ...(each.tokens ? [] : ['x'])];
  // What convolutions and pools become on WebGPU is sound ONNX too.
  const lowering = each.opset === 13 ? 'webgpu' : 'cpu';
  const session = await openSession(encodeModel(differentiate(whole, shapes, { loss: 'loss', wrt, also: ['y'], lowering })), { externalFolder });
  const results = await session.run({ x, ...Object.fromEntries([...weights].map(([name, { dims, data }]) => [name, new Tensor('float32', data as Float32Array, dims)])) });
  await session.release();

  const gradients = new Float64Array(count(each.gradients)).fill(NaN);
  for (const { name, places } of each.initializers) {
    const found = results[gradientName(name)]!.data as Float32Array;
    // An exporter may write a weight's elements twice; the gradients of the copies add up.
    new Int32Array(slice(bytes, places, 4)).forEach((place, at) => {
      if (place >= 0) gradients[place] = (gradients[place]! || 0) + found[at]!;
    });
  }
  return { embedding: Float64Array.from(results.y!.data as Float32Array), gradients, dx: each.tokens ? undefined : Float64Array.from(results[gradientName('x')]!.data as Float32Array) };
}

function withLoss(proto: ModelProto, cotangent: Float32Array): ModelProto {
  const { graph } = proto;
  const size = cotangent.length;
  return {
    ...proto,
    graph: {
      ...graph,
      node: [...graph.node, node('Reshape', ['y', 'loss_row'], ['loss_flat']), node('MatMul', ['loss_flat', 'loss_cotangent'], ['loss'])],
      initializer: [...graph.initializer, tensorProto('loss_row', [2], BigInt64Array.of(1n, BigInt(size))), tensorProto('loss_cotangent', [size, 1], cotangent)],
      output: [valueInfo('loss', 'float32', [1, 1]), ...graph.output],
    },
  };
}

const count = ({ dims }: Place) => dims.reduce((product, size) => product * size, 1);

function slice(bytes: Buffer, place: Place, width: number): ArrayBuffer {
  const from = bytes.byteOffset + place.offset;
  return bytes.buffer.slice(from, from + width * count(place)) as ArrayBuffer;
}

const float64 = (bytes: Buffer, place: Place) => new Float64Array(slice(bytes, place, 8));

/** The largest difference beside the largest value expected, or beside `floor` where that is larger. NaN where a value is missing. */
function distance(found: Float64Array, expected: Float64Array, floor: number): number {
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), floor);
  return expected.reduce((most, value, at) => Math.max(most, Math.abs(value - found[at]!) / scale), 0);
}
