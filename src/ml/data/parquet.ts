/**
 * Parquet through DuckDB, row group by row group. The instance sees exactly one file and no network, has
 * a memory limit, and is loaded only when a Parquet file is read.
 */
import type { Json } from '../../lib/json.js';
import { setOwn } from '../../lib/json.js';
import { badFormat, reasonOf } from './data-failure.js';
import { COLUMNS_MAX } from './limits.js';
import { numberOrText, type RecordStream, type Row, type SourceRecord } from './record.js';

type Duck = typeof import('@duckdb/node-api');
type Connection = Awaited<
  ReturnType<Awaited<ReturnType<Duck['DuckDBInstance']['create']>>['connect']>
>;

/** Reads a local file; the stream must be consumed or returned, which closes the instance. */
export async function parquetRecords(path: string): Promise<RecordStream> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '1GB',
    max_temp_directory_size: '0GB',
  });
  const connection = await instance.connect();
  const close = () => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    await confine(connection, path);
    const source = `read_parquet(${literal(path)})`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const columns = described.getRowsJson().map((row) => ({
      name: String(row[0]),
      type: String(row[1]),
    }));
    if (columns.length > COLUMNS_MAX) {
      throw badFormat(`${columns.length} columns, more than ${COLUMNS_MAX}.`);
    }
    const select = columns.map(({ name, type }) => expression(identifier(name), type));
    const sql = `SELECT ${select.join(', ')} FROM ${source}`;
    return {
      columns: columns.map((column) => column.name),
      unit: 'row',
      typed: true,
      batches: rows(connection, sql, columns, close),
    };
  } catch (error) {
    close();
    throw asFormat(error);
  }
}

async function confine(connection: Connection, path: string): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`SET allowed_paths = [${literal(path)}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

async function* rows(
  connection: Connection,
  sql: string,
  columns: readonly { readonly name: string; readonly type: string }[],
  close: () => void,
): AsyncGenerator<readonly SourceRecord[]> {
  try {
    const result = await connection.stream(sql);
    let line = 0;
    for await (const batch of result.yieldRowsJs()) {
      yield batch.map((values) => {
        const row: Record<string, Json> = {};
        columns.forEach(({ name, type }, index) => {
          setOwn(row, name, cell(values[index], type));
        });
        return { kind: 'row', line: ++line, row: row as Row };
      });
    }
  } catch (error) {
    throw asFormat(error);
  } finally {
    close();
  }
}

/** SQL that turns a column into something JSON has: see `cell` for the other half. */
function expression(column: string, type: string): string {
  if (/^(BOOLEAN|TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT|UINTEGER|FLOAT|DOUBLE)$/.test(type)) {
    return column;
  }
  if (type === 'BLOB') return `base64(${column})`;
  if (type === 'DATE') return `strftime(${column}, '%Y-%m-%d')`;
  if (/^TIMESTAMP WITH TIME ZONE$/.test(type))
    return `strftime(${column}, '%Y-%m-%dT%H:%M:%S.%fZ')`;
  if (/^TIMESTAMP/.test(type)) return `strftime(${column}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')`;
  if (/[[(]|^(STRUCT|MAP|UNION)/.test(type) && !/^DECIMAL|^ENUM/.test(type)) {
    return `to_json(${column})::VARCHAR`;
  }
  return `${column}::VARCHAR`;
}

function cell(value: unknown, type: string): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  const text = String(value);
  if (/^(DECIMAL|U?BIGINT|U?HUGEINT)/.test(type)) return numberOrText(text);
  if (/^TIMESTAMP/.test(type)) return text.replace(/\.(\d*?)0+(Z?)$/, trimFraction);
  return text;
}

function trimFraction(_whole: string, digits: string, zone: string): string {
  return digits === '' ? zone : `.${digits}${zone}`;
}

function asFormat(error: unknown): Error {
  if (error instanceof Error && error.name === 'DataFailure') return error;
  return badFormat(`not a readable Parquet file: ${reasonOf(error).split('\n')[0]}`);
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
