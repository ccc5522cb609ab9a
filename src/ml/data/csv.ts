/**
 * CSV and TSV (RFC 4180), made to survive broken rows: after a stray or unclosed quote reading resumes at
 * the next line. Measured: csv-parse 7 with skip_records_with_error loses every row after a stray quote,
 * which is why this is our own; test/ml/data/csv.test.ts holds it equal to csv-parse on sound input.
 */
import type { Json } from '../../lib/json.js';
import { setOwn } from '../../lib/json.js';
import { badFormat } from './data-failure.js';
import { COLUMNS_MAX, CSV_RECORD_CHARACTERS_MAX, CSV_RECORD_LINES_MAX } from './limits.js';
import { type Line, lines } from './lines.js';
import { badRecord, type RecordStream, type Row, type SourceRecord } from './record.js';

export interface CsvOptions {
  /** One character; default `,` (TAB for tsv). */
  readonly delimiter?: string;
  /** One character, or '' for files that know no quoting (default of tsv). */
  readonly quote?: string;
  /** False: the columns are `columns`. Default true: the first line names them. */
  readonly header?: boolean;
  readonly columns?: readonly string[];
  /** Unquoted texts that mean null, beside the empty field. */
  readonly nullValues?: readonly string[];
}

type Field = { readonly text: string; readonly quoted: boolean };
type Parsed =
  | { readonly is: 'record'; readonly fields: readonly Field[] }
  | { readonly is: 'open' }
  | { readonly is: 'broken'; readonly problem: string };

export async function csvRecords(
  bytes: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): Promise<RecordStream> {
  const source = fieldBatches(bytes, options);
  const given = options.columns ?? null;
  if (options.header === false) {
    if (given === null) {
      throw badFormat('header is false: name the columns in csv.columns, in their order.');
    }
    return { columns: given, unit: 'line', typed: false, batches: rowsOf(source, given, options) };
  }
  try {
    const head = await firstRecord(source);
    const columns = given ?? headerOf(head);
    const batches = rowsOf(source, columns, options, head?.rest);
    return { columns, unit: 'line', typed: false, batches };
  } catch (error) {
    await source.return(undefined);
    throw error;
  }
}

type FieldRecord =
  | { readonly line: number; readonly fields: readonly Field[]; readonly text: string }
  | { readonly line: number; readonly problem: string; readonly text: string };
type FieldBatches = AsyncGenerator<readonly FieldRecord[]>;
type Head = { readonly first: FieldRecord; readonly rest: readonly FieldRecord[] };

async function firstRecord(source: FieldBatches): Promise<Head | null> {
  for (;;) {
    const next = await source.next();
    if (next.done) return null;
    const [first, ...rest] = next.value;
    if (first !== undefined) return { first, rest };
  }
}

function headerOf(head: Head | null): readonly string[] {
  if (head === null) {
    throw badFormat('the file is empty: expected a header line with the column names.');
  }
  const { first } = head;
  if ('problem' in first) throw badFormat(`line ${first.line} (the header): ${first.problem}.`);
  const names = first.fields.map((field) => field.text.trim());
  checkNames(names, `line ${first.line} (the header)`);
  return names;
}

function checkNames(names: readonly string[], where: string): void {
  if (names.length > COLUMNS_MAX) {
    throw badFormat(`${where}: ${names.length} columns, more than ${COLUMNS_MAX}.`);
  }
  const blank = names.indexOf('');
  if (blank !== -1) {
    throw badFormat(`${where}: column ${blank + 1} has no name. Name it, or set csv.columns.`);
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw badFormat(
      `${where}: the column "${twice}" occurs twice. Rename one, or set csv.columns.`,
    );
  }
}

async function* rowsOf(
  source: FieldBatches,
  columns: readonly string[],
  options: CsvOptions,
  rest: readonly FieldRecord[] = [],
): AsyncGenerator<readonly SourceRecord[]> {
  const nulls = new Set(options.nullValues ?? []);
  try {
    if (rest.length > 0) yield rest.map((record) => rowOf(record, columns, nulls));
    for await (const batch of source) yield batch.map((record) => rowOf(record, columns, nulls));
  } finally {
    // Also when the reader leaves at the first batch, before `source` was asked again.
    await source.return(undefined);
  }
}

function rowOf(
  record: FieldRecord,
  columns: readonly string[],
  nulls: ReadonlySet<string>,
): SourceRecord {
  if ('problem' in record) return badRecord(record.line, record.problem, record.text);
  const { fields, line, text } = record;
  if (fields.length !== columns.length) {
    const problem = `expected ${columns.length} fields (${columns.slice(0, 8).join(', ')}${
      columns.length > 8 ? ', …' : ''
    }), found ${fields.length}`;
    return badRecord(line, problem, text);
  }
  const row: Record<string, Json> = {};
  for (let i = 0; i < columns.length; i++) {
    const field = fields[i] as Field;
    const isNull = !field.quoted && (field.text === '' || nulls.has(field.text));
    setOwn(row, columns[i] as string, isNull ? null : field.text);
  }
  return { kind: 'row', line, row: row as Row };
}

/** Lines to field lists; holds the lines of an open quote so that a broken record costs one line. */
async function* fieldBatches(bytes: AsyncIterable<Uint8Array>, options: CsvOptions): FieldBatches {
  const parse = recordParser(options.delimiter ?? ',', options.quote ?? '"');
  const quote = options.quote ?? '"';
  let pending: Line[] = [];
  const drain = (final: boolean): FieldRecord[] => {
    const done: FieldRecord[] = [];
    while (pending.length > 0) {
      const [record, used] = nextRecord(pending, parse, quote, final);
      if (used === 0) break;
      pending = pending.slice(used);
      if (record !== null) done.push(record);
    }
    return done;
  };
  for await (const batch of lines(bytes)) {
    const done: FieldRecord[] = [];
    for (const line of batch) {
      const waiting = pending.length > 0;
      pending.push(line);
      if (waiting && !line.text.includes(quote) && !overlong(pending)) continue;
      done.push(...drain(false));
    }
    if (done.length > 0) yield done;
  }
  const last = drain(true);
  if (last.length > 0) yield last;
}

function overlong(pending: readonly Line[]): boolean {
  if (pending.length > CSV_RECORD_LINES_MAX) return true;
  let characters = 0;
  for (const line of pending) characters += line.text.length;
  return pending.length > 1 && characters > CSV_RECORD_CHARACTERS_MAX;
}

/** The record at the head of `pending` and how many lines it took; 0 lines: wait for more. */
function nextRecord(
  pending: readonly Line[],
  parse: (text: string) => Parsed,
  quote: string,
  final: boolean,
): [FieldRecord | null, number] {
  const first = pending[0] as Line;
  if (first.text === '') return [null, 1];
  const broken = (problem: string): [FieldRecord, number] => [
    { line: first.number, problem, text: first.text },
    1,
  ];
  if (!first.valid) {
    return broken('not valid UTF-8 (save the file as UTF-8, or set csv.encoding)');
  }
  for (let used = 1, text = first.text; ; ) {
    const parsed = parse(text);
    if (parsed.is === 'record') {
      return [{ line: first.number, fields: parsed.fields, text }, used];
    }
    if (parsed.is === 'broken') return broken(parsed.problem);
    const closing = pending.findIndex((line, i) => i >= used && line.text.includes(quote));
    if (closing === -1 && !final && !overlong(pending)) return [null, 0];
    const more = closing === -1 ? [] : pending.slice(used, closing + 1);
    if (more.length === 0 || overlong(pending.slice(0, closing + 1)) || !more.every(isValid)) {
      return broken('a quote opens here and is never closed');
    }
    text = [text, ...more.map((line) => line.text)].join('\n');
    used = closing + 1;
  }
}

const isValid = (line: Line) => line.valid;

function recordParser(delimiter: string, quote: string): (text: string) => Parsed {
  for (const [name, value] of [
    ['delimiter', delimiter],
    ['quote', quote],
  ] as const) {
    if (value.length > 1 || (name === 'delimiter' && value === '')) {
      throw badFormat(`csv.${name} must be one character, found "${value}".`);
    }
  }
  if (quote === '') {
    return (text) => ({
      is: 'record',
      fields: text.split(delimiter).map((field) => ({ text: field, quoted: false })),
    });
  }
  return (text) => parseQuoted(text, delimiter, quote);
}

function parseQuoted(text: string, delimiter: string, quote: string): Parsed {
  const fields: Field[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== quote) {
      const end = text.indexOf(delimiter, at);
      fields.push({ text: end === -1 ? text.slice(at) : text.slice(at, end), quoted: false });
      if (end === -1) return { is: 'record', fields };
      at = end + 1;
      continue;
    }
    let value = '';
    for (let from = at + 1; ; ) {
      const end = text.indexOf(quote, from);
      if (end === -1) return { is: 'open' };
      value += text.slice(from, end);
      at = end + 1;
      if (text[at] !== quote) break;
      value += quote;
      from = at + 1;
    }
    fields.push({ text: value, quoted: true });
    if (at >= text.length) return { is: 'record', fields };
    if (text[at] !== delimiter) {
      const found = JSON.stringify(text[at]);
      const problem = `field ${fields.length}: ${found} follows the closing quote (a quote inside must be doubled)`;
      return { is: 'broken', problem };
    }
    at++;
  }
}
