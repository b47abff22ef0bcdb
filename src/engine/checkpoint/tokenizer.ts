import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { tokenizerUnsupported } from './errors';

/** Token ids of a batch of texts, row-major [texts, length]; the mask is 1 for real tokens and 0 for padding. */
export interface TokenBatch {
  readonly inputIds: BigInt64Array;
  readonly attentionMask: BigInt64Array;
  readonly dims: readonly [texts: number, length: number];
}

export interface Tokenizer {
  /** Model of the tokenizer: BPE, WordPiece or Unigram. */
  readonly kind: string;
  /** Largest token id plus one. */
  readonly vocabulary: number;
  /** Every text is padded to this length; null pads to the longest of its batch. */
  readonly fixedLength: number | null;
  /** Longer texts are cut to this length, their end token kept; null never cuts. */
  readonly maxLength: number | null;
  readonly padId: number;
  encode(texts: readonly string[]): TokenBatch;
}

/** What the model, as opposed to the tokenizer's files, says about lengths. */
export interface SequenceLimits {
  /** Fixed sequence axis of the text graph. */
  readonly graphLength: number | null;
  /** model_type of config.json; SigLIP always pads to its full length. */
  readonly modelType: string | null;
  /** Rows of the position table (max_position_embeddings of config.json). */
  readonly positions: number | null;
}

/**
 * A tokenizer from the contents of tokenizer.json and tokenizer_config.json. The library splits and maps text; truncation
 * and padding, which it leaves out, follow here as Hugging Face's fast tokenizers do them: the text is cut before the
 * special tokens are added, so that the end token survives.
 *
 * A fixed axis of the graph decides the length, then the tokenizer's own fixed padding; otherwise texts are padded to the
 * longest of the batch. Throws `checkpoint-tokenizer-unsupported`.
 */
export function makeTokenizer(json: unknown, config: unknown, limits: SequenceLimits, file: string): Tokenizer {
  const described = tokenizerSchema.safeParse(json);
  const settings = configSchema.safeParse(config);
  if (!described.success || !settings.success) throw tokenizerUnsupported(file, new Error('its fields are not those of a tokenizer'));
  const { truncation, padding, model } = described.data;
  const library = build(json, config, file);

  const modelMax = settings.data.model_max_length;
  // transformers writes 1e30 for "no limit".
  const bounds = [truncation?.max_length, modelMax && modelMax < 1e6 ? modelMax : null, limits.positions].filter((n) => typeof n === 'number');
  const maxLength = limits.graphLength ?? (bounds.length > 0 ? Math.min(...bounds) : null);
  const ownFixed = typeof padding?.strategy === 'object' ? padding.strategy.Fixed : null;
  const siglip = limits.modelType?.startsWith('siglip') ? maxLength : null;
  const fixedLength = limits.graphLength ?? ownFixed ?? siglip;
  const length = { fixed: fixedLength, max: fixedLength === null ? maxLength : Math.min(fixedLength, maxLength ?? fixedLength) };

  const padToken = typeof settings.data.pad_token === 'object' ? settings.data.pad_token?.content : settings.data.pad_token;
  const padId = padding?.pad_id ?? (padToken == null ? undefined : library.token_to_id(padToken)) ?? 0;
  const left = (padding?.direction ?? settings.data.padding_side)?.toLowerCase() === 'left';

  return {
    kind: model.type ?? 'BPE',
    vocabulary: largestId(library) + 1,
    fixedLength,
    maxLength: length.max,
    padId,
    encode: (texts) =>
      batch(
        texts.map((text) => cut(library, text, length.max)),
        length.fixed,
        padId,
        left,
      ),
  };
}

const strategySchema = z.union([z.string(), z.object({ Fixed: z.int().positive() })]);

const tokenizerSchema = z.looseObject({
  truncation: z.object({ max_length: z.int().positive() }).nullish(),
  padding: z.object({ strategy: strategySchema, direction: z.string().optional(), pad_id: z.int().nonnegative() }).nullish(),
  model: z.looseObject({ type: z.string().optional() }),
});

const configSchema = z.looseObject({
  model_max_length: z.number().positive().nullish(),
  pad_token: z.union([z.string(), z.object({ content: z.string() })]).nullish(),
  padding_side: z.string().nullish(),
});

function build(json: unknown, config: unknown, file: string): HuggingFaceTokenizer {
  try {
    // The library insists on a decoder, which encoding never uses and some files leave null.
    const whole = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [], ...(json as object) };
    const tokenizer = new HuggingFaceTokenizer(whole, config as object);
    tokenizer.encode('a photo of a cat');
    return tokenizer;
  } catch (error) {
    throw tokenizerUnsupported(file, error);
  }
}

function largestId(tokenizer: HuggingFaceTokenizer): number {
  let largest = -1;
  for (const id of tokenizer.get_vocab().values()) if (id > largest) largest = id;
  return largest;
}

/** Token ids of a text with its special tokens, cut on the right to `max` tokens in all. */
function cut(tokenizer: HuggingFaceTokenizer, text: string, max: number | null): number[] {
  const whole = tokenizer.encode(text).ids;
  if (max === null || whole.length <= max) return whole;
  const content = tokenizer.encode(text, { add_special_tokens: false }).ids;
  const specials = whole.length - content.length;
  let start = 0;
  while (start < specials && !content.every((id, i) => whole[start + i] === id)) start++;
  const kept = Math.max(0, max - specials);
  return [...whole.slice(0, start + kept), ...whole.slice(start + content.length)].slice(0, max);
}

function batch(rows: readonly number[][], fixed: number | null, padId: number, left: boolean): TokenBatch {
  const length = fixed ?? Math.max(1, ...rows.map((row) => row.length));
  const inputIds = new BigInt64Array(rows.length * length).fill(BigInt(padId));
  const attentionMask = new BigInt64Array(rows.length * length);
  for (const [i, row] of rows.entries()) {
    const start = i * length + (left ? length - row.length : 0);
    inputIds.set(BigInt64Array.from(row, BigInt), start);
    attentionMask.fill(1n, start, start + row.length);
  }
  return { inputIds, attentionMask, dims: [rows.length, length] };
}
