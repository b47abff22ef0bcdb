/**
 * Arithmetic element by element, with ONNX's multidirectional broadcasting: each gradient is summed back to the shape of its
 * operand. Where an operator has a kink (Abs at 0, a tie in Min or Max) the gradient is the mean of both sides, which is
 * also what central differences see; Clip keeps the gradient on its bounds, as torch.clamp does.
 */
import { isFloating } from './builder';
import type { Rule, Rules, Site } from './rule';

export const elementwise: Rules = {
  Add: ({ g, operands, dy }) => operands.map(({ dims }) => g.unbroadcast(dy, dims)),
  Sum: ({ g, operands, dy }) => operands.map(({ dims }) => g.unbroadcast(dy, dims)),
  Sub: ({ g, operands: [a, b], dy }) => [g.unbroadcast(dy, a!.dims), g.neg(g.unbroadcast(dy, b!.dims))],
  Mul: ({ g, operands: [a, b], dy }) => [g.unbroadcast(g.mul(dy, b!), a!.dims), g.unbroadcast(g.mul(dy, a!), b!.dims)],
  Div({ g, operands: [a, b], y, dy }) {
    const da = g.div(dy, b!);
    return [g.unbroadcast(da, a!.dims), g.neg(g.unbroadcast(g.mul(da, y), b!.dims))];
  },
  Pow: power,
  Neg: ({ g, dy }) => [g.neg(dy)],
  Abs: ({ g, x, dy }) => [g.mul(dy, g.sign(x))],
  Reciprocal: ({ g, y, dy }) => [g.neg(g.mul(dy, g.mul(y, y)))],
  Sqrt: ({ g, y, dy }) => [g.div(g.mul(dy, 0.5), y)],
  Exp: ({ g, y, dy }) => [g.mul(dy, y)],
  Log: ({ g, x, dy }) => [g.div(dy, x)],
  Sin: ({ g, x, dy }) => [g.mul(dy, g.op('Cos', [x], x.dims))],
  Cos: ({ g, x, dy }) => [g.neg(g.mul(dy, g.op('Sin', [x], x.dims)))],
  Tan: ({ g, y, dy }) => [g.mul(dy, g.add(g.mul(y, y), 1))],
  Atan: ({ g, x, dy }) => [g.div(dy, g.add(g.mul(x, x), 1))],
  Erf: ({ g, x, dy }) => [g.mul(dy, g.mul(g.exp(g.neg(g.mul(x, x))), 2 / Math.sqrt(Math.PI)))],
  Min: extreme,
  Max: extreme,
  Clip: clip,
  Where({ g, operands: [condition, a, b], dy }) {
    return [undefined, g.unbroadcast(g.where(condition!, dy, 0), a!.dims), g.unbroadcast(g.where(condition!, 0, dy), b!.dims)];
  },
  Identity: ({ dy }) => [dy],
  Cast: ({ g, x, dy }) => [g.cast(dy, x.dtype)],
  CastLike: ({ g, x, dy }) => [g.cast(dy, x.dtype)],
  Dropout(site) {
    // Input 2 is training_mode, from opset 12 on; left out, or false, the operator is the identity.
    if (site.constant(2)?.some(Boolean)) throw site.unsupported('training_mode = true');
    return [site.dy];
  },
};

/** xᵉ: e xᵉ⁻¹ for the base, xᵉ log x for the exponent (0 where x is 0, its limit). The exponent may have another element type. */
function power(site: Site): ReturnType<Rule> {
  const { g, operands, x, y, dy } = site;
  const exponent = operands[1]!;
  const values = site.maybeConstant(1);
  const e = values?.length === 1 ? values[0]! : g.cast(exponent, x.dtype);
  // x⁰ has slope 0 at 0 too, and squares are everywhere (variances), and cheaper so.
  const slope = e === 0 ? g.mul(x, 0) : e === 2 ? g.mul(x, 2) : g.mul(g.pow(x, g.sub(g.cast(exponent, x.dtype), 1)), e);
  const log = g.where(g.equal(x, 0), 0, g.log(x));
  const dExponent = g.unbroadcast(g.mul(dy, g.mul(y, log)), exponent.dims);
  return [g.unbroadcast(g.mul(dy, slope), x.dims), isFloating(exponent) ? g.cast(dExponent, exponent.dtype) : undefined];
}

/** Of several operands that share the extreme value, each takes an equal part. */
function extreme({ g, operands, y, dy }: Site): ReturnType<Rule> {
  const hits = operands.map((operand) => g.cast(g.equal(operand, y), y.dtype));
  const share = operands.length === 1 ? dy : g.div(dy, hits.reduce((sum, hit) => g.add(sum, hit)));
  return operands.map((operand, index) => g.unbroadcast(g.mul(share, hits[index]!), operand.dims));
}

/** The gradient passes where the value passed. The bounds, if trained, take what was cut off. */
function clip({ g, inputs: [, low, high], x, y, dy }: Site): ReturnType<Rule> {
  return [
    g.where(g.equal(x, y), dy, 0),
    low && g.reshape(g.unbroadcast(g.where(g.less(x, low), dy, 0), []), low.dims),
    high && g.reshape(g.unbroadcast(g.where(g.greater(x, high), dy, 0), []), high.dims),
  ];
}
