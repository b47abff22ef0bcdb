import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import type { ModelProto, TensorProto } from '../../../src/engine/onnx/schema';

/** Seeded values, uniform in ±scale. */
export function values(count: number, seed: number, scale = 1): Float32Array {
  const rng = xoroshiro128plus(seed);
  return Float32Array.from({ length: count }, () => (2 * uniformFloat64(rng) - 1) * scale);
}

function weights(shapes: Record<string, number[]>): TensorProto[] {
  return Object.entries(shapes).map(([name, dims], i) => tensorProto(name, dims, values(dims.reduce((a, b) => a * b), i + 1, 0.3)));
}

/** A convolution net with a residual block and a pooled head: x [batch, 3, 16, 16] -> y [batch, 8]. */
export function convNet(): ModelProto {
  const conv = (input: string, weight: string, output: string, stride = 1) =>
    node('Conv', [input, weight], [output], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [stride, stride] });
  return model({
    nodes: [
      conv('x', 'stem', 'c1', 2),
      node('Relu', ['c1'], ['r1']),
      conv('r1', 'inner', 'c2'),
      node('Relu', ['c2'], ['r2']),
      conv('r2', 'outer', 'c3'),
      node('Add', ['r1', 'c3'], ['block']),
      node('GlobalAveragePool', ['block'], ['pooled']),
      node('Flatten', ['pooled'], ['flat']),
      node('Gemm', ['flat', 'head'], ['y'], { transB: 1 }),
    ],
    inputs: [valueInfo('x', 'float32', ['batch', 3, 16, 16])],
    outputs: [valueInfo('y', 'float32', ['batch', 8])],
    initializers: weights({ stem: [8, 3, 3, 3], inner: [8, 8, 3, 3], outer: [8, 8, 3, 3], head: [8, 8] }),
  });
}

/** One attention block with the Shape chains an exporter writes: x [batch, 6, 16] -> y [batch, 16]. */
export function transformer(): ModelProto {
  const ints = (name: string, ...list: number[]) => tensorProto(name, [list.length], BigInt64Array.from(list, BigInt));
  const project = (weight: string) => [node('MatMul', ['normed', weight], [`${weight}_out`]), node('Reshape', [`${weight}_out`, 'heads'], [`${weight}_heads`])];
  return model({
    nodes: [
      node('LayerNormalization', ['x', 'scale', 'bias'], ['normed'], { axis: -1, epsilon: 1e-5 }),
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'zero'], ['batch'], { axis: 0 }),
      node('Concat', ['batch', 'tokens', 'headCount', 'headSize'], ['heads'], { axis: 0 }),
      node('Concat', ['batch', 'tokens', 'minusOne'], ['joined'], { axis: 0 }),
      ...['q', 'k', 'v'].flatMap(project),
      node('Transpose', ['q_heads'], ['qt'], { perm: [0, 2, 1, 3] }),
      node('Transpose', ['k_heads'], ['kt'], { perm: [0, 2, 3, 1] }),
      node('Transpose', ['v_heads'], ['vt'], { perm: [0, 2, 1, 3] }),
      node('MatMul', ['qt', 'kt'], ['scores']),
      node('Softmax', ['scores'], ['attention'], { axis: -1 }),
      node('MatMul', ['attention', 'vt'], ['mixed']),
      node('Transpose', ['mixed'], ['mixedT'], { perm: [0, 2, 1, 3] }),
      node('Reshape', ['mixedT', 'joined'], ['merged']),
      node('Add', ['x', 'merged'], ['residual']),
      node('ReduceMean', ['residual'], ['y'], { axes: [1], keepdims: 0 }),
    ],
    inputs: [valueInfo('x', 'float32', ['batch', 6, 16])],
    outputs: [valueInfo('y', 'float32', ['batch', 16])],
    initializers: [
      ...weights({ q: [16, 16], k: [16, 16], v: [16, 16], scale: [16], bias: [16] }),
      ints('zero', 0),
      ints('tokens', 6),
      ints('headCount', 4),
      ints('headSize', 4),
      ints('minusOne', -1),
    ],
  });
}

/** A grouped convolution with 9 outputs a group: onnxruntime 1.30 computes it wrongly on WebGPU. x [1, 4, 8, 8] -> y [1, 36, 8, 8]. */
export function groupedConv(): ModelProto {
  return model({
    nodes: [node('Conv', ['x', 'w'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 4 })],
    inputs: [valueInfo('x', 'float32', [1, 4, 8, 8])],
    outputs: [valueInfo('y', 'float32', [1, 36, 8, 8])],
    initializers: weights({ w: [36, 1, 3, 3] }),
  });
}
