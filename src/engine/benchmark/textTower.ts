import { normalised } from './imageTower';
import type { GraphWriter } from './graphWriter';

const width = 64;

/**
 * A bag of words from input_ids and attention_mask [batch, tokens] to L2-normalised text_embeds [batch, dim]: the mean of the
 * words' embeddings, projected. Word order has nothing to say in captions as short as these, and a mean gives a word
 * on its own the same meaning as in a sentence, which naming clusters lives on.
 */
export function textTower(w: GraphWriter, vocabulary: number, dim: number): string {
  const words = w.op('Gather', [w.weight('token_embedding', [vocabulary, width], 6), 'input_ids'], 'words', { axis: 0 });
  const mask = w.op('Unsqueeze', [w.op('Cast', ['attention_mask'], 'mask.float', { to: 1 }), w.ints('mask.axis', [2])], 'mask');
  const along = w.ints('tokens.axis', [1]);
  const sum = w.op('ReduceSum', [w.op('Mul', [words, mask], 'words.masked'), along], 'words.sum', { keepdims: 0 });
  const mean = w.op('Div', [sum, w.op('ReduceSum', [mask, along], 'words.count', { keepdims: 0 })], 'words.mean');
  const projected = w.op('Gemm', [mean, w.weight('projection.weight', [dim, width], 3 * width), w.filled('projection.bias', [dim], 0)], 'projection', { transB: 1 });
  return normalised(w, projected, 'text_embeds');
}
