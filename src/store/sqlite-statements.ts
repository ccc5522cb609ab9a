/** The fixed statements that read an execution and its lists, prepared once. */
import type { SqliteDatabase, SqliteStatement } from './sqlite-file.js';
import { READ_COLUMNS } from './sqlite-rows.js';
import { asBytes } from './sqlite-text.js';

const EXECUTION = `SELECT ${READ_COLUMNS} FROM executions`;
const TIMER = `SELECT ${asBytes('e.arn')}, ${asBytes('t.key')}, t.due_at AS due_at
  FROM timers t JOIN executions e ON e.id = t.execution_id`;

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: SqliteDatabase) {
  const prepare = (sql: string): SqliteStatement => database.prepare(sql);
  return {
    row: prepare(`${EXECUTION} WHERE arn = ?`),
    running: prepare(`${EXECUTION} WHERE status = 'RUNNING' AND id > ? ORDER BY id LIMIT ?`),
    journal: prepare(
      `SELECT c.after AS after, c.count AS count, ${asBytes('c.digest')}, ${asBytes('c.facts')}
       FROM commits c WHERE c.execution_id = (SELECT id FROM executions WHERE arn = ?)
       ORDER BY c.id`,
    ),
    dueTimers: prepare(`${TIMER} WHERE t.due_at <= ? ORDER BY t.due_at LIMIT ?`),
    nextTimer: prepare(`${TIMER} ORDER BY t.due_at LIMIT 1`),
    pendingEffects: prepare(
      `SELECT o.id AS id, ${asBytes('e.arn')}, ${asBytes('o.key')}, ${asBytes('o.effect')}
       FROM outbox o JOIN executions e ON e.id = o.execution_id
       WHERE o.id > ? ORDER BY o.id LIMIT ?`,
    ),
  };
}
