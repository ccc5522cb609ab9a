/** The model card of the pre-trained encoder: how it was made, with its figures, and its limits. */
import { createHash } from 'node:crypto';
import { elementCount, type FloatTensors, tensorBytes } from '../../src/ml/onnx/tensor.js';
import type { PretrainReport } from './pretrain.js';

export function modelCard(
  config: Readonly<Record<string, unknown>>,
  report: PretrainReport,
  body: FloatTensors,
): string {
  const parameters = [...body.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const hash = createHash('sha256');
  for (const name of [...body.keys()].sort())
    hash.update(name).update(tensorBytes(body.get(name)!));
  return `---
license: apache-2.0
language: en
library_name: transformers.js
pipeline_tag: feature-extraction
tags: [bert, onnx, sentiment, synthetic-data]
---
# stepwell-mini-bert

A small BERT-style encoder (${config.num_hidden_layers} layers of ${config.hidden_size}, ${config.num_attention_heads} heads,
${config.vocab_size} word pieces, ${(parameters / 1e6).toFixed(2)} M parameters), made on a laptop-class machine by
\`npm run pretrain\` from nothing but this repository.

## How it was made

- **Text**: ${report.texts.toLocaleString('en')} short pieces of customer feedback written by a seeded generator (seed ${report.seed}) from
  hand-made word lists and a grammar (\`scripts/pretrain/lexicon\`). No row of \`data/\` and no outside text was read,
  for the corpus, the lexicon or the vocabulary.
- **Vocabulary**: WordPiece trained on the same generator; common emoji are whole tokens.
- **Task 1**: masked language modelling (${Math.round(Number(report.settings.maskedShare) * 100)} % of tokens).
- **Task 2**, an intermediate task at sentence level: to predict the rating (praise, neither, complaint) that the
  *generator* chose before it wrote the text. The encoder has therefore been shown what sentiment words and events
  mean, by the authors of the lexicon; it is not a language model of natural text.
- ${report.steps} steps in ${report.seconds} s on 2 CPU threads (${report.millisecondsPerStep} ms a step, ${report.peakMegabytes} MB at most), AdamW,
  learning rate ${report.settings.learningRate} with warm-up and linear decay, weight decay ${report.settings.weightDecay}.
  Sum of both losses: ${report.firstLoss.toFixed(2)} at the start, ${report.lastLoss.toFixed(3)} at the end (on generated text).
- sha256 of the weights: \`${hash.digest('hex')}\`
- The schedule follows a time limit, so a second run on another machine gives a similar model, not the same bytes,
  unless it reaches its step limit first.

## Use and limits

Meant as a base for fine-tuning short English feedback classifiers on a CPU (\`src/ml/fine-tune.ts\`), mean pooling.
It knows some five thousand words of a few trades, has seen no long text, no other language and little world
knowledge; it will be fooled by sarcasm without cues and by words outside its lists. Expect the biases of its authors:
polite British and American customer English. Do not use it as it stands to judge people.
`;
}
