/** A tiny Hugging Face style model folder, made by hand: what the file-level tests load. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { encoderParameters, initialise } from '../../../src/ml/encoder/parameters.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import type { FloatTensor } from '../../../src/ml/onnx/tensor.js';

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const WORDS =
  'the a it was is and but not very good great bad awful slow fast food room app it crashed arrived on monday tuesday'.split(
    ' ',
  );
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789.,!?'];
const VOCABULARY = [
  ...new Set([...SPECIAL, ...WORDS, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`)]),
];

export const TINY_CONFIG = {
  model_type: 'bert',
  architectures: ['BertModel'],
  vocab_size: VOCABULARY.length,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 40,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  pad_token_id: 0,
  stepwell_pooling: 'mean',
};

/** Writes the folder and returns the encoder's weights. */
export function writeTinyModel(folder: string): Map<string, FloatTensor> {
  const config = parseConfig(TINY_CONFIG);
  const random = new SeededRandom(3, 'tiny');
  const parameters = new Map(
    encoderParameters(config).map((spec) => [spec.name, initialise(spec, random)]),
  );
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  writeFileSync(join(folder, 'onnx', 'model.onnx'), exportModel(config, parameters, 'features'));
  writeJson(folder, 'config.json', TINY_CONFIG);
  writeTokenizer(folder);
  return parameters;
}

export function writeJson(folder: string, file: string, value: unknown): void {
  writeFileSync(join(folder, file), JSON.stringify(value));
}

export function writeTokenizer(folder: string): void {
  const token = (content: string) => ({
    id: VOCABULARY.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const special = (content: string) => [
    content,
    { id: content, ids: [VOCABULARY.indexOf(content)], tokens: [content] },
  ];
  const names = {
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  };
  writeJson(folder, 'tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map(token),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
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
      special_tokens: Object.fromEntries(['[CLS]', '[SEP]'].map(special)),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(VOCABULARY.map((word, id) => [word, id])),
    },
  });
  writeJson(folder, 'tokenizer_config.json', {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    model_max_length: 40,
    ...names,
  });
}
