/** Arithmetic, comparisons and logic, element by element; TensorFlow.js broadcasts as ONNX does. */
import { heldType, type Operation, type Operator, type Operators, type TensorFlow, type TfTensor } from './operation';

type Rounding = 'ceil' | 'floor' | 'round' | 'sign' | 'abs' | 'neg';
type Unary = Rounding | 'atan' | 'cos' | 'erf' | 'exp' | 'isNaN' | 'log' | 'logicalNot' | 'reciprocal' | 'sin' | 'sqrt' | 'tan';
type Comparison = 'equal' | 'greater' | 'greaterEqual' | 'less' | 'lessEqual' | 'logicalAnd' | 'logicalOr' | 'logicalXor';
type Binary = Comparison | 'add' | 'maximum' | 'minimum' | 'mul' | 'sub';

const unary = (name: Unary): Operator => ({ tf, x }) => tf[name](x);
const binary = (name: Binary): Operator => ({ tf, operands: [a, b] }) => tf[name](a!, b!);
/** Of any number of operands. */
const folded = (name: Binary): Operator => ({ tf, operands }) => operands.reduce((a, b) => tf[name](a, b));

export const elementwise: Operators = {
  Add: binary('add'),
  Sub: binary('sub'),
  Mul: binary('mul'),
  Div: ({ tf, operands: [a, b] }) => divide(tf, a!, b!),
  Pow: ({ tf, operands: [x, e] }) => tf.cast(tf.pow(x!, e!), x!.dtype),
  Sum: folded('add'),
  Min: folded('minimum'),
  Max: folded('maximum'),
  Abs: unary('abs'),
  Neg: unary('neg'),
  Reciprocal: unary('reciprocal'),
  Sqrt: unary('sqrt'),
  Exp: unary('exp'),
  Log: unary('log'),
  Sin: unary('sin'),
  Cos: unary('cos'),
  Tan: unary('tan'),
  Atan: unary('atan'),
  Erf: unary('erf'),
  Ceil: unary('ceil'),
  Floor: unary('floor'),
  Round: unary('round'),
  Sign: unary('sign'),
  IsNaN: unary('isNaN'),
  Not: unary('logicalNot'),
  And: binary('logicalAnd'),
  Or: binary('logicalOr'),
  Xor: binary('logicalXor'),
  Equal: binary('equal'),
  Less: binary('less'),
  LessOrEqual: binary('lessEqual'),
  Greater: binary('greater'),
  GreaterOrEqual: binary('greaterEqual'),
  Where: ({ tf, operands: [condition, a, b] }) => tf.where(condition!, a!, b!),
  Clip: clip,
  Identity: ({ x }) => x,
  Cast: (op) => op.tf.cast(op.x, heldType(op.int('to', 1))),
  CastLike: ({ tf, operands: [x, like] }) => tf.cast(x!, like!.dtype),
  Dropout: dropout,
};

/** Integers round towards 0. */
function divide(tf: TensorFlow, a: TfTensor, b: TfTensor): TfTensor {
  if (a.dtype !== 'int32') return tf.div(a, b);
  return tf.mul(tf.floorDiv(tf.abs(a), tf.abs(b)), tf.mul(tf.sign(a), tf.sign(b)));
}

/** The bounds are inputs since opset 11. */
function clip({ tf, x, inputs: [, low, high] }: Operation): TfTensor {
  const raised = low ? tf.maximum(x, low) : x;
  return high ? tf.minimum(raised, high) : raised;
}

function dropout(op: Operation): TfTensor[] {
  if (op.numbers(2)?.some(Boolean)) throw op.unsupported('training_mode = true');
  return [op.x, op.tf.cast(op.tf.onesLike(op.x), 'bool')];
}
