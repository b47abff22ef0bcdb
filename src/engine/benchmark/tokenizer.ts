/** Tokens a text may have. */
const contextLength = 16;

/**
 * tokenizer.json and tokenizer_config.json of a tokenizer that splits at spaces and punctuation and knows the given words,
 * in lower case: ids [PAD] 0, [UNK] 1, then the words.
 */
export function wordTokenizer(words: readonly string[]): Record<'tokenizer.json' | 'tokenizer_config.json', object> {
  const vocab = Object.fromEntries([...specials, ...words].map((token, id) => [token, id]));
  const added = specials.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }));
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: { direction: 'Right', max_length: contextLength, strategy: 'LongestFirst', stride: 0 },
      padding: null,
      added_tokens: added,
      normalizer: { type: 'Lowercase' },
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab },
    },
    'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: contextLength, pad_token: '[PAD]', unk_token: '[UNK]' },
  };
}

const specials = ['[PAD]', '[UNK]'];

/** Rows of the token table for a vocabulary of so many words. */
export const tokenRows = (words: number) => specials.length + words;
