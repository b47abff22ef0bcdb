/**
 * Matrix products. A product with a matrix of weights folds all other axes into rows and runs as one Gemm, whose
 * transpose flags spare the copies; a batch of matrices transposes the other operand.
 */
import { product, same, type Value } from './builder';
import type { Rules, Site } from './rule';

export const matrix: Rules = { MatMul: matmul, Gemm: gemm, Einsum: einsum };

/** numpy.matmul: y = a b. A vector is a row on the left, a column on the right. */
function matmul({ g, operands, y, dy }: Site): readonly Value[] {
  const [first, second] = operands as [Value, Value];
  const a = first.dims.length === 1 ? g.reshape(first, [1, ...first.dims]) : first;
  const b = second.dims.length === 1 ? g.reshape(second, [...second.dims, 1]) : second;
  const rows = a.dims.at(-2)!;
  const columns = b.dims.at(-1)!;
  const inner = a.dims.at(-1)!;
  if (b.dims.length === 2) {
    const count = product(a.dims) / inner || 0;
    const flatDy = g.reshape(dy, [count, columns]);
    const da = g.op('Gemm', [flatDy, b], [count, inner], { transB: 1 });
    const db = g.op('Gemm', [g.reshape(a, [count, inner]), flatDy], [inner, columns], { transA: 1 });
    return [g.reshape(da, first.dims), g.reshape(db, second.dims)];
  }
  const batch = y.dims.slice(0, y.dims.length - (first.dims.length > 1 ? 1 : 0) - (second.dims.length > 1 ? 1 : 0));
  const full = g.reshape(dy, [...batch, rows, columns]);
  const da = g.unbroadcast(g.matmul(full, g.swapLast(b)), a.dims);
  const db = g.unbroadcast(g.matmul(g.swapLast(a), full), b.dims);
  return [g.reshape(da, first.dims), g.reshape(db, second.dims)];
}

/** y = alpha a' b' + beta c, where ' is a transpose if asked for. */
function gemm(site: Site): readonly (Value | undefined)[] {
  const { g, inputs, operands, dy } = site;
  const [a, b] = operands as [Value, Value];
  const transA = site.int('transA', 0);
  const transB = site.int('transB', 0);
  const alpha = { alpha: { float: site.float('alpha', 1) } };
  const beta = site.float('beta', 1);
  const da = transA
    ? g.op('Gemm', [b, dy], a.dims, { transA: transB, transB: 1, ...alpha })
    : g.op('Gemm', [dy, b], a.dims, { transB: 1 - transB, ...alpha });
  const db = transB
    ? g.op('Gemm', [dy, a], b.dims, { transA: 1, transB: transA, ...alpha })
    : g.op('Gemm', [a, dy], b.dims, { transA: 1 - transA, ...alpha });
  const c = inputs[2];
  return [da, db, c && g.unbroadcast(beta === 1 ? dy : g.mul(dy, beta), c.dims)];
}

/**
 * The gradient of an einsum is an einsum: the operand's term and the output's change places. A label that occurs in one
 * operand only was summed, so its gradient is repeated. Forms that exporters do not write (a label twice in one term) are refused.
 */
function einsum(site: Site): readonly Value[] {
  const { g, operands, dy } = site;
  const equation = withoutDots(site.text('equation', '').replaceAll(' ', ''), operands);
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const once = [...new Set(left.replaceAll(',', ''))].sort().filter((label) => left.split(label).length === 2);
  const target = right ?? once.join('');
  if ([...terms, target].some((term) => new Set(term).size < term.length)) {
    throw site.unsupported(`the equation "${equation}"`);
  }
  const sizes = new Map(terms.flatMap((term, index) => [...term].map((label, place) => [label, operands[index]!.dims[place]!] as const)));
  if (terms.some((term, index) => !same([...term].map((label) => sizes.get(label)!), operands[index]!.dims))) {
    throw site.unsupported(`broadcasting in the equation "${equation}"`);
  }
  return terms.map((term, index) => {
    const others = operands.filter((_, other) => other !== index);
    const given = [target, ...terms.filter((_, other) => other !== index)];
    const reached = [...term].filter((label) => given.some((each) => each.includes(label)));
    const dims = reached.map((label) => sizes.get(label)!);
    const gradient = g.op('Einsum', [dy, ...others], dims, { equation: `${given.join(',')}->${reached.join('')}` });
    const kept = [...term].map((label) => (reached.includes(label) ? sizes.get(label)! : 1));
    return g.expand(g.reshape(gradient, kept), operands[index]!.dims);
  });
}

/** An equation with labels in the place of `...`, which stands for the axes that a term does not name, aligned at the last one. */
function withoutDots(equation: string, operands: readonly Value[]): string {
  if (!equation.includes('...')) return equation;
  const free = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].filter((label) => !equation.includes(label));
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const hidden = terms.map((term, index) => (term.includes('...') ? operands[index]!.dims.length - (term.length - 3) : 0));
  const most = free.slice(0, Math.max(...hidden));
  const named = (term: string, count: number) => term.replace('...', most.slice(most.length - count).join(''));
  const single = [...new Set(left.replaceAll(/[.,]/g, ''))].sort().filter((label) => left.split(label).length === 2);
  return `${terms.map((term, index) => named(term, hidden[index]!)).join()}->${named(right ?? `...${single.join('')}`, most.length)}`;
}
