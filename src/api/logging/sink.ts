/**
 * Where execution events go that a machine's loggingConfiguration asks for: CloudWatch Logs, or
 * whatever stands in for it.
 */
import type { JsonObject } from '../../lib/json.js';

export interface LogRecord {
  readonly at: number;
  readonly body: JsonObject;
}

export interface LogSink {
  /** Whether the log group of this ARN (`…:log-group:NAME:*`) exists. */
  exists(logGroupArn: string): Promise<boolean>;
  /** In order. Delivery is best effort, as at AWS: a rejection is logged and the records dropped. */
  publish(logGroupArn: string, stream: string, records: readonly LogRecord[]): Promise<void>;
}

/** `/aws/vendedlogs/x` of `arn:aws:logs:R:A:log-group:/aws/vendedlogs/x:*`. */
export function logGroupName(logGroupArn: string): string {
  return logGroupArn.split(':')[6] ?? '';
}
