/** Attention as one operator (ONNX opset 23); the caches of models that write text are left out. */
import type { Operation, Operators, TensorFlow, TfTensor } from './operation';

export const attention: Operators = { Attention: attend };

/** softmax(scale q kᵀ + mask) v; operands are [batch, heads, positions, depth], or [batch, positions, heads · depth] with the heads in attributes. */
function attend(op: Operation): TfTensor {
  const { tf, inputs, wanted } = op;
  if (inputs.slice(4).some(Boolean) || wanted.slice(1).some(Boolean)) throw op.unsupported('a cache of keys or an output of its weights');
  if (op.float('softcap', 0) !== 0) throw op.unsupported('a softcap');
  const [query, key, value, mask] = inputs as [TfTensor, TfTensor, TfTensor, TfTensor | undefined];
  const flat = query.rank === 3;
  const heads = flat ? op.int('q_num_heads', 1) : query.shape[1]!;
  const shared = flat ? op.int('kv_num_heads', 1) : key.shape[1]!;
  const split = (x: TfTensor, count: number) => repeated(tf, flat ? splitHeads(tf, x, count) : x, heads / count);
  const [q, k, v] = [split(query, heads), split(key, shared), split(value, shared)] as const;

  const scores = tf.mul(tf.matMul(q, k, false, true), op.float('scale', 1 / Math.sqrt(q.shape[3]!)));
  const seen = op.int('is_causal', 0) === 1 ? tf.where(notAfter(tf, scores.shape), scores, never) : scores;
  const masked = !mask ? seen : mask.dtype === 'bool' ? tf.where(mask, seen, never) : tf.add(seen, mask);
  const y = tf.matMul(tf.softmax(masked), v);
  return flat ? tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [y.shape[0]!, y.shape[2]!, heads * y.shape[3]!]) : y;
}

/** Low enough to weigh nothing, and no infinity, of which a whole row would leave NaN. */
const never = -1e30;

/** Where a query may see a key: at its own position and before. */
function notAfter(tf: TensorFlow, shape: readonly number[]): TfTensor {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return tf.tensor2d(Uint8Array.from({ length: rows * columns }, (_, at) => Number(at % columns <= Math.floor(at / columns))), [rows, columns], 'bool');
}

function splitHeads(tf: TensorFlow, x: TfTensor, heads: number): TfTensor {
  const [batch, positions, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, positions, heads, width / heads]), [0, 2, 1, 3]);
}

/** Each head as often as several heads of queries share it. */
function repeated(tf: TensorFlow, x: TfTensor, times: number): TfTensor {
  if (times === 1) return x;
  const [batch, heads, positions, depth] = x.shape as [number, number, number, number];
  return tf.reshape(tf.tile(tf.reshape(x, [batch, heads, 1, positions, depth]), [1, 1, times, 1, 1]), [batch, heads * times, positions, depth]);
}
