/**
 * Rows to labelled texts, cleaned and split. The same rows in any order and the same settings give the
 * same bytes, hence the same addresses and the same data version.
 */
import { sha256 } from '../../lib/digest.js';
import { canonicalJson, fromEntries, getOwn, type JsonObject } from '../../lib/json.js';
import { DataFailure } from './data-failure.js';
import { SPLIT_CHARACTERS_MAX, SPLIT_ROWS_MAX } from './limits.js';
import type { Cell, Row } from './record.js';
import { type LabelledText, majorityLabel, type Side, type Split, split } from './split.js';
import { normaliseText } from '../transform/text.js';
import { didYouMeanInside } from '../../lib/suggest.js';

export interface PreprocessParameters {
  readonly textColumn?: string;
  readonly labelColumn?: string;
  /** Label name -> id from 0 without gaps; absent: the labels found, sorted by name. */
  readonly labelMap?: { readonly [label: string]: number };
  readonly clean?: {
    readonly trim?: boolean;
    readonly collapseWhitespace?: boolean;
    /** `NFC` (default), or false. */
    readonly unicode?: 'NFC' | 'NFKC' | false;
    readonly lowercase?: boolean;
    readonly dropEmpty?: boolean;
    readonly dropDuplicates?: boolean;
  };
  readonly split?: {
    readonly testSize?: number;
    readonly validationSize?: number;
    readonly seed?: number | string;
    readonly stratify?: boolean;
  };
  readonly onUnknownLabel?: 'drop' | 'fail';
  /** Columns that go along with each text, for slices and fairness; not learned from. */
  readonly keepColumns?: readonly string[];
}

export interface PreprocessWorld {
  rows(): AsyncIterable<readonly Row[]>;
  readonly address: string;
  put(side: Side, bytes: AsyncIterable<Uint8Array>): Promise<{ uri: string; sha256: string }>;
  progress(rows: number): void;
}

const tooFew = (reason: string) => new DataFailure('DataPreparation.TooFewRows', reason);
const unknownLabel = (reason: string) => new DataFailure('DataPreparation.UnknownLabel', reason);
const badLabelMap = (reason: string) => new DataFailure('DataPreparation.BadLabelMap', reason);
const missingColumn = (reason: string) => new DataFailure('DataPreparation.MissingColumn', reason);

export async function preprocess(
  parameters: PreprocessParameters,
  world: PreprocessWorld,
): Promise<JsonObject> {
  const settings = settingsOf(parameters);
  const gathered = await gather(settings, world);
  const labelMap = settings.labelMap ?? mapOf(gathered.rows);
  const labels = labelsInOrder(labelMap);
  const labelled = gathered.rows.map((row) => ({
    ...row,
    labelId: getOwn(labelMap, row.label) as number,
  }));
  const kept = settings.clean.dropDuplicates ? withoutDuplicates(labelled) : whole(labelled);
  const sides = split(kept.rows, settings.split);
  refuseEmpty(sides, settings.split, world.address);
  const stored = await store(sides, settings.split.validationSize > 0, world);
  const sizes = (side: Side) => sides[side].length;
  const dropped = {
    duplicates: kept.duplicates,
    empty: gathered.empty,
    unknownLabel: gathered.unknown,
  };
  const used = Object.keys(stored) as Side[];
  return {
    ...fromEntries(used.map((side) => [side, { uri: stored[side]?.uri ?? '', rows: sizes(side) }])),
    trainSize: sizes('train'),
    testSize: sizes('test'),
    validationSize: sizes('validation'),
    labels,
    labelMap,
    labelCounts: fromEntries(used.map((side) => [side, countLabels(sides[side], labels)])),
    dropped,
    conflictingLabels: kept.conflicting,
    dataVersion: versionOf(stored, labelMap, settings),
  };
}

type Settings = ReturnType<typeof settingsOf>;

function settingsOf(parameters: PreprocessParameters) {
  const clean = { ...DEFAULT_CLEAN, ...parameters.clean };
  const given = { ...DEFAULT_SPLIT, ...parameters.split };
  if (given.testSize + given.validationSize >= 1) {
    throw new DataFailure(
      'DataPreparation.BadSplit',
      `testSize ${given.testSize} and validationSize ${given.validationSize} leave nothing to train on.`,
    );
  }
  const labelMap = parameters.labelMap ?? null;
  if (labelMap !== null) checkLabelMap(labelMap);
  return {
    textColumn: parameters.textColumn ?? 'text',
    labelColumn: parameters.labelColumn ?? 'label',
    onUnknownLabel: parameters.onUnknownLabel ?? 'fail',
    labelMap,
    keepColumns: keptColumns(parameters.keepColumns ?? []),
    clean,
    split: given,
  };
}

/** The columns that every prepared row has already. */
const OWN_COLUMNS = ['text', 'label', 'labelId'];

function keptColumns(names: readonly string[]): readonly string[] {
  const own = names.find((name) => OWN_COLUMNS.includes(name));
  if (own === undefined) return names;
  const reason = `keepColumns: "${own}" is a column that every prepared row has already.`;
  throw new DataFailure('DataPreparation.BadColumn', reason);
}

const DEFAULT_CLEAN = {
  trim: true,
  collapseWhitespace: true,
  unicode: 'NFC' as 'NFC' | 'NFKC' | false,
  lowercase: false,
  dropEmpty: true,
  dropDuplicates: true,
};
const DEFAULT_SPLIT = {
  testSize: 0.2,
  validationSize: 0,
  seed: 42 as number | string,
  stratify: true,
};

/** A classifier's outputs are numbered from 0 without gaps; another map would train a wrong head. */
function checkLabelMap(labelMap: { readonly [label: string]: number }): void {
  const ids = Object.values(labelMap).sort((a, b) => a - b);
  if (ids.length > 0 && ids.every((id, index) => id === index)) return;
  throw badLabelMap(
    `labelMap must number its labels 0, 1, 2 … without gaps, found ${ids.join(', ')}.`,
  );
}

type Unnumbered = Omit<LabelledText, 'labelId'>;

interface Gathered {
  readonly rows: readonly Unnumbered[];
  readonly empty: number;
  readonly unknown: number;
}

async function gather(settings: Settings, world: PreprocessWorld): Promise<Gathered> {
  const rows: Unnumbered[] = [];
  let empty = 0;
  let unknown = 0;
  let seen = 0;
  let characters = 0;
  for await (const batch of world.rows()) {
    for (const row of batch) {
      seen++;
      const text = clean(cellOf(row, settings.textColumn, seen, world), settings);
      if (text === '' && settings.clean.dropEmpty) {
        empty++;
        continue;
      }
      const label = labelOf(row, seen, settings, world);
      if (label === null) {
        unknown++;
        continue;
      }
      const kept = settings.keepColumns.map(
        (column) => [column, cellOf(row, column, seen, world)] as const,
      );
      rows.push(
        kept.length === 0 ? { text, label } : { text, label, kept: fromEntries(kept) as Row },
      );
      characters += text.length;
      if (rows.length > SPLIT_ROWS_MAX || characters > SPLIT_CHARACTERS_MAX) throw tooMany();
    }
    world.progress(seen);
  }
  if (rows.length === 0) {
    const why = `${seen} rows read, ${empty} without text, ${unknown} with an unknown label`;
    throw tooFew(`${world.address}: no usable rows (${why}).`);
  }
  return { rows, empty, unknown };
}

function tooMany(): Error {
  return new DataFailure(
    'DataPreparation.TooManyRows',
    `more than ${SPLIT_ROWS_MAX} rows or ${SPLIT_CHARACTERS_MAX} characters: set limit in ml:ingest.`,
  );
}

function cellOf(row: Row, column: string, number: number, world: PreprocessWorld): Cell {
  if (Object.hasOwn(row, column)) return row[column] as Cell;
  const names = Object.keys(row);
  throw missingColumn(
    `${world.address}, row ${number}: there is no column "${column}"${didYouMeanInside(column, names)}. ` +
      `It has: ${names.join(', ')}. Set textColumn and labelColumn.`,
  );
}

function clean(value: Cell, { clean: rules }: Settings): string {
  return normaliseText(value === null ? '' : String(value), rules);
}

function labelOf(
  row: Row,
  number: number,
  settings: Settings,
  world: PreprocessWorld,
): string | null {
  const value = cellOf(row, settings.labelColumn, number, world);
  const label = value === null ? null : String(value).trim();
  const { labelMap } = settings;
  const known =
    label !== null && label !== '' && (labelMap === null || Object.hasOwn(labelMap, label));
  if (known) return label;
  if (settings.onUnknownLabel === 'drop') return null;
  const names = labelMap === null ? [] : Object.keys(labelMap);
  const hint = label === null ? '' : didYouMeanInside(label, names);
  throw unknownLabel(
    `${world.address}, row ${number}: the label ${JSON.stringify(label)} is not in labelMap${hint}. ` +
      `Known: ${names.join(', ')}. Mend the row, or set onUnknownLabel to "drop".`,
  );
}

function mapOf(rows: Gathered['rows']): { readonly [label: string]: number } {
  const labels = [...new Set(rows.map((row) => row.label))].sort();
  return fromEntries(labels.map((label, id) => [label, id])) as {
    readonly [label: string]: number;
  };
}

function labelsInOrder(labelMap: { readonly [label: string]: number }): readonly string[] {
  return Object.entries(labelMap)
    .sort((a, b) => a[1] - b[1])
    .map(([label]) => label);
}

interface Kept {
  readonly rows: readonly LabelledText[];
  readonly duplicates: number;
  /** Texts that stood there under more than one label; the majority decides. */
  readonly conflicting: number;
}

const whole = (rows: readonly LabelledText[]): Kept => ({ rows, duplicates: 0, conflicting: 0 });

function withoutDuplicates(rows: readonly LabelledText[]): Kept {
  const byText = new Map<string, LabelledText[]>();
  for (const row of rows) {
    const same = byText.get(row.text);
    if (same === undefined) byText.set(row.text, [row]);
    else same.push(row);
  }
  let conflicting = 0;
  const kept = [...byText.values()].map((same) => {
    const label = majorityLabel(same);
    if (same.some((row) => row.label !== label)) conflicting++;
    // Among equal texts the columns kept decide, never the order of the rows.
    const alike = same.filter((row) => row.label === label);
    return alike.reduce((least, row) => (keptKey(row) < keptKey(least) ? row : least));
  });
  return { rows: kept, duplicates: rows.length - kept.length, conflicting };
}

const keptKey = (row: LabelledText): string => canonicalJson((row.kept ?? {}) as JsonObject);

function refuseEmpty(
  sides: Split,
  { testSize, validationSize }: Settings['split'],
  address: string,
): void {
  const wanted: readonly (readonly [Side, boolean])[] = [
    ['train', true],
    ['test', testSize > 0],
    ['validation', validationSize > 0],
  ];
  const empty = wanted.find(([side, needed]) => needed && sides[side].length === 0);
  if (empty === undefined) return;
  const rows = sides.train.length + sides.test.length + sides.validation.length;
  throw tooFew(
    `${address}: ${rows} usable rows are too few, the ${empty[0]} split would be empty.`,
  );
}

type Stored = { readonly [side in Side]?: { readonly uri: string; readonly sha256: string } };

async function store(sides: Split, validation: boolean, world: PreprocessWorld): Promise<Stored> {
  const train = await world.put('train', jsonLines(sides.train));
  const test = await world.put('test', jsonLines(sides.test));
  if (!validation) return { train, test };
  return { train, test, validation: await world.put('validation', jsonLines(sides.validation)) };
}

const LINES_AT_ONCE = 1_000;

async function* jsonLines(rows: readonly LabelledText[]): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < rows.length; from += LINES_AT_ONCE) {
    const part = rows.slice(from, from + LINES_AT_ONCE);
    const text = part.map(({ text, label, labelId, kept }) =>
      JSON.stringify({ text, label, labelId, ...kept }),
    );
    yield Buffer.from(`${text.join('\n')}\n`);
  }
}

function countLabels(rows: readonly LabelledText[], labels: readonly string[]): JsonObject {
  const counts = new Map(labels.map((label) => [label, 0]));
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  return fromEntries(counts);
}

/** Hash of what was learned from and how it was made: the bytes of each split, the map, the settings. */
function versionOf(stored: Stored, labelMap: JsonObject, settings: Settings): string {
  const parts = fromEntries(
    Object.entries(stored).map(([side, artifact]) => [side, artifact?.sha256 ?? '']),
  );
  const { clean: cleaning, split: dealing } = settings;
  return sha256(canonicalJson({ parts, labelMap, clean: cleaning, split: dealing }));
}
