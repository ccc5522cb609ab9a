/**
 * The rows of a local Parquet file as JSON objects, through DuckDB. The instance may open exactly this
 * file and no network; rows come as a stream, so memory does not grow with the file.
 */
import type { Json } from '../../lib/json.js';
import { readerFailed } from './failures.js';

export async function* parquetItems(path: string): AsyncGenerator<readonly Json[]> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' });
  const connection = await instance.connect();
  try {
    const file = `'${path.replaceAll("'", "''")}'`;
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run(`SET allowed_paths = [${file}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    const sql = `SELECT to_json(row)::VARCHAR FROM read_parquet(${file}) AS row`;
    const result = await connection.stream(sql);
    for await (const rows of result.yieldRowsJs()) {
      if (rows.length > 0) yield rows.map(([text]) => JSON.parse(String(text)) as Json);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw readerFailed(`The Parquet file cannot be read: ${reason}`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
