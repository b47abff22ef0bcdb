/**
 * Attention as one operator (ONNX opset 23), as newer exporters write it. The weights are computed again in the backward pass: the
 * operator does not return them after the softmax by default. Queries may share keys and values in groups (Ainslie et al.
 * 2023, arXiv 2305.13245), so all is computed as [batch, heads of keys, queries a head of keys, positions, depth].
 * Left out: caches of past keys and softcap, which belong to models that write text.
 */
import { product, type Builder, type Value } from './builder';
import type { Rules, Site } from './rule';

export const attention: Rules = { Attention: attend };

/** softmax(scale q kᵀ + mask) v; operands are [batch, heads, positions, depth], or [batch, positions, heads · depth] with the heads in attributes. */
function attend(site: Site): readonly (Value | undefined)[] {
  const { g, inputs, dy, dys } = site;
  if (inputs.slice(4).some(Boolean)) throw site.unsupported('a cache of past keys');
  if (site.float('softcap', 0) !== 0) throw site.unsupported('a softcap');
  if (dys.slice(1).some(Boolean)) throw site.unsupported('a loss that uses its keys, values or weights');
  const [query, key, value, mask] = inputs as [Value, Value, Value, Value | undefined];
  const flat = query.dims.length === 3;
  const heads = flat ? site.int('q_num_heads', 1) : query.dims[1]!;
  const shared = flat ? site.int('kv_num_heads', 1) : key.dims[1]!;
  const split = (x: Value, count: number, group: number) => grouped(g, flat ? splitHeads(g, x, count) : x, shared, group);
  const [q, k, v] = [split(query, heads, heads / shared), split(key, shared, 1), split(value, shared, 1)] as const;
  const scale = site.float('scale', 1 / Math.sqrt(q.dims[4]!));

  const scores = masked(site, g.mul(g.matmul(q, g.swapLast(k)), scale), mask);
  const weights = g.op('Softmax', [scores], scores.dims, { axis: -1 });
  const dOut = split(dy, heads, heads / shared);
  const weighted = g.mul(g.matmul(dOut, g.swapLast(v)), weights);
  const dScores = g.sub(weighted, g.mul(weights, g.reduceSum(weighted, [4])));
  const join = (gradient: Value, like: Value) => g.reshape(flat ? g.transpose(g.reshape(gradient, ungrouped(gradient)), [0, 2, 1, 3]) : gradient, like.dims);
  return [
    join(g.mul(g.matmul(dScores, k), scale), query),
    join(g.mul(g.unbroadcast(g.matmul(g.swapLast(dScores), q), k.dims), scale), key),
    join(g.unbroadcast(g.matmul(g.swapLast(weights), dOut), v.dims), value),
    mask && mask.dtype !== 'bool' ? g.reshape(g.unbroadcast(dScores, maskDims(mask, scores)), mask.dims) : undefined,
  ];
}

/** Low enough to weigh nothing, and no infinity that could meet a zero. */
const never = -1e30;

function masked(site: Site, scores: Value, mask: Value | undefined): Value {
  const { g } = site;
  const [rows, columns] = scores.dims.slice(3) as [number, number];
  const causal = Float32Array.from({ length: rows * columns }, (_, at) => (at % columns > Math.floor(at / columns) ? never : 0));
  const behind = site.int('is_causal', 0) === 1 ? g.add(scores, g.tensor([rows, columns], causal, scores.dtype)) : scores;
  if (!mask) return behind;
  const laid = g.reshape(mask, maskDims(mask, scores));
  return mask.dtype === 'bool' ? g.where(laid, behind, never) : g.add(behind, laid);
}

/** A mask that broadcasts to [batch, heads, queries, keys], with the heads in groups. */
function maskDims({ dims }: Value, scores: Value): number[] {
  const [batch, heads, rows, columns] = [1, 1, 1, 1, ...dims].slice(-4) as [number, number, number, number];
  return [batch, ...(heads === 1 ? [1, 1] : scores.dims.slice(1, 3)), rows, columns];
}

function splitHeads(g: Builder, x: Value, heads: number): Value {
  const [batch, positions, width] = x.dims as [number, number, number];
  return g.transpose(g.reshape(x, [batch, positions, heads, width / heads]), [0, 2, 1, 3]);
}

const grouped = (g: Builder, x: Value, shared: number, group: number) => g.reshape(x, [x.dims[0]!, shared, group, ...x.dims.slice(2)]);

const ungrouped = ({ dims }: Value) => [dims[0]!, product(dims.slice(1, 3)), ...dims.slice(3)];
