/** Every fixed statement of the SQLite store, prepared once. */
import type { SqliteDatabase, SqliteStatement } from './sqlite-file.js';
import { READ_COLUMNS, ROW_COLUMNS } from './sqlite-rows.js';
import { asBytes } from './sqlite-text.js';

const COLUMNS = ROW_COLUMNS.join(', ');
const EXECUTION = `SELECT ${READ_COLUMNS} FROM executions`;
const TIMER = `SELECT ${asBytes('e.arn')}, ${asBytes('t.key')}, t.due_at AS due_at
  FROM timers t JOIN executions e ON e.id = t.execution_id`;
const HEAD = 'last_seq = ?, digest = ?, details = ?';
const GUARD = 'id = ? AND last_seq = ? AND digest = ?';

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: SqliteDatabase) {
  const prepare = (sql: string): SqliteStatement => database.prepare(sql);
  return {
    id: prepare('SELECT id FROM executions WHERE arn = ?'),
    row: prepare(`${EXECUTION} WHERE arn = ?`),
    running: prepare(`${EXECUTION} WHERE status = 'RUNNING' AND id > ? ORDER BY id LIMIT ?`),
    insertExecution: prepare(
      `INSERT INTO executions (arn, ${COLUMNS}, details, last_seq, digest)
       VALUES (?, ${ROW_COLUMNS.map(() => '?').join(', ')}, ?, ?, ?)`,
    ),
    advance: prepare(
      `UPDATE executions SET ${HEAD}
       WHERE ${GUARD} AND ${ROW_COLUMNS.map((column) => `${column} IS ?`).join(' AND ')}`,
    ),
    update: prepare(
      `UPDATE executions SET ${HEAD}, ${ROW_COLUMNS.map((column) => `${column} = ?`).join(', ')}
       WHERE ${GUARD}`,
    ),
    insertCommit: prepare(
      'INSERT INTO commits (execution_id, after, count, digest, facts) VALUES (?, ?, ?, ?, ?)',
    ),
    journal: prepare(
      `SELECT c.after AS after, c.count AS count, ${asBytes('c.digest')}, ${asBytes('c.facts')}
       FROM commits c WHERE c.execution_id = (SELECT id FROM executions WHERE arn = ?)
       ORDER BY c.id`,
    ),
    setTimer: prepare(
      `INSERT INTO timers (execution_id, key, due_at) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET due_at = excluded.due_at`,
    ),
    dropTimer: prepare('DELETE FROM timers WHERE execution_id = ? AND key = ?'),
    touchTimer: prepare('UPDATE timers SET due_at = ? WHERE execution_id = ? AND key = ?'),
    dueTimers: prepare(`${TIMER} WHERE t.due_at <= ? ORDER BY t.due_at LIMIT ?`),
    nextTimer: prepare(`${TIMER} ORDER BY t.due_at LIMIT 1`),
    setEffect: prepare(
      `INSERT INTO outbox (execution_id, key, effect) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET effect = excluded.effect`,
    ),
    dropEffect: prepare('DELETE FROM outbox WHERE execution_id = ? AND key = ?'),
    pendingEffects: prepare(
      `SELECT o.id AS id, ${asBytes('e.arn')}, ${asBytes('o.key')}, ${asBytes('o.effect')}
       FROM outbox o JOIN executions e ON e.id = o.execution_id
       WHERE o.id > ? ORDER BY o.id LIMIT ?`,
    ),
    removals: [
      prepare('DELETE FROM timers WHERE execution_id = ?'),
      prepare('DELETE FROM outbox WHERE execution_id = ?'),
      prepare('DELETE FROM commits WHERE execution_id = ?'),
      prepare('DELETE FROM executions WHERE id = ?'),
    ],
  };
}
