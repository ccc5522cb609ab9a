/** A model card in Hugging Face's form: front matter, then what was done with which data. */
import { basename } from 'node:path';
import type { ModelFolder } from './output.js';
import type { RowFile } from './rows.js';

export function modelCard({ settings, base, result, train, validation }: ModelFolder): string {
  const best = result.metrics.find((entry) => entry.epoch === result.bestEpoch)?.validation ?? null;
  const task = base.maxLength === null ? 'image-classification' : 'text-classification';
  return `---
library_name: transformers.js
pipeline_tag: ${task}
base_model: ${JSON.stringify(settings.model)}
tags: [${base.config.family}, onnx, ${task}, stepwell]
metrics: [accuracy, f1]
model-index:
  - name: ${JSON.stringify(basename(settings.outputDir))}
    results:
      - task: { type: ${task} }
        metrics:${best === null ? ' []' : metricLines(best)}
---
# ${basename(settings.outputDir)}

${base.maxLength === null ? 'An image' : 'A text'} classifier with the labels ${settings.labels.map((label) => `\`${label}\``).join(', ')}, fine-tuned by Stepwell.

## Training

| | |
|---|---|
| base | ${settings.model}, ${base.config.family}, ${base.config.layerCount} layers of ${base.config.hiddenSize} |
| strategy | ${settings.strategy}${settings.initialisation === 'random' ? ', from random weights' : ''} |
| parameters | ${result.trainableParameters} of ${result.totalParameters} trained |
| steps | ${result.steps} of batch ${settings.batchSize}, at most ${settings.epochs} epochs, weights of epoch ${result.bestEpoch} |
| optimiser | ${settings.optimizer}, learning rate ${settings.learningRate} (head ${settings.headLearningRate}), ${settings.schedule}, warm-up ${settings.warmupRatio}, weight decay ${settings.weightDecay} |
| other | dropout ${settings.dropout}, ${base.maxLength === null ? '' : `longest text ${base.maxLength} tokens, `}label smoothing ${settings.labelSmoothing}, seed ${settings.seed}, class weights ${JSON.stringify(settings.classWeights)} |
| encoder sha256 before | ${result.baseHashBefore} |
| encoder sha256 after | ${result.baseHashAfter} |

## Learning rates

| stage | part | trained | learning rate |
|---|---|---|---|
${result.stages.map(stageRows).join('\n')}

## Data

| rows | count | per label | sha256 |
|---|---|---|---|
${dataLine('training', train, settings.labels)}
${validation === null ? '' : dataLine('validation', validation, settings.labels)}

## Metrics

| epoch | training loss | validation loss | accuracy | macro F1 |
|---|---|---|---|---|
${result.metrics.map(metricRow).join('\n')}

## Intended use and limits

Short texts of the kind it was trained on. The scores above are for the rows named above and say nothing about
other languages, other trades or other times; measure on fresh labelled rows before relying on it, and keep watching
its inputs for drift. It is no basis for decisions about people.
`;
}

function metricLines(scores: { accuracy: number; macroF1: number; loss: number }): string {
  const line = (type: string, value: number): string =>
    `\n          - { type: ${type}, value: ${value.toFixed(4)} }`;
  return line('accuracy', scores.accuracy) + line('f1', scores.macroF1) + line('loss', scores.loss);
}

function stageRows(stage: ModelFolder['result']['stages'][number], index: number): string {
  return stage.rates
    .map(
      ({ group, parameters, learningRate }) =>
        `| ${index + 1} | ${group} | ${parameters} | ${learningRate.toPrecision(4)} |`,
    )
    .join('\n');
}

function dataLine(name: string, file: RowFile, labels: readonly string[]): string {
  const counts = labels.map(
    (label, id) => `${label} ${file.rows.filter((row) => row.label === id).length}`,
  );
  return `| ${name} | ${file.rows.length} | ${counts.join(', ')} | ${file.sha256} |`;
}

function metricRow(entry: ModelFolder['result']['metrics'][number]): string {
  const scores = entry.validation;
  const cells = scores === null ? ['', '', ''] : [scores.loss, scores.accuracy, scores.macroF1];
  const text = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(4) : cell));
  return `| ${entry.epoch} | ${entry.trainLoss.toFixed(4)} | ${text.join(' | ')} |`;
}
