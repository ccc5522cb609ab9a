/**
 * Rows in the Redis store. A row is written whole when an execution begins and when its status changes; between, the
 * field `h` says which of its details are others now.
 */
import type { ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { ExecutionRow } from './store.js';

/** How `h` tells a row by the one that was written; null when it has to be written itself. */
export function changesOf(before: ExecutionRow, after: ExecutionRow): string | null {
  const isSame =
    before.status === after.status &&
    before.startedAt === after.startedAt &&
    before.stoppedAt === after.stoppedAt &&
    before.redriveCount === after.redriveCount &&
    before.redrivenAt === after.redrivenAt &&
    before.name === after.name &&
    before.stateMachineArn === after.stateMachineArn &&
    before.stateMachineVersionArn === after.stateMachineVersionArn &&
    before.stateMachineAliasArn === after.stateMachineAliasArn &&
    before.mapRunArn === after.mapRunArn;
  if (!isSame) return null;
  const names = Object.keys(after.details);
  if (names.length !== Object.keys(before.details).length) return null;
  const changes: Record<string, Json> = {};
  for (const name of names) {
    if (!Object.hasOwn(before.details, name)) return null;
    const value = after.details[name] as Json;
    if (value !== before.details[name]) changes[name] = value;
  }
  return `\n${JSON.stringify(changes)}`;
}

/** Without the ARN, which the key says. */
export function rowText(row: ExecutionRow): string {
  return JSON.stringify([
    row.name,
    row.stateMachineArn,
    row.stateMachineVersionArn,
    row.stateMachineAliasArn,
    row.mapRunArn,
    row.status,
    row.startedAt,
    row.stoppedAt,
    row.redriveCount,
    row.redrivenAt,
    row.details,
  ]);
}

export function parseRow(arn: ExecutionArn, text: string, changes: JsonObject): ExecutionRow {
  const [
    name,
    stateMachineArn,
    stateMachineVersionArn,
    stateMachineAliasArn,
    mapRunArn,
    status,
    startedAt,
    stoppedAt,
    redriveCount,
    redrivenAt,
    details,
  ] = JSON.parse(text);
  return {
    arn,
    name,
    stateMachineArn,
    stateMachineVersionArn,
    stateMachineAliasArn,
    mapRunArn,
    status,
    startedAt,
    stoppedAt,
    redriveCount,
    redrivenAt,
    details: { ...details, ...changes },
  };
}
