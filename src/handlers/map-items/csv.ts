/**
 * CSV as AWS reads it for Map Runs (reference 12.1): all values are strings; quoted fields may hold
 * delimiters and line breaks, `""` is a quote; a backslash escapes itself, a quote and the delimiter and
 * is dropped before anything else; short rows are filled with `""`, extra fields are skipped.
 */
import { fromEntries, getOwn, isArray, type Json, type JsonObject } from '../../lib/json.js';
import { readerFailed } from './failures.js';
import type { Text } from './text.js';

const DELIMITERS: Readonly<Record<string, string>> = {
  COMMA: ',',
  PIPE: '|',
  SEMICOLON: ';',
  SPACE: ' ',
  TAB: '\t',
};

const ROWS_PER_CHUNK = 500;

export async function* csvItems(text: Text, config: JsonObject): AsyncGenerator<readonly Json[]> {
  const delimiter = DELIMITERS[String(getOwn(config, 'CSVDelimiter') ?? 'COMMA')] ?? ',';
  let headers = getOwn(config, 'CSVHeaderLocation') === 'GIVEN' ? givenHeaders(config) : null;
  let items: Json[] = [];
  for await (const rows of csvRows(text, delimiter)) {
    for (const row of rows) {
      if (headers === null) headers = checked(row);
      else items.push(itemOf(headers, row));
      if (items.length === ROWS_PER_CHUNK) {
        yield items;
        items = [];
      }
    }
  }
  if (items.length > 0) yield items;
}

function givenHeaders(config: JsonObject): readonly string[] {
  const given = getOwn(config, 'CSVHeaders');
  if (!isArray(given)) throw readerFailed('CSVHeaders must be given.');
  return checked(given.map(String));
}

function checked(headers: readonly string[]): readonly string[] {
  if (new Set(headers).size === headers.length) return headers;
  throw readerFailed('CSV headers cannot contain duplicates.');
}

function itemOf(headers: readonly string[], row: readonly string[]): JsonObject {
  return fromEntries(headers.map((header, index) => [header, row[index] ?? '']));
}

/** Rows in pieces as the text comes; empty lines are none. */
export async function* csvRows(
  text: Text,
  delimiter: string,
): AsyncGenerator<readonly (readonly string[])[]> {
  const parser = createParser(delimiter);
  for await (const piece of text) {
    const rows = parser.push(piece);
    if (rows.length > 0) yield rows;
  }
  const rows = parser.end();
  if (rows.length > 0) yield rows;
}

function createParser(delimiter: string) {
  let rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let isQuoted = false;
  /** A quote inside of a quoted field: doubled, or its end? */
  let sawQuote = false;
  let sawBackslash = false;
  let sawReturn = false;

  const endField = (): void => {
    row.push(field);
    field = '';
  };
  const endRow = (): void => {
    if (row.length === 0 && field === '') return;
    endField();
    rows.push(row);
    row = [];
  };
  const plain = (char: string): void => {
    if (char === delimiter) endField();
    else if (char === '\n') endRow();
    else if (char === '\r') {
      endRow();
      sawReturn = true;
    } else if (char === '"' && field === '') isQuoted = true;
    else field += char;
  };
  const step = (char: string): void => {
    if (sawReturn) {
      sawReturn = false;
      if (char === '\n') return;
    }
    if (sawBackslash) {
      sawBackslash = false;
      if (char === '\\' || char === '"' || char === delimiter) {
        field += char;
        return;
      }
    } else if (char === '\\' && !sawQuote) {
      sawBackslash = true;
      return;
    }
    if (!isQuoted) return plain(char);
    if (sawQuote) {
      sawQuote = false;
      if (char === '"') {
        field += '"';
        return;
      }
      isQuoted = false;
      if (char === '\\') sawBackslash = true;
      else plain(char);
    } else if (char === '"') sawQuote = true;
    else field += char;
  };
  const take = (): readonly (readonly string[])[] => {
    const taken = rows;
    rows = [];
    return taken;
  };
  return {
    push: (text: string) => {
      for (let index = 0; index < text.length; index++) step(text[index] as string);
      return take();
    },
    end: () => {
      endRow();
      return take();
    },
  };
}
