import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ingestHandler } from '../../src/handlers/ml/ingest.js';
import { type Bench, bench, failureOf } from './support/handler-context.js';
import {
  POSTGRES_MISSING,
  type Postgres,
  postgresBinaries,
  startPostgres,
} from './support/postgres.js';

const bin = postgresBinaries();
if (bin === null) console.warn(POSTGRES_MISSING);

/** Word for word from the mission. */
const MISSION_SQL =
  "SELECT text, sentiment FROM customer_feedback WHERE created_at > NOW() - INTERVAL '7 days'";

describe.skipIf(bin === null)('ml:ingest from Postgres', () => {
  const ingest = ingestHandler();
  let postgres: Postgres;
  let at: Bench;

  beforeAll(async () => {
    postgres = await startPostgres(bin as string);
    await postgres.sql(`
      CREATE TABLE customer_feedback (text text, sentiment text, created_at timestamptz NOT NULL);
      INSERT INTO customer_feedback
        SELECT 'recent ' || i, (ARRAY['positive','neutral','negative'])[i % 3 + 1], NOW() - i * INTERVAL '1 minute'
        FROM generate_series(1, 5000) i;
      INSERT INTO customer_feedback SELECT 'old ' || i, 'positive', NOW() - INTERVAL '8 days' FROM generate_series(1, 50) i;
      INSERT INTO customer_feedback VALUES (NULL, 'neutral', NOW());
      CREATE ROLE reader LOGIN PASSWORD 'pass-w0rd';
      CREATE TABLE kinds (a int, b bigint, c numeric(10,2), d float8, e bool, f date, g timestamp, h timestamptz,
        i jsonb, j bytea, k text[], l numeric, m uuid, n text);
      INSERT INTO kinds VALUES (1, 9007199254740993, 12.50, 0.5, true, '2026-01-02', '2026-01-02 03:04:05',
        '2026-01-02 03:04:05.25+02', '{"b": [1], "a": null}', 'ab', '{x,y}', 123456789012345678.5,
        '00000000-0000-0000-0000-000000000001', NULL);
    `);
  });
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    at = await bench({
      feedback: postgres.url,
      wrongdb: `postgres://postgres@127.0.0.1:${postgres.port}/nowhere`,
      reader: `postgres://reader:pass-w0rd@127.0.0.1:${postgres.port}/postgres`,
      down: 'postgres://someone:hidden-pw@127.0.0.1:1/postgres',
    });
  });
  afterEach(() => at.close());

  const query = (text: string, more = {}) => ({
    source: { type: 'postgres', connection: 'feedback', query: text, ...more },
  });

  test('the SQL of the mission yields the rows of the last seven days, in pages', async () => {
    const result = await at.run(ingest, query(MISSION_SQL));
    expect(result).toMatchObject({
      rows: 5001,
      columns: [
        { name: 'text', type: 'string', nulls: 1 },
        { name: 'sentiment', type: 'string', nulls: 0 },
      ],
    });
    const rows = await at.rows(String(result.uri));
    expect(rows.some((row) => String(row.text).startsWith('old'))).toBe(false);
  });

  test('types arrive as JSON has them, and nothing loses digits', async () => {
    const result = await at.run(ingest, query('SELECT * FROM kinds;'));
    expect(await at.rows(String(result.uri))).toEqual([
      {
        a: 1,
        b: '9007199254740993',
        c: 12.5,
        d: 0.5,
        e: true,
        f: '2026-01-02',
        g: '2026-01-02T03:04:05',
        h: '2026-01-02T01:04:05.25Z',
        i: '{"a":null,"b":[1]}',
        j: 'YWI=',
        k: '{x,y}',
        l: '123456789012345678.5',
        m: '00000000-0000-0000-0000-000000000001',
        n: null,
      },
    ]);
  });

  test('parameters are bound, never spliced; an ordered query has a stable address', async () => {
    const sql =
      'SELECT text FROM customer_feedback WHERE sentiment = $1 AND text = ANY($2) ORDER BY text';
    const parameters = ['positive', ['recent 3', "x'; DROP TABLE kinds; --"]];
    const first = await at.run(ingest, query(sql, { parameters }));
    expect(await at.rows(String(first.uri))).toEqual([{ text: 'recent 3' }]);
    expect((await at.run(ingest, query(sql, { parameters }))).uri).toBe(first.uri);
  });

  test('an empty result still has its columns', async () => {
    const result = await at.run(
      ingest,
      query('SELECT text, sentiment FROM customer_feedback WHERE false'),
    );
    expect(result).toMatchObject({ rows: 0, columns: [{ name: 'text' }, { name: 'sentiment' }] });
  });

  test.each([
    [
      'SELECT nope FROM customer_feedback',
      'DataSource.BadQuery',
      /column "nope" does not exist.*at character 8/,
    ],
    ['SELEC 1', 'DataSource.BadQuery', /syntax error/],
    ['SELECT 1 AS a; DROP TABLE kinds', 'DataSource.BadQuery', /multiple commands/],
    ['DELETE FROM kinds', 'DataSource.BadQuery', /syntax error/],
    [
      'WITH gone AS (DELETE FROM kinds RETURNING a) SELECT * FROM gone',
      'DataSource.BadQuery',
      /data-modifying/,
    ],
    ['SELECT a, a FROM kinds', 'DataSource.BadQuery', /"a" is not named uniquely/],
    ['SELECT * FROM nothing_here', 'DataSource.NotFound', /relation "nothing_here" does not exist/],
    ['SELECT a / 0 AS z FROM kinds', 'DataSource.BadQuery', /division by zero/],
    ["SELECT setval('s', 1), nextval('s') FROM pg_sleep(5)", 'DataSource.NotFound', /relation "s"/],
  ])('%s fails as %s', async (sql, error, reason) => {
    const failure = await failureOf(at.run(ingest, query(sql)));
    expect(failure.error).toBe(error);
    expect(failure.reason).toMatch(reason);
    expect(failure.reason).toContain(
      `postgres 127.0.0.1:${postgres.port}/postgres (secret "feedback")`,
    );
  });

  test.each([
    ['wrongdb', 'DataSource.NotFound', /database "nowhere" does not exist/],
    ['reader', 'DataSource.AccessDenied', /permission denied.*GRANT SELECT/],
    ['down', 'DataSource.Unreachable', /ECONNREFUSED/],
    ['unset', 'Secret.NotConfigured', /"unset"/],
  ])('the connection %s fails as %s and tells no password', async (connection, error, reason) => {
    const failure = await failureOf(at.run(ingest, query(MISSION_SQL, { connection })));
    expect(failure.error).toBe(error);
    expect(failure.reason).toMatch(reason);
    expect(failure.reason + at.logged.join()).not.toMatch(/pass-w0rd|hidden-pw/);
  });

  test('a statement that takes too long is ended by the server; an abort ends it at once', async () => {
    const slow = query('SELECT pg_sleep(30) AS z', { statementTimeoutSeconds: 0.2 });
    const failure = await failureOf(at.run(ingest, slow));
    expect(failure.reason).toContain('statementTimeoutSeconds');
    const started = Date.now();
    const run = at.run(ingest, query('SELECT pg_sleep(30) AS z'));
    setTimeout(() => at.abort(new Error('stopped by the state')), 300);
    await expect(run).rejects.toThrow('stopped by the state');
    expect(Date.now() - started).toBeLessThan(30_000);
  });

  test('a server that accepts and says nothing is unreachable, not a hang', async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    const own = await bench({ mute: `postgres://u:p@127.0.0.1:${port}/d` });
    const failure = await failureOf(
      own.run(ingest, query('SELECT 1 AS a', { connection: 'mute' })),
    );
    expect(failure.error).toBe('DataSource.Unreachable');
    mute.close();
    await own.close();
  });

  test('a million rows stream by in pages', async () => {
    const sql = "SELECT i AS n, repeat('x', 100) AS text FROM generate_series(1, 300000) i";
    const result = await at.run(ingest, query(sql));
    expect(result).toMatchObject({ rows: 300_000, columns: [{ name: 'n', type: 'integer' }, {}] });
  });
});
