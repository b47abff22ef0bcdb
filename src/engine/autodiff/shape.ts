/**
 * Operators that only move values: the gradient moves back the same way. All shapes are known, so reshapes, squeezes and
 * flattens are one rule, and shape inputs are never read.
 */
import type { Value } from './builder';
import { scatterAlong } from './indexing';
import { axis, type Rules, type Site } from './rule';
import { alongAxis } from './sampling';

export const shape: Rules = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose(site) {
    const { g, x, dy } = site;
    const perm = site.ints('perm') ?? [...x.dims.keys()].reverse();
    return [g.transpose(dy, [...perm.keys()].map((index) => perm.indexOf(index)))];
  },
  Expand: ({ g, x, dy }) => [g.unbroadcast(dy, x.dims)],
  Tile: tile,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Trilu(site) {
    const { g, dy, operands } = site;
    return [g.op('Trilu', [dy, ...operands.slice(1)], dy.dims, { upper: site.int('upper', 1) })];
  },
  CumSum(site) {
    const { g, dy, operands } = site;
    // Each value is in the sums after it, so its gradient is the sum of those: the other way round.
    const attributes = { exclusive: site.int('exclusive', 0), reverse: 1 - site.int('reverse', 0) };
    return [g.op('CumSum', [dy, operands[1]!], dy.dims, attributes)];
  },
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};

function reshape({ g, x, dy }: Site): readonly Value[] {
  return [g.reshape(dy, x.dims)];
}

function tile({ g, x, y, dy }: Site): readonly Value[] {
  const copies = g.reshape(dy, x.dims.flatMap((size, index) => [size === 0 ? 0 : y.dims[index]! / size, size]));
  return [g.reshape(g.reduceSum(copies, [...x.dims.keys()].map((index) => 2 * index)), x.dims)];
}

function concat(site: Site): readonly Value[] {
  const { g, operands, dy } = site;
  const along = axis(site.int('axis', 0), dy.dims.length);
  let start = 0;
  return operands.map(({ dims }) => {
    const end = start + dims[along]!;
    const part = g.slice(dy, along, start, end);
    start = end;
    return part;
  });
}

function split(site: Site): readonly Value[] {
  const { g, outputs, dys, x } = site;
  const along = axis(site.int('axis', 0), x.dims.length);
  return [g.concat(outputs.map((output, index) => dys[index] ?? g.filled(output!.dims, 0, x.dtype)), along)];
}

/** Starts, ends, axes and steps are inputs; negative ones count from the end, and ends beyond it are cut off. */
function slice(site: Site): readonly (Value | undefined)[] {
  const { g, x, dy } = site;
  const starts = site.constant(1)!;
  const axes = (site.constant(3) ?? [...starts.keys()]).map((index) => axis(index, x.dims.length));
  const steps = site.constant(4) ?? starts.map(() => 1);
  return [
    axes.reduce((gradient, along, index) => {
      const size = x.dims[along]!;
      const step = steps[index]!;
      const from = starts[index]! < 0 ? starts[index]! + size : starts[index]!;
      const start = step > 0 ? Math.max(0, Math.min(size, from)) : Math.max(-1, Math.min(size - 1, from));
      return scatterAlong(g, gradient, along, Array.from({ length: dy.dims[along]! }, (_, place) => start + place * step), size);
    }, dy),
  ];
}

/** A constant border (negative sizes crop), or one that repeats or mirrors the values inside. */
function pad(site: Site): readonly (Value | undefined)[] {
  const { g, x, dy, inputs } = site;
  const rank = x.dims.length;
  const sizes = site.constant(1)!;
  const axes = (site.constant(3) ?? [...x.dims.keys()]).map((index) => axis(index, rank));
  const begins = [...x.dims.keys()].map((index) => (axes.includes(index) ? sizes[axes.indexOf(index)]! : 0));
  const mode = site.text('mode', 'constant');
  const gradient = x.dims.reduce((value, size, along) => {
    const width = dy.dims[along]!;
    const begin = begins[along]!;
    if (size === width && begin === 0) return value;
    if (mode !== 'constant') {
      const matrix = new Float32Array(width * size);
      for (let place = 0; place < width; place++) matrix[place * size + bordered(place - begin, size, mode)] = 1;
      return alongAxis(g, value, along, matrix, size);
    }
    const [first, last] = [Math.max(0, begin), Math.min(width, begin + size)];
    const before = value.dims.map((_, index) => (index === along ? Math.max(0, -begin) : 0));
    const after = value.dims.map((_, index) => (index === along ? Math.max(0, begin + size - width) : 0));
    return g.pad(g.slice(value, along, first, last), before, after);
  }, dy);
  const fill = inputs[2];
  // What falls outside x was the fill value's.
  const all = (value: Value) => g.unbroadcast(value, []);
  return [gradient, undefined, fill && g.reshape(g.sub(all(dy), all(gradient)), fill.dims)];
}

/** Where the value at `place` of an axis with a border comes from. */
function bordered(place: number, size: number, mode: string): number {
  if (mode === 'edge') return Math.max(0, Math.min(size - 1, place));
  if (mode === 'wrap') return ((place % size) + size) % size;
  const period = Math.max(1, 2 * size - 2);
  const phase = ((place % period) + period) % period;
  return phase < size ? phase : period - phase;
}

/** Blocks of b × b pixels from channels: DCR takes [b, b, c] of the channel axis, CRD [c, b, b]. */
function depthToSpace(site: Site): readonly Value[] {
  const { g, x, dy } = site;
  const b = site.int('blocksize', 1);
  const [n, c, h, w] = dy.dims as [number, number, number, number];
  const blocks = g.reshape(dy, [n, c, h / b, b, w / b, b]);
  return [g.reshape(g.transpose(blocks, site.text('mode', 'DCR') === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]), x.dims)];
}

function spaceToDepth(site: Site): readonly Value[] {
  const { g, x, dy } = site;
  const b = site.int('blocksize', 1);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  return [g.reshape(g.transpose(g.reshape(dy, [n, b, b, c, h / b, w / b]), [0, 3, 4, 1, 5, 2]), x.dims)];
}
