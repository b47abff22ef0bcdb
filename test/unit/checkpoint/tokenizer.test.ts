import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeTokenizer, type SequenceLimits, type TokenBatch } from '../../../src/engine/checkpoint/tokenizer';
import { wordTokenizer } from '../../fixtures/tinyClip';

const open: SequenceLimits = { graphLength: null, modelType: 'clip', positions: null };
const rows = ({ inputIds, dims: [n, length] }: TokenBatch) =>
  Array.from({ length: n }, (_, i) => Array.from(inputIds.subarray(i * length, (i + 1) * length), Number));

/** Ids by the fixture's definition: [PAD] 0, [UNK] 1, red 2, cat 3, <start> 4, <end> 5. */
const words = (limits: Partial<SequenceLimits> = {}, changes: { json?: object; config?: object } = {}, max = 6) => {
  const files = wordTokenizer(['red', 'cat'], max);
  return makeTokenizer({ ...files['tokenizer.json'], ...changes.json }, { ...files['tokenizer_config.json'], ...changes.config }, { ...open, ...limits }, 'tokenizer.json');
};

describe('padding and truncation', () => {
  it('pads to the longest of the batch where nothing fixes the length, and masks the padding', () => {
    const batch = words().encode(['red cat', 'Cat', 'blue']);
    expect(rows(batch)).toEqual([[4, 2, 3, 5], [4, 3, 5, 0], [4, 1, 5, 0]]);
    expect(Array.from(batch.attentionMask, Number)).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0]);
  });
  it('cuts long texts and keeps the end token', () => {
    expect(rows(words().encode(['red '.repeat(10)]))).toEqual([[4, 2, 2, 2, 2, 5]]);
  });
  it("takes the graph's fixed length over everything else", () => {
    const tokenizer = words({ graphLength: 4 }, { json: { padding: { strategy: { Fixed: 9 }, direction: 'Right', pad_id: 0 } } });
    expect(rows(tokenizer.encode(['cat', 'red red cat']))).toEqual([[4, 3, 5, 0], [4, 2, 2, 5]]);
  });
  it("pads to the tokenizer's own fixed length", () => {
    const tokenizer = words({}, { json: { padding: { strategy: { Fixed: 5 }, direction: 'Right', pad_id: 1 } } });
    expect(rows(tokenizer.encode(['cat']))).toEqual([[4, 3, 5, 1, 1]]);
  });
  it('always pads SigLIP to its full length', () => {
    expect(words({ modelType: 'siglip' }).encode(['cat']).dims).toEqual([1, 6]);
    expect(words({ modelType: 'clip' }).encode(['cat']).dims).toEqual([1, 3]);
  });
  it('obeys the position table and ignores the 1e30 that stands for no limit', () => {
    const unlimited = { json: { truncation: null }, config: { model_max_length: 1e30 } };
    expect(words({}, unlimited).encode(['red '.repeat(10)]).dims).toEqual([1, 12]);
    expect(words({ modelType: 'siglip' }, unlimited).encode(['cat']).dims).toEqual([1, 3]);
    expect(words({ positions: 5 }, unlimited).encode(['red '.repeat(10)]).dims).toEqual([1, 5]);
  });
  it('pads on the left where the files ask for it', () => {
    const batch = words({ graphLength: 4 }, { config: { padding_side: 'left' } }).encode(['cat']);
    expect(rows(batch)).toEqual([[0, 4, 3, 5]]);
    expect(Array.from(batch.attentionMask, Number)).toEqual([0, 1, 1, 1]);
  });
  it('takes the pad token from the config, also in its object form', () => {
    const pad = words({ graphLength: 4 }, { config: { pad_token: { content: '<end>' } } });
    expect(rows(pad.encode(['cat']))).toEqual([[4, 3, 5, 5]]);
  });
  it('handles an empty text and no text', () => {
    expect(rows(words().encode(['']))).toEqual([[4, 5]]);
    expect(words().encode([]).dims[0]).toBe(0);
  });
});

describe('tokenizer files', () => {
  it('counts the vocabulary by its largest id', () => {
    expect(words().vocabulary).toBe(6);
  });
  it.each([
    ['nothing in it', {}],
    ['a list', []],
    ['null', null],
    ['an unknown model', { ...wordTokenizer([], 6)['tokenizer.json'], model: { type: 'Telepathy' } }],
  ])('refuses one with %s in one sentence', (_, json) => {
    expect(() => makeTokenizer(json, {}, open, 'tokenizer.json')).toThrow(expect.objectContaining({ name: 'RavlError', code: 'checkpoint-tokenizer-unsupported' }));
  });
});

const shared = resolve(import.meta.dirname, '../../../../shared/data');
const fashion = `${shared}/fashion/checkpoints/fashion-clip`;
const vocabulary = `${shared}/tokenizer/bpe_simple_vocab_16e6.txt.gz`;
for (const path of [fashion, vocabulary]) if (!existsSync(path)) console.warn(`SKIPPED: tokenizer tests that need ${path}`);

describe.skipIf(!existsSync(fashion))('the byte-level tokenizer of the fashion checkpoint', () => {
  it('gives the bytes of the lower-cased text between 2 and 3, zero-padded to 32', () => {
    const read = (name: string): unknown => JSON.parse(readFileSync(`${fashion}/${name}`, 'utf8'));
    const tokenizer = makeTokenizer(read('tokenizer.json'), read('tokenizer_config.json'), { ...open, graphLength: 32 }, 'tokenizer.json');
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abcXYZ éß&-\'"0 9'), maxLength: 40 }), (text) => {
        const bytes = [...new TextEncoder().encode(text.toLowerCase())].slice(0, 30);
        expect(rows(tokenizer.encode([text]))).toEqual([[2, ...bytes, 3, ...new Array<number>(30 - bytes.length).fill(0)]]);
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});

describe.skipIf(!existsSync(vocabulary))("CLIP's own vocabulary", () => {
  const tokenizer = () => makeTokenizer(clipTokenizer(gunzipSync(readFileSync(vocabulary)).toString('utf8')), { pad_token: '<|endoftext|>', model_max_length: 77 }, open, 'tokenizer.json');
  it('gives the ids that the original tokenizer is known to give', () => {
    const clip = tokenizer();
    expect(clip.vocabulary).toBe(49408);
    expect(rows(clip.encode(['a photo of a cat']))).toEqual([[49406, 320, 1125, 539, 320, 2368, 49407]]);
    expect(rows(clip.encode(['Hello  World!']))).toEqual([[49406, 3306, 1002, 256, 49407]]);
    const long = rows(clip.encode(['cat '.repeat(100)]))[0]!;
    expect(long).toEqual([49406, ...new Array<number>(75).fill(2368), 49407]);
  });
});

/** tokenizer.json of CLIP, put together from its published merges as its `SimpleTokenizer` does. */
function clipTokenizer(text: string): object {
  const merges = text.split('\n').slice(1, 49152 - 256 - 2 + 1);
  const printable = [...range(33, 126), ...range(161, 172), ...range(174, 255)];
  const others = range(0, 255).filter((byte) => !printable.includes(byte));
  const symbols = [...printable.map((byte) => String.fromCodePoint(byte)), ...others.map((_, i) => String.fromCodePoint(256 + i))];
  const tokens = [...symbols, ...symbols.map((s) => `${s}</w>`), ...merges.map((m) => m.replace(' ', '')), '<|startoftext|>', '<|endoftext|>'];
  const added = ['<|startoftext|>', '<|endoftext|>'].map((content) => ({ id: tokens.indexOf(content), content, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false }));
  return {
    added_tokens: added,
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, { type: 'Lowercase' }] },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: { type: 'RobertaProcessing', sep: ['<|endoftext|>', 49407], cls: ['<|startoftext|>', 49406], trim_offsets: false, add_prefix_space: false },
    decoder: null,
    model: { type: 'BPE', unk_token: '<|endoftext|>', end_of_word_suffix: '</w>', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
