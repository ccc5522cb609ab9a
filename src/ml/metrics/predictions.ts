/**
 * The predictions of an evaluation, read back from the artifact that `ml:evaluate` wrote: what slices,
 * fairness, comparison and calibration are computed from, without running the model again.
 */
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { DataFailure } from '../data/data-failure.js';
import type { Cell } from '../data/record.js';
import { Sample } from './quality.js';
import type { Scores } from './probability.js';

export interface PredictionTable {
  readonly labels: readonly string[];
  readonly texts: readonly string[];
  readonly truth: Int32Array;
  readonly predicted: Int32Array;
  readonly scores: Scores | null;
  /** Columns of the dataset that were kept with each row. */
  readonly kept: readonly { readonly [column: string]: Cell }[];
}

/** More rows than this are no test set; they would not fit beside each other in memory either. */
const ROWS_MAX = 1_000_000;

const unusable = (reason: string) => new DataFailure('Evaluation.BadPredictions', reason);

/** Reads JSON Lines `{text, label, predicted, scores?, kept?}`; `address` names them in errors. */
export async function readPredictions(
  lines: AsyncIterable<string>,
  address: string,
): Promise<PredictionTable> {
  const rows: JsonObject[] = [];
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    if (rows.length >= ROWS_MAX) throw unusable(`${address}: more than ${ROWS_MAX} rows.`);
    rows.push(rowOf(line, `${address}, line ${number}`));
  }
  if (rows.length === 0) throw unusable(`${address} has no predictions.`);
  return tableOf(rows, address);
}

function rowOf(line: string, place: string): JsonObject {
  let row: Json;
  try {
    row = JSON.parse(line) as Json;
  } catch {
    throw unusable(`${place}: no JSON. Give the predictionsUri of an ml:evaluate result.`);
  }
  const known = isObject(row) && typeof row.label === 'string' && typeof row.predicted === 'string';
  if (known) return row as JsonObject;
  throw unusable(`${place}: needs "label" and "predicted", as ml:evaluate writes them.`);
}

function tableOf(rows: readonly JsonObject[], address: string): PredictionTable {
  const labels = labelsOf(rows);
  const ids = new Map(labels.map((label, id) => [label, id]));
  const idOf = (value: Json | undefined) => ids.get(value as string) as number;
  return {
    labels,
    texts: rows.map((row) => String(getOwn(row, 'text') ?? '')),
    truth: Int32Array.from(rows, (row) => idOf(row.label)),
    predicted: Int32Array.from(rows, (row) => idOf(row.predicted)),
    scores: scoresOf(rows, labels, address),
    kept: rows.map((row) => {
      const kept = getOwn(row, 'kept');
      return (isObject(kept) ? kept : {}) as { readonly [column: string]: Cell };
    }),
  };
}

/** In the model's order where the scores tell it; else by name. */
function labelsOf(rows: readonly JsonObject[]): readonly string[] {
  const seen = new Set<string>();
  const scores = getOwn(rows[0] as JsonObject, 'scores');
  if (isObject(scores)) for (const label of Object.keys(scores)) seen.add(label);
  const found = rows.flatMap((row) => [row.label as string, row.predicted as string]);
  for (const label of [...new Set(found)].sort()) seen.add(label);
  return [...seen];
}

function scoresOf(
  rows: readonly JsonObject[],
  labels: readonly string[],
  address: string,
): Scores | null {
  if (!isObject(getOwn(rows[0] as JsonObject, 'scores'))) return null;
  const values = new Float64Array(rows.length * labels.length);
  rows.forEach((row, i) => {
    const scores = getOwn(row, 'scores');
    labels.forEach((label, c) => {
      const score = isObject(scores) ? getOwn(scores, label) : undefined;
      if (typeof score !== 'number') {
        throw unusable(`${address}, row ${i + 1}: no score of "${label}".`);
      }
      values[i * labels.length + c] = score;
    });
  });
  return { values, classes: labels.length };
}

/** The rows at these places as a sample of their own; places may repeat (bootstrap). */
export function sampleOf(table: PredictionTable, places?: ArrayLike<number>): Sample {
  const { truth, predicted, scores, labels } = table;
  const classes = labels.length;
  if (places === undefined) return new Sample(truth, predicted, classes, scores);
  const rows = places.length;
  const [some, guessed] = [new Int32Array(rows), new Int32Array(rows)];
  const values = scores === null ? null : new Float64Array(rows * classes);
  for (let i = 0; i < rows; i++) {
    const row = places[i] as number;
    some[i] = truth[row] as number;
    guessed[i] = predicted[row] as number;
    if (values === null || scores === null) continue;
    for (let c = 0; c < classes; c++) {
      values[i * classes + c] = scores.values[row * classes + c] as number;
    }
  }
  return new Sample(some, guessed, classes, values === null ? null : { values, classes });
}

/** Rows by the value of a column, or of several together ("email, web" of an intersection). */
export function groupsBy(
  table: PredictionTable,
  columns: readonly string[],
): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  table.kept.forEach((kept, row) => {
    const values = columns.map((column) => {
      if (Object.hasOwn(kept, column)) return String(kept[column] ?? '(none)');
      const has = Object.keys(kept).join(', ') || 'none';
      throw new DataFailure(
        'Evaluation.MissingColumn',
        `The predictions were kept without the column "${column}" (kept: ${has}). ` +
          'Name it in keepColumns of ml:preprocess and of ml:evaluate.',
      );
    });
    const name = values.join(' & ');
    const rows = groups.get(name);
    if (rows === undefined) groups.set(name, [row]);
    else rows.push(row);
  });
  return new Map([...groups].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}
