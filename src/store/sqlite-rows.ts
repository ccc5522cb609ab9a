/** Between an execution's row and its columns, and from a filter to SQL. */
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import type { SqlValue } from './sqlite-file.js';
import { asBytes } from './sqlite-text.js';
import type { ExecutionFilter, ExecutionRow, ExecutionStatus } from './store.js';

/** Columns that say what an execution is: they stay as its first commit wrote them. */
const FIXED_COLUMNS = [
  'name',
  'state_machine_arn',
  'state_machine_version_arn',
  'state_machine_alias_arn',
  'map_run_arn',
  'started_at',
] as const;

/** Columns that change when an execution ends or is redriven. */
export const CHANGING_COLUMNS = ['status', 'stopped_at', 'redrive_count', 'redriven_at'] as const;

/** Columns of ExecutionRow in the order of `rowValues`, but for `details` and `arn`. */
export const ROW_COLUMNS = [...FIXED_COLUMNS, ...CHANGING_COLUMNS] as const;

/** Id, ARN, details and the columns above, as a query names them. */
export const READ_COLUMNS = [
  'id',
  asBytes('arn'),
  asBytes('details'),
  ...ROW_COLUMNS.map((column) => (/_at$|_count$/.test(column) ? column : asBytes(column))),
].join(', ');

export function rowValues(row: ExecutionRow): SqlValue[] {
  return [
    textKey(row.name),
    row.stateMachineArn,
    row.stateMachineVersionArn,
    row.stateMachineAliasArn,
    row.mapRunArn,
    row.startedAt,
    row.status,
    row.stoppedAt,
    row.redriveCount,
    row.redrivenAt,
  ];
}

export interface ExecutionRecord {
  readonly id: number;
  readonly arn: string;
  readonly name: string;
  readonly state_machine_arn: string;
  readonly state_machine_version_arn: string | null;
  readonly state_machine_alias_arn: string | null;
  readonly map_run_arn: string | null;
  readonly status: string;
  readonly started_at: number;
  readonly stopped_at: number | null;
  readonly redrive_count: number;
  readonly redriven_at: number | null;
  readonly details: string;
}

export function toRow(record: ExecutionRecord): ExecutionRow {
  return {
    arn: record.arn as ExecutionArn,
    name: record.name,
    stateMachineArn: record.state_machine_arn,
    stateMachineVersionArn: record.state_machine_version_arn,
    stateMachineAliasArn: record.state_machine_alias_arn,
    mapRunArn: record.map_run_arn,
    status: record.status as ExecutionStatus,
    startedAt: record.started_at as EpochMs,
    stoppedAt: record.stopped_at as EpochMs | null,
    redriveCount: record.redrive_count,
    redrivenAt: record.redriven_at as EpochMs | null,
    details: JSON.parse(record.details) as JsonObject,
  };
}

const STATUSES: readonly ExecutionStatus[] = [
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'ABORTED',
];

/**
 * Executions newest first. The index of a machine's executions is ordered by status first: a list of
 * all statuses merges one short list of each, so that no list sorts everything a machine ever ran.
 */
export function listQuery(
  filter: ExecutionFilter,
  limit: number,
  token: string | null,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const merges = filter.stateMachineArn !== undefined && filter.status === undefined;
  const branches = merges ? STATUSES.map((status) => ({ ...filter, status })) : [filter];
  const queries = branches.map((branch) => branchQuery(branch, limit, token));
  return {
    sql: `${queries.map(({ sql }) => `SELECT * FROM (${sql})`).join(' UNION ALL ')} ${NEWEST}`,
    values: [...queries.flatMap(({ values }) => values), limit],
  };
}

const NEWEST = 'ORDER BY started_at DESC, id DESC LIMIT ?';

function branchQuery(
  filter: ExecutionFilter,
  limit: number,
  token: string | null,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const { conditions, values } = filterConditions(filter);
  if (token !== null) {
    const [startedAt = 0, id = 0] = token.split('.').map(Number);
    conditions.push('(started_at, id) < (?, ?)');
    values.push(startedAt, id);
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const sql = `SELECT ${READ_COLUMNS} FROM executions ${where} ${NEWEST}`;
  return { sql, values: [...values, limit] };
}

/** The conditions of a filter and their values. */
function filterConditions(filter: ExecutionFilter): {
  readonly conditions: string[];
  readonly values: SqlValue[];
} {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const equal = (column: string, value: string | undefined): void => {
    if (value === undefined) return;
    conditions.push(`${column} = ?`);
    values.push(value);
  };
  equal('state_machine_arn', filter.stateMachineArn);
  equal('state_machine_version_arn', filter.stateMachineVersionArn);
  equal('state_machine_alias_arn', filter.stateMachineAliasArn);
  equal('map_run_arn', filter.mapRunArn);
  equal('status', filter.status);
  if (filter.redriven !== undefined) {
    conditions.push(filter.redriven ? 'redrive_count > 0' : 'redrive_count = 0');
  }
  return { conditions, values };
}

/** libsql cuts a text at its first NUL when reading: such a key would be found under another name. */
export function textKey(key: string): string {
  assert(!key.includes('\0'), 'Names and keys in the store contain no NUL character.');
  return key;
}
