import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CsvOptions, csvRecords } from '../../../src/ml/data/csv.js';
import type { SourceRecord } from '../../../src/ml/data/record.js';

async function* chunks(text: string | Uint8Array, size = 1 << 16) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string | Uint8Array, options: CsvOptions = {}, size?: number) {
  const records = await csvRecords(chunks(text, size), options);
  const all: SourceRecord[] = [];
  for await (const batch of records.batches) all.push(...batch);
  return { columns: records.columns, all };
}

const rowsOf = (all: readonly SourceRecord[]) =>
  all.flatMap((record) => (record.kind === 'row' ? [record.row] : []));
const badOf = (all: readonly SourceRecord[]) =>
  all.flatMap((record) => (record.kind === 'bad' ? [record] : []));

test('quoted fields may hold delimiters, doubled quotes and line breaks; CRLF, a mark and blank lines are fine', async () => {
  const { columns, all } = await read('\uFEFFa,b\r\n1,"x, ""y""\r\nz"\r\n\r\n2,\r\n3,""\r\n');
  expect(columns).toEqual(['a', 'b']);
  expect(rowsOf(all)).toEqual([
    { a: '1', b: 'x, "y"\nz' },
    { a: '2', b: null },
    { a: '3', b: '' },
  ]);
});

test('a stray or unclosed quote and a wrong field count cost one row each and name their line', async () => {
  const { all } = await read('a,b\n1,2\n"x"y,3\n4,5\n"never closed,6\n7,8,9\n10,11\n');
  expect(rowsOf(all)).toEqual([
    { a: '1', b: '2' },
    { a: '4', b: '5' },
    { a: '10', b: '11' },
  ]);
  expect(badOf(all).map(({ line, problem }) => [line, problem])).toEqual([
    [3, 'field 1: "y" follows the closing quote (a quote inside must be doubled)'],
    [5, 'a quote opens here and is never closed'],
    [6, 'expected 2 fields (a, b), found 3'],
  ]);
});

test('an unclosed quote does not swallow the quoted rows after it', async () => {
  const { all } = await read('a,b\n"open,1\n"q",2\n3,"r"\n');
  expect(rowsOf(all)).toEqual([
    { a: 'q', b: '2' },
    { a: '3', b: 'r' },
  ]);
  expect(badOf(all).map((record) => record.line)).toEqual([2]);
});

test('a broken byte makes its own row a broken one', async () => {
  const bytes = Buffer.concat([
    Buffer.from('a\nfine\nbr'),
    Buffer.from([0xff]),
    Buffer.from('ken\nok\n'),
  ]);
  const { all } = await read(bytes);
  expect(rowsOf(all)).toEqual([{ a: 'fine' }, { a: 'ok' }]);
  expect(badOf(all)[0]).toMatchObject({ line: 3, problem: expect.stringContaining('UTF-8') });
});

test.each([
  ['', /empty: expected a header/],
  ['a,,c\n', /column 2 has no name/],
  ['a,b,a\n', /column "a" occurs twice/],
])('the header %j is refused with its reason', async (text, reason) => {
  await expect(read(text)).rejects.toThrow(reason);
});

test('TSV without quoting keeps quotes as they stand; columns may be given without a header', async () => {
  const options = { delimiter: '\t', quote: '', header: false, columns: ['label', 'text'] };
  const { all } = await read('neg\tso "new" it broke\npos\t"yes\n', options);
  expect(rowsOf(all)).toEqual([
    { label: 'neg', text: 'so "new" it broke' },
    { label: 'pos', text: '"yes' },
  ]);
});

test('__proto__ and constructor are ordinary columns', async () => {
  const { all } = await read('__proto__,constructor\n1,2\n');
  const [row] = rowsOf(all);
  expect(Object.keys(row ?? {})).toEqual(['__proto__', 'constructor']);
  expect(({} as Record<string, unknown>)['1']).toBeUndefined();
});

const field = fc.oneof(fc.string(), fc.constantFrom('', '"', ',', '\n', '\r\n', 'é😀', ' x '));
const table = fc
  .integer({ min: 1, max: 4 })
  .chain((width) =>
    fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1 }),
  );
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

test('whatever is written quoted is read back, in chunks of any size', async () => {
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 7 }), async (rows, size) => {
      const columns = (rows[0] as string[]).map((_, i) => `c${i}`);
      const lines = [columns, ...rows].map((row) => row.map(quoted).join(','));
      const { all } = await read(`${lines.join('\n')}\n`, {}, size);
      expect(badOf(all)).toEqual([]);
      const texts = rowsOf(all).map((row) => columns.map((name) => row[name]));
      // Line ends inside a field are read as LF.
      expect(texts).toEqual(rows.map((row) => row.map((text) => text.replaceAll('\r\n', '\n'))));
    }),
    { numRuns: 200 },
  );
});

test('sound input reads as csv-parse reads it', async () => {
  const plain = fc.string().map((text) => text.replace(/[",\r\n\uFEFF]/g, ''));
  const cell = fc.oneof(plain, field.map(quoted)).map((text) => text.replaceAll('\r', ''));
  const rows = fc.array(fc.tuple(cell, cell), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(rows, async (given) => {
      const text = `a,b\n${given.map((row) => row.join(',')).join('\n')}\n`;
      const { all } = await read(text);
      const oracle = parse(text, { columns: true, record_delimiter: '\n' }) as {
        a: string;
        b: string;
      }[];
      expect(rowsOf(all).map((row) => ({ a: row.a ?? '', b: row.b ?? '' }))).toEqual(oracle);
    }),
    { numRuns: 200 },
  );
});

test('no input whatsoever throws anything but a named failure, and every line is accounted for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const text = Buffer.concat([Buffer.from('a,b\n'), bytes]);
      try {
        await read(text, {}, 3);
      } catch (error) {
        expect((error as Error).name).toBe('DataFailure');
      }
    }),
    { numRuns: 300 },
  );
});
