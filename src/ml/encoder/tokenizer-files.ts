/**
 * The tokenizer of a model folder as `tokenizer.json` and `tokenizer_config.json`. Older folders have a
 * bare vocabulary instead: BERT's vocab.txt, RoBERTa's vocab.json with merges.txt. What
 * `tokenizer.json` says for them is written down here, as the converters of Hugging Face write it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/json.js';

export interface TokenizerFiles {
  /** The content of tokenizer.json. */
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
}

/** Throws RangeError naming the missing file. */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const json = (file: string): JsonObject | null => {
    const path = join(folder, file);
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JsonObject) : null;
  };
  const config = json('tokenizer_config.json') ?? {};
  const whole = json('tokenizer.json');
  if (whole !== null) return { tokenizer: whole, config };
  const lines = (file: string): string[] | null => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8').split(/\r?\n/) : null;
  };
  const words = lines('vocab.txt');
  if (words !== null)
    return {
      tokenizer: wordPieceTokenizer(words.at(-1) === '' ? words.slice(0, -1) : words, config),
      config: { ...BERT, ...config },
    };
  const [vocabulary, merges] = [json('vocab.json'), lines('merges.txt')];
  if (vocabulary !== null && merges !== null) {
    return { tokenizer: bytePairs(vocabulary, merges), config: { ...ROBERTA, ...config } };
  }
  throw new RangeError(
    `${folder} holds no tokenizer.json, no vocab.txt, and no vocab.json with merges.txt`,
  );
}

export const BERT: JsonObject = {
  tokenizer_class: 'BertTokenizer',
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
};
const ROBERTA: JsonObject = {
  tokenizer_class: 'RobertaTokenizer',
  unk_token: '<unk>',
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
};

/** BERT's `tokenizer.json` over a vocabulary; a word's id is its place. */
export function wordPieceTokenizer(words: readonly string[], config: JsonObject): JsonObject {
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].filter((name) => name in vocab);
  const lowercase = config.do_lower_case !== false;
  const ids = (name: string): JsonObject => ({ id: name, ids: [vocab[name] ?? 0], tokens: [name] });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => addedToken(content, vocab[content]!, false)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars !== false,
      strip_accents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: { '[CLS]': ids('[CLS]'), '[SEP]': ids('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

function bytePairs(vocab: JsonObject, lines: readonly string[]): JsonObject {
  const merges = lines.filter((line) => line !== '' && !line.startsWith('#version'));
  const special = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'].filter((name) => name in vocab);
  const id = (name: string): number => Number(vocab[name] ?? 0);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => addedToken(content, id(content), content === '<mask>')),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['</s>', id('</s>')],
      cls: ['<s>', id('<s>')],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}

export function addedToken(content: string, id: number, lstrip: boolean): JsonObject {
  return {
    id,
    content,
    single_word: false,
    lstrip,
    rstrip: false,
    normalized: false,
    special: true,
  };
}
