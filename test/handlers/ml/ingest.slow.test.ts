import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ingestHandler } from '../../../src/handlers/ml/ingest.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

const ingest = ingestHandler();
let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => at.close());

const file = (path: string, more = {}) => ({ source: { type: 'file', path, ...more } });

test('a CSV file becomes a canonical dataset; the same input twice has the same address', async () => {
  await at.write(
    'in.csv',
    'text,stars,seen,zip\nhello,5,true,00501\n"a, b",3.5,false,10001\n,,,\n',
  );
  const first = await at.run(ingest, file('in.csv'));
  expect(first).toMatchObject({ rows: 3, bytes: expect.any(Number) });
  expect(first.columns).toEqual([
    { name: 'text', type: 'string', nulls: 1 },
    { name: 'stars', type: 'number', nulls: 1 },
    { name: 'seen', type: 'boolean', nulls: 1 },
    { name: 'zip', type: 'string', nulls: 1 },
  ]);
  expect(await at.rows(String(first.uri))).toEqual([
    { text: 'hello', stars: 5, seen: true, zip: '00501' },
    { text: 'a, b', stars: 3.5, seen: false, zip: '10001' },
    { text: null, stars: null, seen: null, zip: null },
  ]);
  const second = await at.run(ingest, file('in.csv'));
  expect(second.uri).toBe(first.uri);
});

test('the same rows as CSV, TSV, JSON, JSON Lines, gzip and Parquet have one address', async () => {
  const rows = [
    { text: 'good "one"', n: 1, ok: true, none: null },
    { text: 'línea', n: -2.5, ok: false, none: null },
  ];
  await at.write('a.csv', 'text,n,ok,none\n"good ""one""",1,true,\nlínea,-2.5,false,\n');
  await at.write('a.tsv', 'text\tn\tok\tnone\ngood "one"\t1\ttrue\t\nlínea\t-2.5\tfalse\t\n');
  await at.write('a.json', JSON.stringify(rows, null, 2));
  await at.write('a.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  await at.write('a.jsonl.gz', gzipSync(rows.map((row) => JSON.stringify(row)).join('\n')));
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const values = `('good "one"', 1::DOUBLE, true, NULL::VARCHAR), ('línea', -2.5, false, NULL)`;
  await connection.run(
    `COPY (SELECT * FROM (VALUES ${values}) t(text, n, ok, "none")) TO '${join(at.folder, 'a.parquet')}'`,
  );
  connection.closeSync();
  const uris = [];
  for (const name of ['a.csv', 'a.tsv', 'a.json', 'a.jsonl', 'a.jsonl.gz', 'a.parquet']) {
    uris.push((await at.run(ingest, file(name))).uri);
  }
  expect(new Set(uris).size).toBe(1);
});

test('Parquet types arrive as JSON has them', async () => {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const path = join(at.folder, "t'1.parquet");
  await connection.run(`COPY (SELECT 9007199254740993::BIGINT AS big, 7::BIGINT AS small,
    12.50::DECIMAL(10,2) AS price, DATE '2026-01-02' AS day,
    TIMESTAMP '2026-01-02 03:04:05.120' AS local, TIMESTAMPTZ '2026-01-02 03:04:05+02' AS instant,
    [1,2] AS list, {'b': 1, 'a': 'x'} AS struct, 'ab'::BLOB AS bytes, 'NaN'::DOUBLE AS nan)
    TO '${path.replace("'", "''")}'`);
  connection.closeSync();
  const result = await at.run(ingest, file("t'1.parquet"));
  expect(await at.rows(String(result.uri))).toEqual([
    {
      big: '9007199254740993',
      small: 7,
      price: 12.5,
      day: '2026-01-02',
      local: '2026-01-02T03:04:05.12',
      instant: '2026-01-02T01:04:05Z',
      list: '[1,2]',
      struct: '{"b":1,"a":"x"}',
      bytes: 'YWI=',
      nan: null,
    },
  ]);
});

test('columns are selected, renamed and cast; a value that does not fit names row and column', async () => {
  await at.write('in.csv', 'id,body,when\n1,hi,2026-01-02 10:00:00+02\n2,yo,2026-01-03\n');
  const parameters = {
    ...file('in.csv'),
    columns: { text: 'body', at: 'when' },
    types: { at: 'timestamp' },
  };
  const result = await at.run(ingest, parameters);
  expect(await at.rows(String(result.uri))).toEqual([
    { text: 'hi', at: '2026-01-02T08:00:00.000Z' },
    { text: 'yo', at: '2026-01-03T00:00:00' },
  ]);
  const failure = await failureOf(at.run(ingest, { ...parameters, types: { text: 'number' } }));
  expect(failure.reason).toContain('in.csv, line 2: column "text": "hi" is no number');
  const unknown = await failureOf(at.run(ingest, { ...file('in.csv'), columns: ['bodi'] }));
  expect(unknown).toMatchObject({ error: 'DataSource.BadFormat' });
  expect(unknown.reason).toContain(
    'no column "bodi" (did you mean "body"?). It has: id, body, when',
  );
});

test('a broken row fails with its line, or is skipped, counted and shown', async () => {
  await at.write('in.csv', 'a,b\n1,2\n3\n"x"y,4\n5,6\n');
  const failure = await failureOf(at.run(ingest, file('in.csv')));
  expect(failure.error).toBe('DataSource.BadFormat');
  expect(failure.reason).toBe(
    'in.csv, line 3: expected 2 fields (a, b), found 1. It reads: "3". Mend the row, or set onBadRow to "skip".',
  );
  const result = await at.run(ingest, { ...file('in.csv'), onBadRow: 'skip' });
  expect(result).toMatchObject({ rows: 2, badRows: { count: 2 } });
  expect((result.badRows as { first: unknown[] }).first[1]).toMatchObject({
    line: 4,
    text: '"x"y,4',
  });
  const many = await failureOf(
    at.run(ingest, { ...file('in.csv'), onBadRow: 'skip', maxBadRows: 1 }),
  );
  expect(many.reason).toContain('More than 1 broken rows');
});

test('ragged JSON rows all get every column, in one order', async () => {
  await at.write('in.jsonl', '{"a":1}\n{"b":{"x":[1]},"a":2}\n');
  const result = await at.run(ingest, file('in.jsonl'));
  expect(await at.rows(String(result.uri))).toEqual([
    { a: 1, b: null },
    { a: 2, b: '{"x":[1]}' },
  ]);
  expect(result.columns).toEqual([
    { name: 'a', type: 'integer', nulls: 0 },
    { name: 'b', type: 'string', nulls: 1 },
  ]);
});

test.each([
  ['missing.csv', 'DataSource.NotFound', /missing\.csv/],
  ['/etc/passwd', 'DataSource.AccessDenied', /outside the folders/],
  ['data.bin', 'DataSource.BadFormat', /set format to one of csv, tsv, json/],
  ['utf16.csv', 'DataSource.BadFormat', /UTF-16.*csv\.encoding/],
  ['empty.csv', 'DataSource.BadFormat', /empty: expected a header/],
  ['no.parquet', 'DataSource.BadFormat', /not a readable Parquet file/],
  ['cut.csv.gz', 'DataSource.BadFormat', /gzip/],
])('%s fails as %s with a reason to act on', async (name, error, reason) => {
  await at.write('data.bin', 'x');
  await at.write('utf16.csv', Buffer.from('\uFEFFa,b\n', 'utf16le'));
  await at.write('empty.csv', '');
  await at.write('no.parquet', 'PAR1 but not really');
  await at.write('cut.csv.gz', gzipSync('a,b\n1,2\n'.repeat(100)).subarray(0, 30));
  const failure = await failureOf(at.run(ingest, file(name)));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
  expect(failure.reason).toContain(name);
});

test('latin1 and UTF-16 are read when they are named', async () => {
  await at.write('l1.csv', Buffer.from('t\ncafé\n', 'latin1'));
  await at.write('u16.csv', Buffer.from('\uFEFFt\ncafé\n', 'utf16le'));
  const one = await at.run(ingest, file('l1.csv', { csv: { encoding: 'latin1' } }));
  const two = await at.run(ingest, file('u16.csv', { csv: { encoding: 'utf-16le' } }));
  expect(await at.rows(String(one.uri))).toEqual([{ t: 'café' }]);
  expect(two.uri).toBe(one.uri);
});

test('limit stops reading; abort stops it with the reason of the signal', async () => {
  await at.write('in.csv', `a\n${'1\n'.repeat(5000)}`);
  expect(await at.run(ingest, { ...file('in.csv'), limit: 7 })).toMatchObject({ rows: 7 });
  at.abort(new Error('the state timed out'));
  await expect(at.run(ingest, file('in.csv'))).rejects.toThrow('the state timed out');
});

test('parameters are checked by source type', async () => {
  const failure = await failureOf(
    at.run(ingest, { source: { type: 'postgres', query: 'SELECT 1' } }),
  );
  expect(failure.reason).toBe('"connection" is missing at /source.');
  const typo = await failureOf(at.run(ingest, file('a.csv', { fromat: 'csv' })));
  expect(typo.reason).toContain('"fromat" at /source is not a known key. Did you mean "format"?');
});

test('a secret in an address never reaches the cause', async () => {
  const own = await bench({ token: 's3cr3t-value' });
  const url = 'http://127.0.0.1:1/data.csv?key=secret://token';
  const failure = await failureOf(own.run(ingest, { source: { type: 'http', url } }));
  expect(failure.error).toBe('DataSource.Unreachable');
  expect(failure.reason).toContain('http://127.0.0.1:1/data.csv?…');
  expect(failure.reason + own.logged.join()).not.toContain('s3cr3t');
  await own.close();
});

test('inference never changes what a column says: every converted value prints as it was read', async () => {
  const word = fc.oneof(
    fc.integer().map(String),
    fc.constantFrom('true', 'false', '007', '1e5', '12345678901234567', '-0', '1.5', 'NaN', 'x'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 5 }), async (words) => {
      await writeFile(join(at.folder, 'p.csv'), `w\n${words.join('\n')}\n`);
      const result = await at.run(ingest, file('p.csv'));
      const rows = await at.rows(String(result.uri));
      const back = rows.map((row) => row.w);
      back.forEach((value, i) => {
        if (typeof value === 'number') expect(Number(words[i])).toBe(value);
        else expect(String(value)).toBe(words[i]);
      });
      expect(new Set(back.map((value) => typeof value)).size).toBe(1);
    }),
    { numRuns: 100 },
  );
});

test('100 MB stream through with flat memory', async () => {
  const row = `${'lorem ipsum dolor '.repeat(25)},12,positive\n`;
  await writeFile(join(at.folder, 'big.csv'), `text,n,label\n${row.repeat(220_000)}`);
  let bytes = 0;
  const put = async (content: Uint8Array | AsyncIterable<Uint8Array>) => {
    for await (const chunk of content as AsyncIterable<Uint8Array>) bytes += chunk.length;
    return { uri: 'artifact://sha256/00', sha256: '00', bytes };
  };
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = () => {
    collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  const before = held();
  let most = 0;
  const context = {
    ...at.context,
    artifacts: { ...at.context.artifacts, put },
    progress: () => void (most = Math.max(most, held() - before)),
  };
  const result = (await ingest.run(file('big.csv'), context)) as { rows: number };
  expect(result.rows).toBe(220_000);
  expect(bytes).toBeGreaterThan(100e6);
  expect(most).toBeLessThan(16e6);
});

test('no file stays open, whatever went wrong', async () => {
  await at.write('in.csv', 'a,b\n1,2\n3\n');
  await at.write('twice.csv', 'a,a\n1,2\n');
  await at.write('in.json', '{"a":1}');
  const opened = async () => (await readdir('/proc/self/fd')).length;
  await failureOf(at.run(ingest, file('in.csv')));
  const before = await opened();
  for (let i = 0; i < 5; i++) {
    await failureOf(at.run(ingest, file('in.csv')));
    await failureOf(at.run(ingest, { ...file('in.csv'), columns: ['c'] }));
    await failureOf(at.run(ingest, file('twice.csv')));
    await failureOf(at.run(ingest, file('in.json')));
    await at.run(ingest, { ...file('in.csv'), limit: 1 });
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await opened()).toBeLessThanOrEqual(before + 1);
});
