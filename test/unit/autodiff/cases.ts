import fc from 'fast-check';
import type { Operand, OperatorCase } from './gradientCheck';

type Draft = Omit<OperatorCase, 'op'>;
type Attributes = NonNullable<Draft['attributes']>;
type Draw = fc.Arbitrary<Draft>;

/** How an operator may be written: shapes, attributes and opsets drawn at random, and forms that chance would miss. */
export interface Ways {
  readonly random?: Draw;
  readonly fixed?: readonly Draft[];
}

const size = fc.integer({ min: 1, max: 3 });
const dims = (min = 0, max = 4) => fc.array(size, { minLength: min, maxLength: max });
const old = fc.constantFrom(12, 13, 17, 18, 21);

/** n operands that broadcast to one shape: axes of size 1, or left out in front. */
const broadcast = (count: number) =>
  dims().chain((full) =>
    fc.tuple(
      ...Array.from({ length: count }, () =>
        fc.tuple(fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }), fc.nat({ max: full.length })).map(([ones, lead]) => full.map((each, axis) => (ones[axis] ? 1 : each)).slice(lead)),
      ),
    ),
  );

const one = (more: Partial<Operand> = {}, rest: Partial<Draft> = {}): Draw => dims().map((shape) => ({ inputs: [{ dims: shape, ...more }], ...rest }));
const two = (a: Partial<Operand> = {}, b: Partial<Operand> = {}, rest: Partial<Draft> = {}): Draw =>
  broadcast(2).map(([x, y]) => ({ inputs: [{ dims: x!, ...a }, { dims: y!, ...b }], ...rest }));
const many: Draw = broadcast(3).map((shapes) => ({ inputs: shapes.map((shape) => ({ dims: shape })) }));
const positive = { range: [0.3, 2] } as const;
const smooth = { float32: 'smooth' } as const;
const linear = { float32: 'linear' } as const;
const ints = (values: readonly number[], shape: readonly number[] = [values.length]): Operand => ({ dims: shape, ints: values });
const given = (...fixed: Draft[]): Ways => ({ fixed });
const shaped = (...shape: number[]): Operand => ({ dims: shape });

/** Reductions over a random choice of axes, in the attribute's or the input's form. */
const reduction = (inputSince: number, more: Partial<Operand> = {}): Draw =>
  fc.tuple(dims(1), fc.integer(), fc.boolean(), old).map(([shape, pick, keep, opset]) => {
    const axes = [...shape.keys()].filter((axis) => (pick >> axis) & 1).map((axis) => (axis % 2 ? axis - shape.length : axis));
    const asInput = opset >= inputSince;
    const attributes = { keepdims: Number(keep), ...(asInput || axes.length === 0 ? {} : { axes }) };
    return { inputs: [{ dims: shape, ...more }, ...(asInput && axes.length > 0 ? [ints(axes)] : [])], attributes, opset };
  });

/** A window over 1 to 3 spatial axes that fits its input. */
const windows = fc.integer({ min: 1, max: 3 }).chain((rank) =>
  fc
    .record({
      kernel: fc.array(size, { minLength: rank, maxLength: rank }),
      strides: fc.array(size, { minLength: rank, maxLength: rank }),
      dilations: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
      pads: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 2 * rank, maxLength: 2 * rank }),
      extra: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: rank, maxLength: rank }),
      auto: fc.constantFrom('NOTSET', 'NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
    })
    .map(({ kernel, strides, dilations, pads, extra, auto }) => {
      // onnxruntime pads with dilation only as told.
      const even = auto.startsWith('SAME') ? kernel.map(() => 1) : dilations;
      // No border as wide as the kernel: such a window would see nothing.
      const border = pads.map((pad, index) => Math.min(pad, (kernel[index % rank]! - 1) * even[index % rank]!));
      const input = kernel.map((each, axis) => (each - 1) * even[axis]! + 1 + extra[axis]!);
      const padding: Attributes = auto === 'NOTSET' ? { pads: border } : { auto_pad: auto };
      // onnxruntime refuses SAME where a stride leaps over values.
      const steps = auto.startsWith('SAME') ? strides.map((stride, axis) => Math.min(stride, kernel[axis]!)) : strides;
      return { input, kernel, strides: steps, dilations: even, padding };
    }),
);

const convolutions: Draw = fc.tuple(windows, fc.integer({ min: 1, max: 2 }), size, size, size, fc.boolean(), fc.constantFrom('cpu' as const, 'webgpu' as const)).map(
  ([{ input, kernel, strides, dilations, padding }, group, batch, from, to, bias, lowering]) => ({
    inputs: [shaped(batch, group * from, ...input), shaped(group * to, from, ...kernel), ...(bias ? [shaped(group * to)] : [])],
    attributes: { kernel_shape: kernel, strides, dilations, ...padding, group },
    lowering,
    ...linear,
  }),
);

const transposes: Draw = fc.tuple(windows, fc.integer({ min: 1, max: 2 }), size, size, size, fc.boolean()).map(([{ kernel, strides, dilations, padding }, group, batch, from, to, bias]) => ({
  inputs: [shaped(batch, group * from, ...kernel.map(() => 3)), shaped(group * from, to, ...kernel), ...(bias ? [shaped(group * to)] : [])],
  attributes: {
    group,
    kernel_shape: kernel,
    strides,
    dilations,
    output_padding: strides.map((stride) => stride - 1),
    ...('pads' in padding ? padding : {}),
  },
  ...linear,
}));

const maxPools: Draw = fc.tuple(windows, size, size, fc.boolean(), fc.constantFrom(12, 17), fc.constantFrom('cpu' as const, 'webgpu' as const)).map(
  ([{ input, kernel, strides, dilations, padding }, batch, channels, ceil, opset, lowering]) => ({
    inputs: [{ dims: [batch, channels, ...input], spread: true }],
    attributes: { kernel_shape: kernel, strides, dilations, ...('pads' in padding ? { pads: ceilable(padding.pads as number[], ceil), ceil_mode: Number(ceil) } : padding) },
    opset,
    lowering,
    ...smooth,
  }),
);

/** A last window that would start in the border is in the shape that onnxruntime infers, but not in what it computes. */
const ceilable = (pads: readonly number[], ceil: boolean) => pads.map((pad, index) => (ceil && index >= pads.length / 2 ? 0 : pad));

const averagePools: Draw = fc.tuple(windows, size, size, fc.constantFrom('ceil', 'border', 'plain')).map(([{ input, kernel, strides, padding }, batch, channels, kind]) => {
  const limit = (pad: number, index: number) => Math.min(pad, kernel[index % kernel.length]! - 1);
  const border = Array.isArray(padding.pads) ? { pads: ceilable((padding.pads as number[]).map(limit), kind === 'ceil') } : padding;
  const more: Attributes = 'pads' in border ? { ceil_mode: Number(kind === 'ceil'), count_include_pad: Number(kind === 'border') } : {};
  return { inputs: [shaped(batch, channels, ...input)], attributes: { kernel_shape: kernel, strides, ...border, ...more }, ...linear };
});

const resizes: Draw = fc
  .tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 2, max: 4 }),
    fc.constantFrom('half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'),
    fc.constantFrom('linear', 'nearest', 'cubic'),
    fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
    fc.constantFrom([2, 2], [1, 3], [0.5, 0.5], [1.5, 2.5]),
    fc.boolean(),
  )
  .map(([height, width, coordinates, mode, nearest, scales, bySize]) => {
    const out = [Math.max(1, Math.floor(height * scales[0]!)), Math.max(1, Math.floor(width * scales[1]!))];
    const fits = height * scales[0]! >= 1 && width * scales[1]! >= 1;
    return {
      inputs: [shaped(1, 2, height, width), undefined, ...(bySize || !fits ? [undefined, ints([1, 2, ...out])] : [{ dims: [4], floats: [1, 1, ...scales] }])],
      attributes: { mode, coordinate_transformation_mode: coordinates, nearest_mode: nearest },
      ...linear,
    };
  });

export const cases: Readonly<Record<string, Draw | Ways>> = {
  Add: two(),
  Sum: many,
  Sub: two(),
  Mul: two(),
  Div: two({}, positive),
  Pow: {
    random: two(positive, {}),
    ...given(
      ...[0, 0.5, 1, 2, 3, -1].map((e) => ({ inputs: [{ dims: [2, 3], ...positive }, { dims: [], floats: [e] }] })),
      { inputs: [shaped(2, 3), { dims: [], floats: [2] }] },
      { inputs: [shaped(2, 3), ints([3], [])] },
      { inputs: [shaped(2, 3), { ...ints([3, 1, 2]), fed: true }] },
    ),
  },
  Neg: one(),
  Abs: one(),
  Reciprocal: one(positive),
  Sqrt: one(positive),
  Exp: one(),
  Log: one(positive),
  Sin: one(),
  Cos: one(),
  Tan: one({ range: [-1, 1] }, smooth),
  Atan: one({}, smooth),
  Erf: one({}, smooth),
  Min: fc.oneof(many, one()),
  Max: fc.oneof(many, one()),
  Clip: fc.tuple(dims(), fc.boolean(), fc.boolean(), fc.constantFrom(12, 17)).map(([shape, low, high, opset]) => ({
    inputs: [{ dims: shape }, low ? { dims: [], range: [-1, -0.5] } : undefined, high ? { dims: [], range: [0.5, 1] } : undefined],
    opset,
  })),
  Where: broadcast(2).map(([x, y]) => ({ inputs: [{ dims: [1, 1], bools: [x!.length % 2 === 0] }, { dims: x! }, { dims: y! }] })),
  Identity: one(),
  Cast: dims().map((shape) => ({ inputs: [{ dims: shape }], attributes: { to: 11 } })),
  CastLike: dims().map((shape) => ({ inputs: [{ dims: shape }, { dims: [1], floats: [0] }] })),
  Dropout: fc.oneof(one(), dims().map((shape) => ({ inputs: [{ dims: shape }, undefined, { dims: [], bools: [false] }] }))),
  Relu: one(),
  LeakyRelu: one({}, { attributes: { alpha: 0.3 }, opset: 16, float32: 'smooth' }).map((each) => ({ ...each, inputs: each.inputs.map((x) => ({ ...x!, spread: true })) })),
  PRelu: fc.tuple(dims(2, 4), fc.boolean()).map(([shape, shared]) => ({ inputs: [{ dims: shape }, { dims: shared ? [] : shape.slice(1).map((each, axis) => (axis === 0 ? each : 1)) }] })),
  Elu: one({ spread: true }, { ...smooth, attributes: { alpha: 0.7 } }),
  Selu: one({ spread: true }, { ...smooth, attributes: { alpha: 1.2, gamma: 0.8 } }),
  Celu: one({ spread: true }, { ...smooth, attributes: { alpha: 0.7 } }),
  HardSigmoid: dims().map((shape) => ({ inputs: [{ dims: shape, spread: true }], attributes: { alpha: 0.25, beta: 0.49 }, ...smooth })),
  HardSwish: fc.oneof(one({ range: [-2.9, 2.9] }, smooth), one({ range: [3.1, 5] }, smooth), one({ range: [-5, -3.1] }, smooth)),
  Sigmoid: one(),
  Tanh: one(),
  Softplus: one({}, smooth),
  Softsign: one({ spread: true }, smooth),
  Swish: one({}, { ...smooth, attributes: { alpha: 1.3 }, opset: 24 }),
  Mish: one({}, { ...smooth, opset: 18 }),
  Gelu: fc.tuple(dims(), fc.constantFrom('none', 'tanh')).map(([shape, approximate]) => ({ inputs: [{ dims: shape }], attributes: { approximate }, opset: 20, ...smooth })),
  Softmax: softmaxes(),
  LogSoftmax: softmaxes(),
  ReduceSum: reduction(13),
  ReduceMean: reduction(18),
  ReduceMax: reduction(18),
  ReduceMin: reduction(18),
  ReduceL1: reduction(18, { spread: true }).map((each) => ({ ...each, ...smooth })),
  ReduceL2: reduction(18, positive).map((each) => ({ ...each, ...smooth })),
  ReduceSumSquare: reduction(18),
  ReduceProd: {
    random: reduction(18).map((each) => ({ ...each, ...smooth })),
    ...given(
      // One zero, two zeros, none: in each row.
      { inputs: [{ dims: [3, 3], fixed: [2, 0, -3, 0, 0, 4, 1, 2, 3] }], attributes: { axes: [1], keepdims: 0 }, ...smooth },
    ),
  },
  ReduceLogSum: reduction(18, positive).map((each) => ({ ...each, ...smooth })),
  ReduceLogSumExp: reduction(18),
  MatMul: fc.tuple(broadcast(2), size, size, size, fc.constantFrom('matrices', 'row', 'column', 'vectors')).map(([[a, b], m, k, n, kind]) => ({
    inputs: [shaped(...(kind === 'row' || kind === 'vectors' ? [k] : [...a!, m, k])), shaped(...(kind === 'column' || kind === 'vectors' ? [k] : [...b!, k, n]))],
  })),
  Gemm: fc.tuple(size, size, size, fc.boolean(), fc.boolean(), fc.constantFrom('none', 'full', 'row', 'column', 'scalar')).map(([m, k, n, transA, transB, c]) => {
    const bias = { none: [], full: [shaped(m, n)], row: [shaped(n)], column: [shaped(m, 1)], scalar: [shaped()] }[c];
    return {
      inputs: [shaped(...(transA ? [k, m] : [m, k])), shaped(...(transB ? [n, k] : [k, n])), ...bias],
      attributes: { transA: Number(transA), transB: Number(transB), alpha: { float: 0.7 }, beta: { float: 1.3 } },
    };
  }),
  Attention: given(
    ...([
      { inputs: [shaped(2, 2, 3, 2), shaped(2, 2, 4, 2), shaped(2, 2, 4, 3)] },
      { inputs: [shaped(2, 2, 3, 2), shaped(2, 2, 4, 2), shaped(2, 2, 4, 3), shaped(3, 4)], attributes: { scale: { float: 0.3 } } },
      { inputs: [shaped(1, 2, 3, 2), shaped(1, 2, 3, 2), shaped(1, 2, 3, 2), shaped(1, 2, 3, 3)], attributes: { is_causal: 1 } },
      { inputs: [shaped(1, 1, 2, 2), shaped(1, 1, 3, 2), shaped(1, 1, 3, 2), { dims: [2, 3], bools: [true, false, true, true, true, false] }] },
      // Four heads of queries share two of keys and values.
      { inputs: [shaped(2, 4, 2, 2), shaped(2, 2, 3, 2), shaped(2, 2, 3, 2)] },
      { inputs: [shaped(2, 2, 8), shaped(2, 3, 4), shaped(2, 3, 4), shaped(2, 4, 2, 3)], attributes: { q_num_heads: 4, kv_num_heads: 2 } },
    ] as Draft[]).map((each) => ({ ...each, opset: 23, ...smooth })),
  ),
  Einsum: given(
    { inputs: [shaped(2, 3), shaped(3, 2)], attributes: { equation: 'ij,jk->ik' } },
    { inputs: [shaped(2, 2, 3, 2), shaped(2, 2, 1, 2)], attributes: { equation: 'bhid, bhjd -> bhij' } },
    { inputs: [shaped(2, 2, 3, 2), shaped(2, 2, 2, 3)], attributes: { equation: 'bhij,bhjd->bhid' } },
    { inputs: [shaped(2, 3, 2), shaped(2, 3, 2, 2)], attributes: { equation: 'bhd,bhde->bhe' } },
    { inputs: [shaped(2, 3), shaped(3)], attributes: { equation: 'ij,j' } },
    { inputs: [shaped(2, 3)], attributes: { equation: 'ij->j' } },
    { inputs: [shaped(2, 3)], attributes: { equation: 'ij->ji' } },
    { inputs: [shaped(2), shaped(3)], attributes: { equation: 'i,j->ij' } },
    { inputs: [shaped(2, 3, 4), shaped(4, 2)], attributes: { equation: '...i,ij->...j' } },
    { inputs: [shaped(2, 2, 3, 2), shaped(2, 2, 3, 2)], attributes: { equation: '...id, ...jd -> ...ij' } },
    { inputs: [shaped(2, 3, 2), shaped(2, 2)], attributes: { equation: 'b...A,bA' } },
  ),
  Conv: {
    random: convolutions,
    ...given(
      // Few windows, many channels: one product for the whole batch.
      { inputs: [shaped(2, 4, 3, 3), shaped(4, 4, 3, 3)], attributes: { kernel_shape: [3, 3] }, ...linear },
      { inputs: [shaped(3, 8, 2, 2), shaped(8, 8, 1, 1)], ...linear },
      { inputs: [shaped(2, 3, 5, 4), shaped(4, 3, 1, 1)], attributes: { strides: [2, 2] }, ...linear },
      // A patch embedding whose last row and column fit no patch.
      { inputs: [shaped(2, 3, 5, 5), shaped(4, 3, 2, 2), shaped(4)], attributes: { strides: [2, 2] }, ...linear },
      { inputs: [shaped(1, 3, 6, 6), shaped(3, 1, 5, 5)], attributes: { group: 3, pads: [2, 2, 2, 2], strides: [2, 2] }, ...linear },
    ),
  },
  ConvTranspose: transposes,
  BatchNormalization: {
    random: fc.tuple(dims(2, 4), fc.constantFrom(12, 14, 17)).map(([[n, c, ...rest], opset]) => ({
      inputs: [shaped(n!, c!, ...rest), shaped(c!), shaped(c!), shaped(c!), { dims: [c!], range: [0.4, 1.5] }],
      attributes: { epsilon: 0.01 },
      opset,
    })),
    // Weights standardised, as torch writes F.batch_norm(w, training=True).
    ...given({ inputs: [shaped(2, 3, 4), shaped(3), shaped(3), { dims: [3], floats: [0, 0, 0] }, { dims: [3], floats: [1, 1, 1] }], attributes: { training_mode: 1, epsilon: 0.1 }, opset: 15, unseen: 2, ...smooth }),
  },
  LayerNormalization: dims(1).chain((shape) =>
    fc.tuple(fc.nat({ max: shape.length - 1 }), fc.boolean()).map(([from, bias]) => ({
      inputs: [{ dims: shape }, shaped(...shape.slice(from)), ...(bias ? [shaped(...shape.slice(from))] : [])],
      attributes: { axis: from - shape.length, epsilon: 0.1 },
    })),
  ),
  GroupNormalization: fc.tuple(size, size, size, size, fc.constantFrom(18, 21)).map(([n, groups, each, side, opset]) => ({
    inputs: [shaped(n, groups * each, side, 2), shaped(opset < 21 ? groups : groups * each), shaped(opset < 21 ? groups : groups * each)],
    attributes: { num_groups: groups, epsilon: 0.1 },
    opset,
    ...smooth,
  })),
  InstanceNormalization: fc.tuple(size, size, size).map(([n, c, side]) => ({ inputs: [shaped(n, c, side, 2), shaped(c), shaped(c)], attributes: { epsilon: 0.1 }, ...smooth })),
  RMSNormalization: dims(1).chain((shape) =>
    fc.nat({ max: shape.length - 1 }).map((from) => ({ inputs: [{ dims: shape }, shaped(...shape.slice(from))], attributes: { axis: from - shape.length, epsilon: 0.1 }, opset: 23, ...smooth })),
  ),
  LpNormalization: dims(1).map((shape) => ({ inputs: [{ dims: shape, range: [0.5, 2] as const }], attributes: { axis: 0, p: 2 } })),
  MaxPool: maxPools,
  AveragePool: averagePools,
  GlobalAveragePool: dims(3, 4).map((shape) => ({ inputs: [{ dims: shape }], ...linear })),
  GlobalMaxPool: dims(3, 4).map((shape) => ({ inputs: [{ dims: shape, spread: true }], ...smooth })),
  Resize: {
    random: resizes,
    ...given(
      // A scale moves the samples even where an axis keeps its size, unless all do.
      ...[1, 1.2].map((scale) => ({ inputs: [shaped(1, 1, 4, 4), undefined, { dims: [4], floats: [1, 1, 1.25 * scale, 1.2] }], attributes: { mode: 'linear' }, ...linear })),
      { inputs: [shaped(1, 1, 4, 4), undefined, { dims: [4], floats: [1, 1, 1.1, 1.2] }], attributes: { mode: 'linear' }, ...linear },
      { inputs: [shaped(1, 2, 3, 3), undefined, undefined, ints([5, 6])], attributes: { mode: 'cubic', axes: [2, 3], exclude_outside: 1, cubic_coeff_a: -0.5 }, opset: 18, ...linear },
    ),
  },
  Reshape: dims(1).map((shape) => ({ inputs: [{ dims: shape }, ints([1, -1])] })),
  Flatten: dims(1).chain((shape) => fc.nat({ max: shape.length }).map((axis) => ({ inputs: [{ dims: shape }], attributes: { axis } }))),
  Squeeze: fc.constantFrom(11, 13).map((opset) => ({ inputs: [shaped(1, 2, 1, 3), ...(opset < 13 ? [] : [ints([0, -2])])], attributes: (opset < 13 ? { axes: [0, 2] } : {}) as Attributes, opset })),
  Unsqueeze: fc.constantFrom(11, 13).map((opset) => ({ inputs: [shaped(2, 3), ...(opset < 13 ? [] : [ints([0, -1])])], attributes: (opset < 13 ? { axes: [0, 3] } : {}) as Attributes, opset })),
  Transpose: dims().chain((shape) => fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }).map((perm) => ({ inputs: [{ dims: shape }], attributes: (perm.length > 1 ? { perm } : {}) as Attributes }))),
  Expand: broadcast(2).map(([a, b]) => ({ inputs: [{ dims: a! }, ints(b!)] })),
  Tile: dims(1, 3).chain((shape) => fc.array(size, { minLength: shape.length, maxLength: shape.length }).map((repeats) => ({ inputs: [{ dims: shape }, ints(repeats)] }))),
  Concat: dims(1, 3).chain((shape) => fc.tuple(fc.nat({ max: shape.length - 1 }), size).map(([axis, other]) => ({ inputs: [{ dims: shape }, { dims: shape.with(axis, other) }, { dims: shape }], attributes: { axis: axis - shape.length } }))),
  Split: given(
    { inputs: [shaped(2, 6)], attributes: { axis: 1, split: [1, 2, 3] }, opset: 12, outputs: 3 },
    { inputs: [shaped(2, 6), ints([1, 2, 3])], attributes: { axis: -1 }, opset: 13, outputs: 3 },
    { inputs: [shaped(4, 2)], attributes: {}, opset: 13, outputs: 2 },
    { inputs: [shaped(5, 2)], attributes: { num_outputs: 2 }, opset: 18, outputs: 2 },
  ),
  Slice: {
    random: fc
        .tuple(fc.integer({ min: -7, max: 7 }), fc.integer({ min: -7, max: 7 }), fc.constantFrom(-3, -2, -1, 1, 2, 3), fc.boolean())
        .map(([start, end, step, both]) => ({ inputs: [shaped(6, 4), ints(both ? [start, 1] : [start]), ints(both ? [end, 9e15] : [end]), ints(both ? [0, -1] : [0]), ints(both ? [step, 2] : [step])] }))
        // onnxruntime's graph folding refuses values without elements.
        .filter(({ inputs: [, starts, ends, , steps] }) => sliced(6, starts!.ints![0]!, ends!.ints![0]!, steps!.ints![0]!) > 0),
    ...given(
      { inputs: [shaped(5, 2), ints([9e15]), ints([-9e15]), ints([0]), ints([-1])] },
      { inputs: [shaped(5, 2), ints([7, -1]), ints([0, -4]), ints([0, 1]), ints([-2, -1])] },
      { inputs: [shaped(3, 4), ints([0, 1]), ints([1, 3])] },
    ),
  },
  Pad: fc.tuple(fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 4, maxLength: 4 }), fc.constantFrom('constant', 'reflect', 'edge', 'constant'), fc.boolean(), fc.constantFrom(11, 13, 18)).map(([pads, mode, fill, opset]) => ({
    inputs: [shaped(3, 4), ints(mode === 'constant' ? pads : pads.map(Math.abs)), ...(mode === 'constant' && fill ? [shaped()] : [])],
    attributes: { mode },
    opset,
  })),
  Trilu: fc.tuple(fc.boolean(), fc.integer({ min: -2, max: 3 }), fc.boolean()).map(([upper, k, given]) => ({
    inputs: [shaped(2, 3, 4), ...(given ? [ints([k], [])] : [])],
    attributes: { upper: Number(upper) },
  })),
  CumSum: fc.tuple(fc.integer({ min: -3, max: 2 }), fc.boolean(), fc.boolean(), fc.constantFrom(11, 17)).map(([along, exclusive, reverse, opset]) => ({
    inputs: [shaped(2, 3, 2), ints([along], [])],
    attributes: { exclusive: Number(exclusive), reverse: Number(reverse) },
    opset,
  })),
  TopK: fc.tuple(fc.integer({ min: -2, max: 1 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.constantFrom(11, 17)).map(([along, k, largest, opset]) => ({
    inputs: [{ dims: [3, 4], spread: true }, ints([k])],
    attributes: { axis: along, largest: Number(largest) },
    opset,
    unseen: 1,
  })),
  DepthToSpace: fc.constantFrom('DCR', 'CRD').map((mode) => ({ inputs: [shaped(2, 8, 2, 3)], attributes: { blocksize: 2, mode } })),
  SpaceToDepth: given({ inputs: [shaped(2, 3, 4, 2)], attributes: { blocksize: 2 } }),
  Gather: fc.tuple(fc.nat({ max: 2 }), fc.constantFrom([0], [2, 0, -2], [1, 1, -1, 1], [1, 2]), fc.boolean(), fc.constantFrom(13, 17)).map(([axis, indices, fed, opset]) => ({
    inputs: [shaped(3, 3, 3), { ...ints(indices, indices.length === 1 ? [] : indices.length === 4 ? [2, 2] : [indices.length]), fed }],
    attributes: { axis: axis - 3 },
    opset,
  })),
  GatherElements: fc.tuple(fc.constantFrom(13, 17), fc.boolean()).map(([opset, fed]) => ({ inputs: [shaped(3, 3), { ...ints([0, -1, 2, 2], [2, 2]), fed }], attributes: { axis: 1 }, opset })),
  GatherND: fc.tuple(
    fc.constantFrom({ indices: [0, 1, -1, 0, 0, 1], shape: [3, 2], batch: 0 }, { indices: [1, 1, 0], shape: [3, 1], batch: 0 }, { indices: [1, -1, 0], shape: [3, 1], batch: 1 }),
    fc.constantFrom(13, 17),
    fc.boolean(),
  ).map(([{ indices, shape, batch }, opset, fed]) => ({ inputs: [shaped(3, 2, 2), { ...ints(indices, shape), fed }], attributes: { batch_dims: batch }, opset })),
  ScatterElements: fc.constantFrom('none', 'add').map((reduction) => ({ inputs: [shaped(3, 3), ints([0, 2, 1, 0], [2, 2]), shaped(2, 2)], attributes: { axis: 1, reduction }, opset: 16 })),
  ScatterND: fc.constantFrom('none', 'add').map((reduction) => ({ inputs: [shaped(3, 2), ints(reduction === 'add' ? [2, 2] : [2, 0], [2, 1]), shaped(2, 2)], attributes: { reduction }, opset: 16 })),
};

function softmaxes(): Draw {
  return dims(1).chain((shape) =>
    fc.tuple(fc.nat({ max: shape.length - 1 }), fc.constantFrom(11, 13, 17)).map(([axis, opset]) => ({ inputs: [{ dims: shape }], attributes: { axis: axis - shape.length }, opset })),
  );
}

/** How many values numpy's x[start:end:step] has, for x of `count` values. */
function sliced(count: number, start: number, end: number, step: number): number {
  const [low, high] = step > 0 ? [0, count] : [-1, count - 1];
  const at = (place: number) => Math.max(low, Math.min(high, place < 0 ? place + count : place));
  return Math.max(0, Math.ceil((at(end) - at(start)) / step));
}
