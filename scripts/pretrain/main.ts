/**
 * Makes models/stepwell-mini-bert from nothing: generates text, trains the vocabulary, pre-trains
 * the encoder on masked tokens and on the generator's own rating, writes the folder and its card.
 * Reads nothing under data/. Run: npm run pretrain -- [--minutes 25] [--out models/stepwell-mini-bert]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfig } from '../../src/ml/encoder/config.js';
import { exportModel } from '../../src/ml/encoder/export.js';
import { encoderParameters } from '../../src/ml/encoder/parameters.js';
import { SeededRandom } from '../../src/ml/onnx/seeded-random.js';
import { modelCard } from './card.js';
import { TextGenerator } from './generator.js';
import { readLexicon } from './grammar.js';
import { type PretrainReport, pretrain } from './pretrain.js';
import { tokenizerFiles, trainWordPiece } from './wordpiece.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '25' },
    steps: { type: 'string', default: '9000' },
    out: { type: 'string', default: 'models/stepwell-mini-bert' },
    hidden: { type: 'string', default: '192' },
    layers: { type: 'string', default: '4' },
    seed: { type: 'string', default: '20' },
    threads: { type: 'string', default: '2' },
  },
});

const VOCABULARY_SIZE = 8000;
const VOCABULARY_TEXTS = 400_000;
const MAX_LENGTH = 128;

const seed = Number(values.seed);
const lexicon = readLexicon();
const vocabulary = trainWordPiece(countWords(), VOCABULARY_SIZE);
const hidden = Number(values.hidden);
const configJson = {
  architectures: ['BertModel'],
  model_type: 'bert',
  vocab_size: vocabulary.length,
  hidden_size: hidden,
  num_hidden_layers: Number(values.layers),
  num_attention_heads: hidden / 32,
  intermediate_size: hidden * 4,
  max_position_embeddings: MAX_LENGTH,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1,
  pad_token_id: 0,
  stepwell_pooling: 'mean',
};
const folder = values.out;
const tokenizer = tokenizerFiles(vocabulary, MAX_LENGTH);
mkdirSync(join(folder, 'onnx'), { recursive: true });
writeJson('config.json', configJson);
for (const [file, content] of Object.entries(tokenizer)) writeJson(file, content);

const config = parseConfig(configJson);
const trained = await pretrain({
  config,
  folder,
  vocabulary,
  lexicon,
  seed,
  steps: Number(values.steps),
  minutes: Number(values.minutes),
  threads: Number(values.threads),
  log: (line) => console.log(line),
});
const body = new Map(
  encoderParameters(config).map(({ name }) => [name, trained.parameters.get(name)!]),
);
writeFileSync(join(folder, 'onnx', 'model.onnx'), exportModel(config, body, 'features'));
writeFileSync(join(folder, 'README.md'), modelCard(configJson, trained.report, body));
report(trained.report);

function countWords(): Map<string, number> {
  const generator = new TextGenerator(lexicon, new SeededRandom(seed, 'vocabulary'), {
    noise: 0.5,
  });
  const counts = new Map<string, number>();
  for (let i = 0; i < VOCABULARY_TEXTS; i++) {
    const pieces = generator.next().text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
    for (const piece of pieces) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  // Slips of the finger are not words: what occurs a few times in 400,000 texts is spelt in pieces.
  return new Map(
    [...counts].filter(([word, count]) => count >= 8 && /^[\x20-\x7e£€]+$/.test(word)),
  );
}

function writeJson(file: string, content: unknown): void {
  writeFileSync(join(folder, file), `${JSON.stringify(content, null, 1)}\n`);
}

function report(result: PretrainReport): void {
  console.log(JSON.stringify(result));
}
