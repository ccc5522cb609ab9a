/** The closing page of a model pipeline: drawn when an output holds an evaluation and a model. */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { bold, dim } from './style.js';

/** Null when the output is not that of a model pipeline. */
export function summarise(output: Json, home: string): string | null {
  if (!isObject(output)) return null;
  const evaluation = getOwn(output, 'evaluation');
  if (!isObject(evaluation)) return null;
  const lines = [...qualityLines(evaluation), ...modelLines(output), ...predictionLines(output)];
  const endpoint = text(member(output, 'deployment', 'endpoint'));
  if (endpoint !== null) {
    lines.push(
      '',
      `${bold('Serve it')}      npm run serve`,
      `${bold('Ask it')}        curl -s http://127.0.0.1:8083/endpoints/${endpoint}/invocations \\`,
      `                -H 'content-type: application/json' -d '{"inputs": ["Arrived a day early, thank you!"]}'`,
    );
  }
  lines.push('', dim(`artifacts, registry and endpoints lie under ${home}`));
  return lines.join('\n');
}

function qualityLines(evaluation: JsonObject): string[] {
  const accuracy = number(getOwn(evaluation, 'accuracy'));
  const f1 = number(getOwn(evaluation, 'f1Weighted'));
  const lines = [
    `${bold('accuracy')}      ${percent(accuracy)}`,
    `${bold('weighted F1')}   ${percent(f1)}`,
  ];
  const confusion = getOwn(evaluation, 'confusionMatrix');
  if (!isObject(confusion)) return lines;
  const labels = getOwn(confusion, 'labels');
  const matrix = getOwn(confusion, 'matrix');
  if (!isArray(labels) || !isArray(matrix)) return lines;
  const width = Math.max(...labels.map((label) => String(label).length)) + 2;
  const pad = (value: Json): string => String(value).padStart(width);
  lines.push('', `${bold('confusion matrix')} ${dim('(rows: true label, columns: predicted)')}`);
  lines.push(`${''.padStart(width)}${labels.map(pad).join('')}`);
  matrix.forEach((row, index) => {
    if (isArray(row)) lines.push(`${pad(labels[index] ?? '')}${row.map(pad).join('')}`);
  });
  return lines;
}

function modelLines(output: JsonObject): string[] {
  const name = text(member(output, 'registration', 'name'));
  const version = text(member(output, 'registration', 'version'));
  if (version === null) return [];
  return ['', `${bold('model')}         ${name} ${version}`];
}

function predictionLines(output: JsonObject): string[] {
  const predictions = member(output, 'deployment', 'predictions');
  if (!isArray(predictions)) return [];
  const lines = predictions.flatMap((prediction) => {
    if (!isObject(prediction)) return [];
    const label = text(getOwn(prediction, 'label')) ?? '?';
    const score = number(getOwn(prediction, 'score'));
    const said = text(getOwn(prediction, 'text')) ?? text(getOwn(prediction, 'input')) ?? '';
    return [`  ${label.padEnd(10)}${percent(score).padStart(8)}  ${said}`];
  });
  return ['', bold('live predictions'), ...lines];
}

function member(output: JsonObject, outer: string, inner: string): Json | undefined {
  const value = getOwn(output, outer);
  return isObject(value) ? getOwn(value, inner) : undefined;
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function percent(value: number | null): string {
  return value === null ? '?' : `${(100 * value).toFixed(1)} %`;
}
