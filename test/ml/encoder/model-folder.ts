/** A tiny Hugging Face style model folder, made by hand: what the file-level tests load. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { encoderParameters, initialise } from '../../../src/ml/encoder/parameters.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import type { FloatTensor } from '../../../src/ml/onnx/tensor.js';
import { SPECIAL_TOKENS, wordPieceTokenizer } from './wordpiece.js';

const WORDS =
  'the a it was is and but not very good great bad awful slow fast food room app it crashed arrived on monday tuesday'.split(
    ' ',
  );
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789.,!?'];
const VOCABULARY = [
  ...new Set([...SPECIAL_TOKENS, ...WORDS, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`)]),
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
  writeJson(folder, 'tokenizer.json', wordPieceTokenizer(VOCABULARY));
  writeJson(folder, 'tokenizer_config.json', {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    model_max_length: 40,
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  });
}
