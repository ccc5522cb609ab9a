/** Labelled rows from JSON Lines, checked line by line, and their class weights. */
import { readFileSync } from 'node:fs';
import { sha256 } from '../../lib/digest.js';
import { FineTuneError, type Settings } from './settings.js';

/** What a row holds beside its label: a text, or the path of an image beside the file of rows. */
export type InputField = 'text' | 'image';

export interface Row {
  readonly input: string;
  /** Index into the labels. */
  readonly label: number;
}

export interface RowFile {
  readonly path: string;
  readonly rows: readonly Row[];
  readonly sha256: string;
}

/** Throws FineTuneError naming the file and line. */
export function readRows(path: string, labels: readonly string[], field: InputField): RowFile {
  const text = readFileSync(path, 'utf8');
  const rows: Row[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '') rows.push(parseRow(line, labels, field, `${path}, line ${index + 1}`));
  });
  if (rows.length === 0) throw new FineTuneError(`${path} holds no rows`);
  return { path, rows, sha256: sha256(text) };
}

function parseRow(line: string, labels: readonly string[], field: InputField, where: string): Row {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw new FineTuneError(
      `${where} is not JSON; write {"${field}": "…", "label": "${labels[0]}"}`,
    );
  }
  const { [field]: input, label } = (row ?? {}) as { [name: string]: unknown };
  if (typeof input !== 'string') {
    throw new FineTuneError(`${where}: "${field}" must be a string`);
  }
  const index = labels.indexOf(String(label));
  if (index >= 0) return { input, label: index };
  throw new FineTuneError(
    `${where}: the label ${JSON.stringify(label)} is not one of ${labels.join(', ')}`,
  );
}

/** One weight per label: as given, n / (classes * count) when balanced, else 1. */
export function classWeights(
  rows: readonly Pick<Row, 'label'>[],
  { classWeights: wanted, labels }: Pick<Settings, 'classWeights' | 'labels'>,
): readonly number[] {
  if (wanted === null) return labels.map(() => 1);
  if (wanted !== 'balanced') return wanted;
  return labels.map((_, label) => {
    const count = rows.filter((row) => row.label === label).length;
    return count === 0 ? 1 : rows.length / (labels.length * count);
  });
}
