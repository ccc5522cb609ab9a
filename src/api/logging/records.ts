/** Events as AWS writes them to a log: snake case, ids as strings, filtered by level. */
import { jsonBytes } from '../../lib/json.js';
import { eventDetails } from '../../wire/describe.js';
import type { HistoryEvent } from '../../wire/history.js';
import type { LogRecord } from './sink.js';

export type LogLevel = 'ALL' | 'ERROR' | 'FATAL' | 'OFF';

const FATAL: ReadonlySet<string> = new Set([
  'ExecutionAborted',
  'ExecutionFailed',
  'ExecutionTimedOut',
]);
/** By the name: everything that failed, was aborted or timed out, and the entry of a Fail state. */
const ERROR = /(Failed|Aborted|TimedOut|^FailStateEntered)$/;

export function isLogged(type: string, level: LogLevel): boolean {
  switch (level) {
    case 'ALL':
      return true;
    case 'ERROR':
      return ERROR.test(type);
    case 'FATAL':
      return FATAL.has(type);
    case 'OFF':
      return false;
  }
}

/** AWS cuts the payload of a record above 248 KiB. */
const MAX_DETAILS_BYTES = 248 * 1024;

export function logRecord(
  event: HistoryEvent,
  execution: { readonly arn: string; readonly redriveCount: number },
  includeData: boolean,
): LogRecord {
  const full = eventDetails(event, includeData);
  const tooLarge = includeData && jsonBytes(full) > MAX_DETAILS_BYTES;
  return {
    at: event.timestamp,
    body: {
      id: String(event.id),
      type: event.type,
      details: tooLarge ? eventDetails(event, false) : full,
      previous_event_id: String(event.previousEventId),
      event_timestamp: String(event.timestamp),
      execution_arn: execution.arn,
      redrive_count: String(execution.redriveCount),
    },
  };
}
