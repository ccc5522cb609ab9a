/**
 * Reading text that a bad disk may have changed. libsql ends the whole process over text that is not
 * UTF-8, so every text is read as bytes and decoded here: what is broken shows as U+FFFD, and the digest
 * of a journal no longer fits. It also brings texts with a NUL character back whole.
 */

/** The column as bytes, under its own name (without the table's). */
export function asBytes(column: string): string {
  return `CAST(${column} AS BLOB) AS ${column.slice(column.indexOf('.') + 1)}`;
}

/** The records with their bytes as texts. */
export function withTexts(records: readonly unknown[]): unknown[] {
  for (const record of records as Record<string, unknown>[]) {
    for (const column in record) {
      const value = record[column];
      if (value instanceof ArrayBuffer) record[column] = Buffer.from(value).toString('utf8');
    }
  }
  return records as unknown[];
}
