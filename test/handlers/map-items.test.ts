import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvItems } from '../../src/handlers/map-items/csv.js';
import { createMapItems } from '../../src/handlers/map-items/index.js';
import { jsonItems, jsonLines } from '../../src/handlers/map-items/json.js';
import { createGuardedFiles } from '../../src/handlers/files.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, fail, mapMachine, PASS, task } from '../runtime/map-run-world.js';

/** Text in pieces of `size`, so that everything is cut everywhere. */
async function* pieces(text: string, size = 1): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function all(chunks: AsyncIterable<readonly Json[]>): Promise<Json[]> {
  const items: Json[] = [];
  for await (const chunk of chunks) items.push(...chunk);
  return items;
}

const FIRST_ROW = { CSVHeaderLocation: 'FIRST_ROW' };

describe('CSV items', () => {
  const given = (headers: string[]): JsonObject => ({
    CSVHeaderLocation: 'GIVEN',
    CSVHeaders: headers,
  });
  const table: [string, string, JsonObject, Json[]][] = [
    ['short rows are filled', 'a,b\n1\n', FIRST_ROW, [{ a: '1', b: '' }]],
    ['extra fields are skipped', 'a\n1,2,3\n', FIRST_ROW, [{ a: '1' }]],
    ['quotes hold delimiters and lines', 'a,b\n"1,\n2","x"\n', FIRST_ROW, [{ a: '1,\n2', b: 'x' }]],
    ['doubled quotes are one', 'a\n"say ""hi"""\n', FIRST_ROW, [{ a: 'say "hi"' }]],
    [
      'backslashes escape',
      'a,b\n1\\,2,\\"q\\" \\\\ \\n\n',
      FIRST_ROW,
      [{ a: '1,2', b: '"q" \\ n' }],
    ],
    ['empty lines are none', 'a\n\n1\r\n\r\n2', FIRST_ROW, [{ a: '1' }, { a: '2' }]],
    ['blank fields are kept', 'Value1,x\n   \n', given(['H1']), [{ H1: 'Value1' }, { H1: '   ' }]],
    ['other delimiters', 'a|b\n1|2', { ...FIRST_ROW, CSVDelimiter: 'PIPE' }, [{ a: '1', b: '2' }]],
    [
      'headers are ordinary names',
      '__proto__,constructor\n1,2',
      FIRST_ROW,
      [JSON.parse('{"__proto__":"1","constructor":"2"}') as Json],
    ],
  ];
  it.each(table)('%s', async (_name, text, config, expected) => {
    for (const size of [1, 3, 1000]) {
      expect(JSON.stringify(await all(csvItems(pieces(text, size), config)))).toBe(
        JSON.stringify(expected),
      );
    }
  });

  it('are refused when headers are doubled', async () => {
    const error = {
      error: 'States.ItemReaderFailed',
      reason: 'CSV headers cannot contain duplicates.',
    };
    await expect(all(csvItems(pieces('a,a\n1,2'), FIRST_ROW))).rejects.toMatchObject(error);
    await expect(all(csvItems(pieces('1,2'), given(['a', 'a'])))).rejects.toMatchObject(error);
  });
});

describe('JSON items', () => {
  it('are the elements of the array, however the text is cut', async () => {
    const json = fc.json().map((text) => JSON.parse(text) as Json);
    await fc.assert(
      fc.asyncProperty(fc.array(json), fc.integer({ min: 1, max: 9 }), async (value, size) => {
        const text = JSON.stringify(value, null, size % 3);
        expect(await all(jsonItems(pieces(text, size), null))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('are found by a pointer, past everything before', async () => {
    const text = JSON.stringify({ x: ['}', { y: 1 }], 'a/b': { '~': [[1], 'two', null] } });
    expect(await all(jsonItems(pieces(text), '/a~1b/~0'))).toEqual([[1], 'two', null]);
    expect(await all(jsonItems(pieces(text), '/a~1b/~0/0'))).toEqual([1]);
    expect(await all(jsonItems(pieces(text), '/a~1b'))).toEqual([
      { Key: '~', Value: [[1], 'two', null] },
    ]);
  });

  it('are refused where there is no array', async () => {
    const error = { reason: 'Attempting to map over non-iterable node.' };
    await expect(all(jsonItems(pieces('{"Hello": "world"}'), null))).rejects.toMatchObject(error);
    await expect(all(jsonItems(pieces('{"a": 1}'), '/b'))).rejects.toMatchObject(error);
    await expect(all(jsonItems(pieces('[1, 2'), null))).rejects.toMatchObject({
      error: 'States.ItemReaderFailed',
    });
  });

  it('may stand on lines', async () => {
    expect(await all(jsonLines(pieces('{"a":1}\n\n[2]\r\n"three"', 4)))).toEqual([
      { a: 1 },
      [2],
      'three',
    ]);
  });
});

describe('files as items and results', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'map-items-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const world = (functions = {}) => {
    const files = createGuardedFiles({ roots: [folder], base: folder });
    return createWorld({ functions, mapItems: createMapItems({ files }) });
  };
  const reader = (path: string, config: JsonObject) => ({
    ItemReader: { Resource: 'file:read', Parameters: { Path: path }, ReaderConfig: config },
  });

  it('are read from gzip and limited by MaxItems', async () => {
    await writeFile(join(folder, 'lines.jsonl.gz'), gzipSync('1\n2\n3\n'));
    const { run } = await world();
    const machine = mapMachine(reader('lines.jsonl.gz', { InputType: 'JSONL', MaxItems: 2 }), PASS);
    expect((await run(machine, {})).outcome).toEqual({ ok: true, output: [1, 2] });
  });

  it('are read from Parquet with nested values', async () => {
    const path = join(folder, 'rows.parquet');
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const rows = "SELECT 1 AS id, {'deep': [1, 2]} AS data UNION ALL SELECT 2, NULL";
    await connection.run(`COPY (${rows} ORDER BY id) TO '${path}' (FORMAT parquet)`);
    connection.closeSync();
    const { run } = await world();
    const machine = mapMachine(reader('rows.parquet', { InputType: 'PARQUET' }), PASS);
    expect((await run(machine, {})).outcome).toEqual({
      ok: true,
      output: [
        { id: 1, data: { deep: [1, 2] } },
        { id: 2, data: null },
      ],
    });
  });

  it('are listed, or loaded and flattened', async () => {
    await mkdir(join(folder, 'data/sub'), { recursive: true });
    await writeFile(join(folder, 'data/a.json'), '[1,2]');
    await writeFile(join(folder, 'data/sub/b.json'), '[3]');
    const { run } = await world();
    const listing = (config: JsonObject) =>
      mapMachine(
        {
          ItemReader: { Resource: 'file:list', Parameters: { Path: 'data' }, ReaderConfig: config },
        },
        PASS,
      );
    const listed = (await run(listing({}), {})).outcome as unknown as {
      output: { Key: string }[];
    };
    expect(listed.output.map(({ Key }) => Key)).toEqual(['a.json', 'sub/b.json']);
    const flat = listing({ InputType: 'JSON', Transformation: 'LOAD_AND_FLATTEN' });
    expect((await run(flat, {})).outcome).toMatchObject({ output: [1, 2, 3] });
  });

  it('outside the roots fail as States.ItemReaderFailed', async () => {
    const { run } = await world();
    const machine = mapMachine(reader('/etc/passwd', { InputType: 'JSONL' }), PASS);
    const { outcome } = await run(machine, {});
    expect(outcome).toMatchObject({ failure: { error: 'States.ItemReaderFailed' } });
  });

  it('are written with a manifest, failures and what was never started apart', async () => {
    const { run } = await world({ 'fn:some': (n: Json) => (n === 2 ? fail('Two', 'why') : n) });
    const writer = { Resource: 'file:write', Parameters: { Path: 'out' } };
    const machine = mapMachine(
      { MaxConcurrency: 1, ToleratedFailureCount: 1, ResultWriter: writer },
      task('fn:some'),
    );
    const { outcome } = await run(machine, [1, 2, 3]);
    const output = (outcome as { output: JsonObject }).output;
    const id = String(output.MapRunArn).split(':').at(-1);
    expect(output.ResultWriterDetails).toEqual({ Path: `out/${id}/manifest.json` });
    const read = async (name: string) =>
      JSON.parse(await readFile(join(folder, 'out', String(id), name), 'utf8'));
    const manifest = await read('manifest.json');
    expect(manifest.ResultFiles.SUCCEEDED).toHaveLength(1);
    expect(manifest.ResultFiles.FAILED).toHaveLength(1);
    expect(manifest.ResultFiles.PENDING).toEqual([]);
    const [one, three] = await read('SUCCEEDED_0.json');
    expect([one.Output, three.Output]).toEqual(['1', '3']);
    expect(Object.keys(one)).toEqual([...Object.keys(one)].sort());
    expect((await read('FAILED_0.json'))[0]).toMatchObject({
      Error: 'Two',
      Cause: 'why',
      Input: '2',
    });
  });

  it('hold what was pending when the Map Run failed', async () => {
    const { run } = await world({ 'fn:bad': () => fail('Bad') });
    const writer = {
      Resource: 'file:write',
      Parameters: { Path: 'failed' },
      WriterConfig: { OutputType: 'JSONL' },
    };
    const fields = { MaxConcurrency: 1, ResultWriter: writer };
    await run(mapMachine(fields, task('fn:bad')), [1, 2, 3]);
    const [id] = await readdir(join(folder, 'failed'));
    const text = await readFile(join(folder, 'failed', String(id), 'PENDING_0.jsonl'), 'utf8');
    const inputs = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).Input);
    expect(inputs).toEqual(['2', '3']);
  });

  it('shape the result of the state when nothing is exported', async () => {
    const { run } = await world();
    const machine = mapMachine(
      { ResultWriter: { WriterConfig: { Transformation: 'FLATTEN' } } },
      PASS,
    );
    expect((await run(machine, [[1, 2], 3, []])).outcome).toEqual({ ok: true, output: [1, 2, 3] });
  });
});
