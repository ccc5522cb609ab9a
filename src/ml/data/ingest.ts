/**
 * Any source to one canonical dataset: JSON Lines, every row with the same columns in the same order, so
 * that equal rows have an equal address. Rows pass through a spool file; memory stays flat, and nothing
 * unfinished ever becomes an artifact.
 */
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Json, setOwn } from '../../lib/json.js';
import { fileBytes } from './bytes.js';
import {
  type Cast,
  type ColumnInfo,
  ColumnWatch,
  castRow,
  checkSelected,
  pairsOf,
  type Selection,
  selectColumns,
} from './columns.js';
import { badFormat, DataFailure, isNamed, redactor } from './data-failure.js';
import { type FormatOptions, openRecords } from './formats.js';
import { BAD_ROWS_SHOWN, IDLE_TIMEOUT_MS, PROGRESS_ROWS } from './limits.js';
import { lines } from './lines.js';
import type { BadRecord, Cell, RecordStream, Row, SourceRecord } from './record.js';
import { type HttpSource, httpSource } from './source-http.js';
import { type PostgresSource, postgresRecords } from './source-postgres.js';
import { type S3Settings, type S3Source, s3Source } from './source-s3.js';

export type Source = FormatOptions &
  (
    | { readonly type: 'file'; readonly path: string }
    | ({ readonly type: 'http' } & HttpSource)
    | ({ readonly type: 's3' } & S3Source)
    | ({ readonly type: 'postgres' } & PostgresSource)
  );

export interface IngestParameters {
  readonly source: Source;
  readonly columns?: Selection;
  /** `infer` (default for CSV): texts become numbers or booleans where a whole column allows it. */
  readonly types?: 'infer' | 'strings' | { readonly [column: string]: Cast };
  readonly limit?: number;
  readonly onBadRow?: 'fail' | 'skip';
  /** With `skip`: more broken rows than this fail the step after all. */
  readonly maxBadRows?: number;
  /** Seconds a network source may be silent. */
  readonly idleTimeoutSeconds?: number;
}

export interface IngestWorld {
  readonly signal: AbortSignal;
  readonly fetch: typeof globalThis.fetch;
  readonly s3: S3Settings;
  secret(name: string): string;
  readable(path: string): Promise<string>;
  scratch(): Promise<string>;
  put(bytes: AsyncIterable<Uint8Array>): Promise<{ uri: string; sha256: string; bytes: number }>;
  progress(rows: number): void;
}

export interface BadRows {
  readonly count: number;
  readonly first: readonly {
    readonly line: number;
    readonly problem: string;
    readonly text: string;
  }[];
}

export interface IngestResult {
  readonly uri: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly columns: readonly ColumnInfo[];
  readonly badRows?: BadRows;
}

export async function ingest(
  parameters: IngestParameters,
  world: IngestWorld,
): Promise<IngestResult> {
  const revealed: string[] = [];
  const remembering: IngestWorld = {
    ...world,
    secret: (name) => {
      const value = world.secret(name);
      revealed.push(value);
      return value;
    },
  };
  const spool = join(await world.scratch(), `ingest-${randomUUID()}.jsonl`);
  try {
    const { records, place } = await openSource(parameters, remembering);
    const spooled = await withPlace(place, () => fill(spool, records, parameters, place, world));
    return await publish(spool, spooled, parameters, world);
  } catch (error) {
    throw redacted(error, redactor(revealed));
  } finally {
    await rm(spool, { force: true });
  }
}

/** Also failures of the guards: their sentences may repeat an address that holds a secret. */
function redacted(error: unknown, redact: (text: string) => string): unknown {
  if (!isNamed(error) || redact(error.reason) === error.reason) return error;
  return new DataFailure(error.error, redact(error.reason));
}

type Opened = { readonly records: RecordStream; readonly place: string };

async function openSource(parameters: IngestParameters, world: IngestWorld): Promise<Opened> {
  const { source } = parameters;
  if (source.type === 'postgres') {
    return { records: await postgresRecords(source, world), place: 'the query result' };
  }
  const bytes = await byteSource(source, parameters, world);
  const scratch = () => world.scratch();
  const records = await withPlace(bytes.place, () => openRecords(bytes, source, scratch));
  return { records, place: bytes.place };
}

async function byteSource(
  source: Exclude<Source, { type: 'postgres' }>,
  parameters: IngestParameters,
  world: IngestWorld,
) {
  const idleSeconds = parameters.idleTimeoutSeconds;
  const network = {
    signal: world.signal,
    idleMs: idleSeconds === undefined ? IDLE_TIMEOUT_MS : idleSeconds * 1000,
  };
  if (source.type === 'file') {
    const file = await world.readable(source.path);
    return { place: source.path, name: basename(file), contentType: null, file };
  }
  if (source.type === 's3') {
    const secret = (name: string) => world.secret(name);
    return await s3Source(source, { ...network, settings: world.s3, secret });
  }
  const reveal = (text: string) =>
    text.replace(/secret:\/\/([\w.-]+)/g, (_, name: string) => world.secret(name));
  return await httpSource(source, { ...network, fetch: world.fetch, reveal });
}

/** Every failure names its place, once. */
async function withPlace<T>(place: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof DataFailure) || error.reason.includes(place)) throw error;
    throw new DataFailure(error.error, `${place}: ${error.reason}`);
  }
}

interface Spooled {
  readonly rows: number;
  readonly watch: ColumnWatch;
  readonly bad: BadRows;
  readonly typed: boolean;
  /** False for JSON objects, which may list the same keys in any order; the dataset has one. */
  readonly ordered: boolean;
}

/** Source records to the spool: select, cast, check, write. */
async function fill(
  path: string,
  records: RecordStream,
  parameters: IngestParameters,
  place: string,
  world: IngestWorld,
): Promise<Spooled> {
  const pairs = pairsOf(parameters.columns);
  const types = typeof parameters.types === 'object' ? parameters.types : null;
  const watch = new ColumnWatch(pairs?.map(([name]) => name) ?? records.columns);
  const sourceColumns = new Set<string>();
  const bad = badRowKeeper(parameters, records.unit, place);
  const limit = parameters.limit ?? Number.POSITIVE_INFINITY;
  const checkKnown = () => {
    if (pairs !== null && records.columns !== null) checkSelected(pairs, records.columns, place);
  };
  const file = await open(path, 'wx');
  let rows = 0;
  try {
    for await (const batch of records.batches) {
      world.signal.throwIfAborted();
      // Inside the loop: leaving it is what closes the source.
      checkKnown();
      let text = '';
      for (const record of batch) {
        if (rows >= limit) break;
        if (records.columns === null && record.kind === 'row') {
          for (const name of Object.keys(record.row)) sourceColumns.add(name);
        }
        const finished = finish(record, pairs, types);
        if (finished.kind === 'bad') {
          bad.add(finished);
          continue;
        }
        watch.add(finished.row);
        text += `${JSON.stringify(finished.row)}\n`;
        if (++rows % PROGRESS_ROWS === 0) world.progress(rows);
      }
      if (text !== '') await file.appendFile(text);
      if (rows >= limit) break;
    }
  } finally {
    await file.close();
  }
  checkKnown();
  if (pairs !== null && records.columns === null && rows > 0) {
    checkSelected(pairs, sourceColumns, place);
  }
  const ordered = records.columns !== null || pairs !== null;
  return { rows, watch, bad: bad.result(), typed: records.typed, ordered };
}

function finish(
  record: SourceRecord,
  pairs: readonly (readonly [string, string])[] | null,
  types: { readonly [column: string]: Cast } | null,
): SourceRecord {
  if (record.kind === 'bad') return record;
  const selected = pairs === null ? record : { ...record, row: selectColumns(record.row, pairs) };
  return types === null ? selected : castRow(selected, types);
}

function badRowKeeper(parameters: IngestParameters, unit: string, place: string) {
  const first: BadRecord[] = [];
  let count = 0;
  const most = parameters.maxBadRows ?? Number.POSITIVE_INFINITY;
  const add = (record: BadRecord) => {
    const said = `${place}, ${unit} ${record.line}: ${record.problem}`;
    if (parameters.onBadRow !== 'skip') {
      throw badFormat(
        `${said}. It reads: ${JSON.stringify(record.text)}. Mend the row, or set onBadRow to "skip".`,
      );
    }
    count++;
    if (first.length < BAD_ROWS_SHOWN) first.push(record);
    if (count > most) throw badFormat(`${said}. More than ${most} broken rows (maxBadRows).`);
  };
  const result = (): BadRows => ({
    count,
    first: first.map(({ line, problem, text }) => ({ line, problem, text })),
  });
  return { add, result };
}

/** The spool as an artifact, rewritten only where columns are missing in rows or texts are converted. */
async function publish(
  spool: string,
  spooled: Spooled,
  parameters: IngestParameters,
  world: IngestWorld,
): Promise<IngestResult> {
  const { watch, rows, bad } = spooled;
  const none = new Map<string, 'number' | 'boolean'>();
  const convert = infers(parameters, spooled.typed) ? watch.convertible() : none;
  const asIs = convert.size === 0 && spooled.ordered && !watch.ragged();
  const bytes = asIs
    ? fileBytes(spool, world.signal)
    : rewritten(spool, watch.names(), convert, world.signal);
  const stored = await world.put(bytes);
  return {
    uri: stored.uri,
    rows,
    bytes: stored.bytes,
    sha256: stored.sha256,
    columns: watch.describe(convert),
    ...(parameters.onBadRow === 'skip' ? { badRows: bad } : {}),
  };
}

/** JSON, Parquet and Postgres have types of their own; CSV and TSV have none. */
function infers({ types }: IngestParameters, typed: boolean): boolean {
  return types === 'infer' || (types === undefined && !typed);
}

async function* rewritten(
  spool: string,
  columns: readonly string[],
  convert: ReadonlyMap<string, 'number' | 'boolean'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const batch of lines(fileBytes(spool, signal))) {
    let text = '';
    for (const line of batch) {
      const source = JSON.parse(line.text) as Row;
      const row: Record<string, Json> = {};
      for (const name of columns) {
        const value = Object.hasOwn(source, name) ? (source[name] as Cell) : null;
        setOwn(row, name, converted(value, convert.get(name)));
      }
      text += `${JSON.stringify(row)}\n`;
    }
    yield Buffer.from(text);
  }
}

function converted(value: Cell, to: 'number' | 'boolean' | undefined): Cell {
  if (to === undefined || value === null) return value;
  return to === 'number' ? Number(value) : value === 'true';
}
