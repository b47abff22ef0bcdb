/** Matrix products. */
import { broadcast, product, type Operation, type Operators, type TensorFlow, type TfTensor } from './operation';

export const matrix: Operators = {
  MatMul: ({ tf, operands: [a, b] }) => matmul(tf, a!, b!),
  Gemm: gemm,
  Einsum: einsum,
};

/** numpy.matmul: a vector is a row on the left, a column on the right. */
function matmul(tf: TensorFlow, first: TfTensor, second: TfTensor): TfTensor {
  const a = first.rank === 1 ? tf.reshape(first, [1, ...first.shape]) : first;
  const b = second.rank === 1 ? tf.reshape(second, [...second.shape, 1]) : second;
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const dims = [...batch, ...(first.rank === 1 ? [] : [a.shape.at(-2)!]), ...(second.rank === 1 ? [] : [b.shape.at(-1)!])];
  // A product with one matrix of weights is one product, whatever axes lie in front.
  if (b.rank === 2) return tf.reshape(tf.matMul(tf.reshape(a, [product(a.shape.slice(0, -1)), a.shape.at(-1)!]), b), dims);
  return tf.reshape(tf.matMul(spread(tf, a, batch), spread(tf, b, batch)), dims);
}

/** A batch of one matrix is left to the backend, which repeats it without a copy; other broadcasting its CPU kernel gets wrong. */
function spread(tf: TensorFlow, x: TfTensor, batch: readonly number[]): TfTensor {
  const own = product(x.shape.slice(0, -2));
  if (own === product(batch)) return tf.reshape(x, [own, ...x.shape.slice(-2)]);
  if (own === 1) return tf.reshape(x, [1, ...x.shape.slice(-2)]);
  return tf.reshape(tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]), [product(batch), ...x.shape.slice(-2)]);
}

/** alpha a' b' + beta c, where ' is a transpose if asked for. */
function gemm(op: Operation): TfTensor {
  const { tf, inputs } = op;
  const alpha = op.float('alpha', 1);
  const beta = op.float('beta', 1);
  const ab = tf.matMul(inputs[0]!, inputs[1]!, op.int('transA', 0) === 1, op.int('transB', 0) === 1);
  const scaled = alpha === 1 ? ab : tf.mul(ab, alpha);
  const c = inputs[2];
  return c ? tf.add(scaled, beta === 1 ? c : tf.mul(c, beta)) : scaled;
}

/** Two operands at a time, each label summed as soon as nothing later reads it. A label twice in one term is refused. */
function einsum(op: Operation): TfTensor {
  const { tf, operands } = op;
  const { terms, target } = einsumTerms(op.text('equation', ''), operands);
  if ([...terms, target].some((term) => new Set(term).size < term.length)) throw op.unsupported(`the equation "${op.text('equation', '')}"`);

  let term = terms[0]!;
  let value = operands[0]!;
  for (let index = 1; index < terms.length; index++) {
    const later = terms.slice(index + 1).join('') + target;
    const next = [...new Set(term + terms[index]!)].filter((label) => later.includes(label)).join('');
    value = tf.einsum(`${term},${terms[index]!}->${next}`, value, operands[index]!);
    term = next;
  }
  const summed = [...term].flatMap((label, axis) => (target.includes(label) ? [] : [axis]));
  const kept = [...term].filter((label) => target.includes(label));
  const reduced = summed.length > 0 ? tf.sum(value, summed) : value;
  return tf.transpose(reduced, [...target].map((label) => kept.indexOf(label)));
}

/** One letter an axis, for every operand and for the result; `...` stands for the axes in front that a term does not name. */
function einsumTerms(equation: string, operands: readonly TfTensor[]): { terms: string[]; target: string } {
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const free = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].filter((label) => !equation.includes(label));
  const given = left.split(',');
  const hidden = given.map((term, index) => (term.includes('...') ? operands[index]!.rank - (term.length - 3) : 0));
  const batch = free.slice(0, Math.max(0, ...hidden)).join('');
  const written = (term: string, count: number) => term.replace('...', batch.slice(batch.length - count));
  const once = [...new Set(left.replaceAll(/[.,]/g, ''))].sort().filter((label) => left.split(label).length === 2);
  return { terms: given.map((term, index) => written(term, hidden[index]!)), target: written(right ?? `...${once.join('')}`, batch.length) };
}
