/**
 * Operators that pick or place values by index. The gradient of picking is adding up at the index. Where the indices are
 * constants and none occurs twice, as for a class token or a permutation, that is a Pad or a Gather. Else ScatterElements adds (from opset 16 on; one
 * thread, so always in the same order), and before that a product with a one-hot matrix.
 */
import { product, type Builder, type Value } from './builder';
import { axis, type Rules, type Site } from './rule';

export const indexing: Rules = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  TopK: topK,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
};

/** Places slices of `x` at `places` along an axis of length `size` that is zero elsewhere; no place twice. */
export function scatterAlong(g: Builder, x: Value, along: number, places: readonly number[], size: number): Value {
  const contiguous = places.every((place, index) => place === (places[0] ?? 0) + index);
  if (contiguous) {
    const first = places[0] ?? 0;
    const only = (count: number) => x.dims.map((_, index) => (index === along ? count : 0));
    return g.pad(x, only(first), only(size - first - places.length));
  }
  // One slice of zeros at the end, for all that nothing is placed at.
  const padded = g.pad(x, x.dims.map(() => 0), x.dims.map((_, index) => (index === along ? 1 : 0)));
  const source = new Array<number>(size).fill(places.length);
  places.forEach((place, index) => (source[place] = index));
  return g.op('Gather', [padded, g.ints(source)], x.dims.with(along, size), { axis: along });
}

/** y = x with `indices` (any shape) in place of one axis. */
function gather(site: Site): readonly Value[] {
  const { g, x, dy, operands } = site;
  const along = axis(site.int('axis', 0), x.dims.length);
  const size = x.dims[along]!;
  const indices = operands[1]!;
  const count = product(indices.dims);
  const before = product(x.dims.slice(0, along));
  const after = product(x.dims.slice(along + 1));
  const places = site.maybeConstant(1)?.map((place) => axis(place, size));
  if (places && new Set(places).size === places.length) {
    return [g.reshape(scatterAlong(g, g.reshape(dy, [before, count, after]), 1, places, size), x.dims)];
  }
  const rows = g.reshape(g.transpose(g.reshape(dy, [before, count, after]), [1, 0, 2]), [count, before * after]);
  const sums = addRows(g, rows, wrapped(g, g.reshape(indices, [count]), size), size);
  return [g.reshape(g.transpose(g.reshape(sums, [size, before, after]), [1, 0, 2]), x.dims)];
}

function gatherElements(site: Site): readonly Value[] {
  const { g, x, dy, operands } = site;
  const along = axis(site.int('axis', 0), x.dims.length);
  return [addElements(g, dy, wrapped(g, operands[1]!, x.dims[along]!), along, x.dims)];
}

/** Which values are picked is constant between ties. */
function topK(site: Site): readonly Value[] {
  const { g, x, dy, outputs, y } = site;
  if (!outputs[1]) throw site.unsupported('no output of its indices');
  return [addElements(g, g.reshape(dy, y.dims), outputs[1], axis(site.int('axis', -1), x.dims.length), x.dims)];
}

/** Adds each element of `values` up at its index (of the same shape, none negative) along one axis of a value of shape `dims`. */
function addElements(g: Builder, values: Value, indices: Value, along: number, dims: readonly number[]): Value {
  if (g.opset >= 16) {
    return g.op('ScatterElements', [g.filled(dims, 0, values.dtype), indices, values], dims, { axis: along, reduction: 'add' });
  }
  const strides = rowMajorStrides(dims);
  const others = eachIndex(indices.dims, (place) => place.reduce((sum, at, index) => sum + (index === along ? 0 : at * strides[index]!), 0));
  const linear = g.add(g.mul(indices, strides[along]!), g.tensor(indices.dims, others, 'int64'));
  const count = product(values.dims);
  return g.reshape(addRows(g, g.reshape(values, [count, 1]), g.reshape(linear, [count]), product(dims)), dims);
}

/** Indices [batch…, …, k] each name a slice of x [batch…, d₁ … dₖ, …]. */
function gatherND(site: Site): readonly Value[] {
  const { g, x, dy, operands } = site;
  const batch = site.int('batch_dims', 0);
  const indices = g.cast(operands[1]!, 'int64');
  const depth = indices.dims.at(-1)!;
  const count = product(indices.dims.slice(0, -1));
  const batches = product(x.dims.slice(0, batch));
  const sizes = x.dims.slice(batch, batch + depth);
  const slices = product(sizes);
  const bounds = g.ints(sizes);
  const positive = g.where(g.less(indices, 0), g.add(indices, bounds), indices);
  const within = g.reduceSum(g.mul(positive, g.ints(rowMajorStrides(sizes))), [indices.dims.length - 1]);
  const offsets = Array.from({ length: batches }, (_, index) => index * slices);
  const linear = g.add(g.reshape(within, [batches, count / batches]), g.tensor([batches, 1], offsets, 'int64'));
  const rest = product(x.dims.slice(batch + depth));
  return [g.reshape(addRows(g, g.reshape(dy, [count, rest]), g.reshape(linear, [count]), batches * slices), x.dims)];
}

/** Replaced values have no gradient, added ones share it. */
function scatterElements(site: Site): readonly (Value | undefined)[] {
  const { g, dy, operands } = site;
  const [, indices, updates] = operands as [Value, Value, Value];
  const attributes = { axis: site.int('axis', 0) };
  const picked = g.op('GatherElements', [dy, indices], updates.dims, attributes);
  if (adds(site)) return [dy, undefined, picked];
  return [g.op('ScatterElements', [dy, indices, g.filled(updates.dims, 0, dy.dtype)], dy.dims, attributes), undefined, picked];
}

function scatterND(site: Site): readonly (Value | undefined)[] {
  const { g, dy, operands } = site;
  const [, indices, updates] = operands as [Value, Value, Value];
  const picked = g.op('GatherND', [dy, indices], updates.dims);
  if (adds(site)) return [dy, undefined, picked];
  return [g.op('ScatterND', [dy, indices, g.filled(updates.dims, 0, dy.dtype)], dy.dims), undefined, picked];
}

function adds(site: Site): boolean {
  const reduction = site.text('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') throw site.unsupported(`reduction = ${reduction}`);
  return reduction === 'add';
}

/** Adds rows [count, width] up at the `places` [count] of a matrix [size, width]. */
function addRows(g: Builder, rows: Value, places: Value, size: number): Value {
  const [count, width] = rows.dims as [number, number];
  if (g.opset >= 16) {
    const indices = g.expand(g.reshape(places, [count, 1]), [count, width]);
    return g.op('ScatterElements', [g.filled([size, width], 0, rows.dtype), indices, rows], [size, width], { axis: 0, reduction: 'add' });
  }
  const all = g.tensor([size, 1], [...Array(size).keys()], 'int64');
  return g.matmul(g.cast(g.equal(all, g.reshape(places, [1, count])), rows.dtype), rows);
}

/** Indices as int64 from 0 on; negative ones count from the end. */
function wrapped(g: Builder, indices: Value, size: number): Value {
  const wide = g.cast(indices, 'int64');
  return g.where(g.less(wide, 0), g.add(wide, size), wide);
}

function rowMajorStrides(dims: readonly number[]): number[] {
  return dims.map((_, index) => product(dims.slice(index + 1)));
}

function eachIndex(dims: readonly number[], value: (place: readonly number[]) => number): number[] {
  const strides = rowMajorStrides(dims);
  return Array.from({ length: product(dims) }, (_, flat) => value(dims.map((size, index) => Math.floor(flat / strides[index]!) % size)));
}
