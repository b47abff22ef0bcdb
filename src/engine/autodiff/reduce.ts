/**
 * Reductions: the gradient is spread back over the reduced axes. Ties of ReduceMax and ReduceMin share it equally; the
 * norm of a zero vector has gradient 0.
 */
import { product, type Value } from './builder';
import { axis, type Rules, type Site } from './rule';

export const reduce: Rules = {
  ReduceSum: spread(({ g, x }, dy) => g.expand(dy, x.dims)),
  ReduceMean: spread(({ g, x }, dy) => g.expand(g.mul(dy, product(dy.dims) / product(x.dims)), x.dims)),
  ReduceMax: spread(sharedByTies),
  ReduceMin: spread(sharedByTies),
  ReduceL1: spread(({ g, x }, dy) => g.mul(dy, g.sign(x))),
  ReduceSumSquare: spread(({ g, x }, dy) => g.mul(g.mul(dy, 2), x)),
  // The floor keeps 0 / 0 away and is far below any norm that matters.
  ReduceL2: spread(({ g, x }, dy, y) => g.mul(x, g.div(dy, g.op('Max', [y, g.scalar(1e-30, y.dtype)], y.dims)))),
  ReduceProd: spread(productOfOthers),
  ReduceLogSum: spread(({ g, x }, dy, y) => g.expand(g.div(dy, g.exp(y)), x.dims)),
  ReduceLogSumExp: spread(({ g, x }, dy, y) => g.mul(dy, g.exp(g.sub(x, y)))),
};

/** A rule from a formula in which dy and y keep the reduced axes with size 1. */
function spread(formula: (site: Site, dy: Value, y: Value, axes: readonly number[]) => Value) {
  return (site: Site): readonly Value[] => {
    const { g, x, y, dy } = site;
    const axes = reducedAxes(site);
    const kept = x.dims.map((size, index) => (axes.includes(index) ? 1 : size));
    return [formula(site, g.reshape(dy, kept), g.reshape(y, kept), axes)];
  };
}

export function sharedByTies({ g, x }: Site, dy: Value, y: Value, axes: readonly number[]): Value {
  const hit = g.cast(g.equal(x, y), x.dtype);
  return g.mul(hit, g.div(dy, g.reduceSum(hit, axes)));
}

/** The derivative in one factor is the product of the others, also where a factor is 0: no division by it. */
function productOfOthers({ g, x }: Site, dy: Value, _: Value, axes: readonly number[]): Value {
  const zero = g.equal(x, 0);
  const zeros = g.reduceSum(g.cast(zero, x.dtype), axes);
  const factors = g.where(zero, 1, x);
  const nonzero = g.mul(dy, g.reduceProd(factors, axes));
  const ifZero = g.where(g.equal(zeros, 1), nonzero, 0);
  return g.where(zero, ifZero, g.div(g.where(g.equal(zeros, 0), nonzero, 0), factors));
}

/** Axes are an attribute up to opset 12 (ReduceSum) or 17 (the others), an input since; none means all, or none at all. */
function reducedAxes(site: Site): number[] {
  const rank = site.x.dims.length;
  const axes = site.constant(1) ?? site.ints('axes') ?? [];
  if (axes.length > 0) return axes.map((index) => axis(index, rank));
  return site.int('noop_with_empty_axes', 0) === 1 ? [] : [...site.x.dims.keys()];
}
