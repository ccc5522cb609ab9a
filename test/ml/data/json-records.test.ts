import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../../src/lib/json.js';
import { jsonLinesRecords, jsonRecords } from '../../../src/ml/data/json-records.js';
import type { RecordStream, SourceRecord } from '../../../src/ml/data/record.js';

async function* chunks(text: string | Uint8Array, size = 1 << 16) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(stream: RecordStream): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  for await (const batch of stream.batches) records.push(...batch);
  return records;
}

const read = async (text: string, rowsAt: string | null = null, size?: number) =>
  await all(await jsonRecords(chunks(text, size), rowsAt));

test('an array is read element by element; a broken element costs one record', async () => {
  const records = await read('[{"a":1}, {"a":tru}, 5, {"a":"],[{"},{"b":{"z":1,"y":[2]}}]');
  expect(records).toEqual([
    { kind: 'row', line: 1, row: { a: 1 } },
    expect.objectContaining({ kind: 'bad', line: 2, problem: expect.stringContaining('not JSON') }),
    expect.objectContaining({
      kind: 'bad',
      line: 3,
      problem: 'expected an object, found a number',
    }),
    { kind: 'row', line: 4, row: { a: '],[{' } },
    { kind: 'row', line: 5, row: { b: '{"y":[2],"z":1}' } },
  ]);
});

test.each([
  ['', /empty/],
  ['{"items":[{"a":1}],"next":null}', /Set rowsAt to the array of rows: "items"/],
  ['{"a":1}\n{"a":2}\n', /set format to "jsonl"/],
  ['[{"a":1}', /not closed.*element/],
  ['[{"a":1}] trailing', /goes on with "t"/],
  ['hello', /begins with "h"/],
])('the document %j is refused with its mend', async (text, reason) => {
  await expect(read(text)).rejects.toThrow(reason);
});

test('rowsAt leads to an array inside a document', async () => {
  expect(await read('{"data":{"items":[{"a":1}]}}', 'data.items')).toEqual([
    { kind: 'row', line: 1, row: { a: 1 } },
  ]);
  await expect(read('{"data":{}}', 'data.items')).rejects.toThrow(/leads to nothing/);
});

test('JSON Lines: blank lines are skipped, others keep their number; depth bombs are broken rows', async () => {
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  const records = await all(jsonLinesRecords(chunks(`{"a":1}\n\n{"a":\n{"a":${deep}}\n{"a":2}`)));
  expect(records.map((record) => [record.line, record.kind])).toEqual([
    [1, 'row'],
    [3, 'bad'],
    [4, 'bad'],
    [5, 'row'],
  ]);
});

test('any array of objects survives any chunking', async () => {
  const rows = fc.array(
    fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (given, size, pretty) => {
        const text = JSON.stringify(given, null, pretty ? 2 : 0);
        const records = await read(text, null, size);
        const found = records.map((record) => (record.kind === 'row' ? record.row : record));
        expect(JSON.stringify(found)).toBe(JSON.stringify(given as Json));
      },
    ),
    { numRuns: 200 },
  );
});
