/**
 * Rows from Postgres through a server-side cursor in a read-only transaction: flat memory, one snapshot,
 * and no query can change anything. The connection string is a secret and never leaves this file.
 */
import type { Client, FieldDef } from 'pg';
import { isArray, isObject, type Json, setOwn } from '../../lib/json.js';
import { canonicalJson } from '../../lib/json.js';
import {
  accessDenied,
  badParameters,
  badQuery,
  type DataFailure,
  notFound,
  reasonOf,
  redactor,
  unreachable,
} from './data-failure.js';
import { CURSOR_ROWS } from './limits.js';
import {
  type Cell,
  numberOrText,
  type RecordStream,
  type Row,
  type SourceRecord,
} from './record.js';

export interface PostgresSource {
  /** Name of the secret that holds `postgres://user:password@host:port/database?sslmode=…`. */
  readonly connection: string;
  readonly query: string;
  readonly parameters?: readonly Json[];
  /** Longest a single statement may take on the server. */
  readonly statementTimeoutSeconds?: number;
}

export interface PostgresWorld {
  readonly signal: AbortSignal;
  secret(name: string): string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_SECONDS = 300;
const CURSOR = 'stepwell_ingest';

export async function postgresRecords(
  source: PostgresSource,
  world: PostgresWorld,
): Promise<RecordStream> {
  const name = source.connection.replace(/^secret:\/\//, '');
  const connectionString = world.secret(name);
  const query = source.query.trim().replace(/;\s*$/, '');
  if (query === '') throw badParameters('source.query is empty.');
  const place = placeOf(connectionString, name);
  const fail = failureOf(place, redactor(secretsIn(connectionString)));
  const client = await connect(connectionString, source, fail);
  const cut = () => void cutOff(client);
  world.signal.addEventListener('abort', cut, { once: true });
  const close = async () => {
    world.signal.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  };
  const failed = (error: unknown) => (world.signal.aborted ? world.signal.reason : fail(error));
  try {
    world.signal.throwIfAborted();
    await declare(client, query, source.parameters ?? []);
    const first = await fetchRows(client);
    const columns = columnsOf(first.fields, place);
    return {
      columns,
      unit: 'row',
      typed: true,
      batches: rows(client, first.rows, columns, close, failed),
    };
  } catch (error) {
    await close();
    throw failed(error);
  }
}

async function connect(
  connectionString: string,
  source: PostgresSource,
  fail: (error: unknown) => DataFailure,
): Promise<Client> {
  const { default: pg } = await import('pg');
  const seconds = source.statementTimeoutSeconds ?? STATEMENT_TIMEOUT_SECONDS;
  try {
    const client = new pg.Client({
      connectionString,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: seconds * 1000,
      application_name: 'stepwell ml:ingest',
      types: { getTypeParser: (oid: number) => parserOf(oid) } as never,
    });
    // Without a listener a broken idle connection would end the process.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  } catch (error) {
    throw fail(error);
  }
}

/** One statement only: the extended protocol refuses `SELECT 1; DROP TABLE …`. */
async function declare(client: Client, query: string, parameters: readonly Json[]): Promise<void> {
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query("SET LOCAL TimeZone = 'UTC'");
  await client.query("SET LOCAL DateStyle = 'ISO, YMD'");
  await client.query({
    text: `${DECLARE}${query}`,
    values: parameters.map(parameterOf),
    queryMode: 'extended',
  } as never);
}

const DECLARE = `DECLARE ${CURSOR} NO SCROLL CURSOR FOR `;

function parameterOf(value: Json): unknown {
  if (isObject(value)) return JSON.stringify(value);
  return isArray(value) ? value.map(parameterOf) : value;
}

type Page = { readonly rows: readonly (readonly Cell[])[]; readonly fields: readonly FieldDef[] };

async function fetchRows(client: Client): Promise<Page> {
  const text = `FETCH FORWARD ${CURSOR_ROWS} FROM ${CURSOR}`;
  const page = await client.query({ text, rowMode: 'array' });
  return { rows: page.rows as Cell[][], fields: page.fields };
}

function columnsOf(fields: readonly FieldDef[], place: string): readonly string[] {
  const names = fields.map((field) => field.name);
  const bad = names.find((name, i) => name === '?column?' || names.indexOf(name) !== i);
  if (bad === undefined) return names;
  throw badQuery(`${place}: the column "${bad}" is not named uniquely: name it with AS.`);
}

async function* rows(
  client: Client,
  first: Page['rows'],
  columns: readonly string[],
  close: () => Promise<void>,
  failed: (error: unknown) => unknown,
): AsyncGenerator<readonly SourceRecord[]> {
  let line = 0;
  try {
    for (let page = first; page.length > 0; ) {
      yield page.map((cells): SourceRecord => {
        const row: Record<string, Json> = {};
        for (let i = 0; i < columns.length; i++) {
          setOwn(row, columns[i] as string, cells[i] as Cell);
        }
        return { kind: 'row', line: ++line, row: row as Row };
      });
      page = page.length < CURSOR_ROWS ? [] : (await fetchRows(client)).rows;
    }
  } catch (error) {
    throw failed(error);
  } finally {
    await close();
  }
}

/** Breaks the socket: the server notices and ends the query; a polite end would wait for it. */
async function cutOff(client: Client): Promise<void> {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

/** Postgres sends text; by type it becomes what JSON has, without losing digits. */
function parserOf(oid: number): (text: string) => Cell {
  switch (oid) {
    case 16: // bool
      return (text) => text === 't';
    case 20: // int8
    case 21: // int2
    case 23: // int4
    case 26: // oid
    case 1700: // numeric
      return numberOrText;
    case 700: // float4
    case 701: // float8
      return (text) => (Number.isFinite(Number(text)) ? Number(text) : null);
    case 1114: // timestamp
      return (text) => text.replace(' ', 'T');
    case 1184: // timestamptz, the session is in UTC
      return (text) => text.replace(' ', 'T').replace(/\+00(:?00)?$/, 'Z');
    case 17: // bytea
      return (text) => Buffer.from(text.replace(/^\\x/, ''), 'hex').toString('base64');
    case 114: // json
    case 3802: // jsonb
      return jsonCell;
    default:
      return (text) => text;
  }
}

function jsonCell(text: string): Cell {
  const value = JSON.parse(text) as Json;
  return typeof value === 'object' && value !== null ? canonicalJson(value) : value;
}

/** Host and database are no secrets; user and password stay out. */
function placeOf(connectionString: string, name: string): string {
  try {
    const url = new URL(connectionString);
    return `postgres ${url.host}${url.pathname} (secret "${name}")`;
  } catch {
    return `postgres (secret "${name}")`;
  }
}

function secretsIn(connectionString: string): readonly string[] {
  try {
    const { password } = new URL(connectionString);
    return [connectionString, password, decodeURIComponent(password)];
  } catch {
    return [connectionString];
  }
}

function failureOf(place: string, redact: (text: string) => string) {
  return (error: unknown): DataFailure => {
    if (error instanceof Error && error.name === 'DataFailure') return error as DataFailure;
    const code = String((error as { code?: unknown }).code ?? '');
    const reason = redact(reasonOf(error));
    if (/^28/.test(code)) return accessDenied(`${place}: ${reason}. Check user and password.`);
    if (code === '42501') return accessDenied(`${place}: ${reason}. GRANT SELECT to the user.`);
    if (code === '3D000') return notFound(`${place}: ${reason}.`);
    if (code === '42P01' || code === '3F000') return notFound(`${place}: ${reason}.`);
    if (code === '57014') return unreachable(`${place}: ${reason} (statementTimeoutSeconds).`);
    if (code === '25006') return badQuery(`${place}: ${reason}. Ingest only reads.`);
    if (/^(42|22|0A|21)/.test(code)) return badQuery(`${place}: ${reason}${position(error)}.`);
    return unreachable(`${place}: ${reason}.`);
  };
}

function position(error: unknown): string {
  const at = Number((error as { position?: string }).position) - DECLARE.length;
  return at > 0 ? ` at character ${at} of the query` : '';
}
