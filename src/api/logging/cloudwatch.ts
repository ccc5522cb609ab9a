/**
 * CloudWatch Logs as a sink: three calls of its JSON protocol over an injected fetch (so that the
 * egress guard applies), signed when there are credentials.
 */
import type { JsonObject } from '../../lib/json.js';
import type { AccessKey } from '../config.js';
import { signHeaders } from '../../lib/sigv4.js';
import { type LogRecord, type LogSink, logGroupName } from './sink.js';

export interface CloudWatchOptions {
  /** e.g. `https://logs.eu-west-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: AccessKey | null;
  readonly fetch: typeof globalThis.fetch;
}

/** AWS quota of PutLogEvents: 1 MiB, counting 26 bytes for each event; ours leaves some room. */
const MAX_BATCH_BYTES = 1_000_000;
const EVENT_OVERHEAD_BYTES = 26;
const MAX_BATCH_EVENTS = 10_000;
const TIMEOUT_MS = 10_000;

export function cloudWatchLogs(options: CloudWatchOptions): LogSink {
  const streams = new Set<string>();
  return {
    exists: async (arn) => {
      const name = logGroupName(arn);
      const answer = await call(options, 'DescribeLogGroups', { logGroupNamePrefix: name });
      const groups = Array.isArray(answer.logGroups) ? answer.logGroups : [];
      return groups.some((group) => (group as JsonObject).logGroupName === name);
    },
    publish: async (arn, stream, records) => {
      const group = logGroupName(arn);
      const target = { logGroupName: group, logStreamName: stream };
      if (!streams.has(`${group} ${stream}`)) {
        await call(options, 'CreateLogStream', target);
        if (streams.size > 1000) streams.clear();
        streams.add(`${group} ${stream}`);
      }
      for (const logEvents of batches(records)) {
        await call(options, 'PutLogEvents', { ...target, logEvents });
      }
    },
  };
}

function* batches(records: readonly LogRecord[]): Generator<readonly JsonObject[]> {
  let batch: JsonObject[] = [];
  let bytes = 0;
  for (const record of records) {
    const message = JSON.stringify(record.body);
    const size = Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES;
    const full = bytes + size > MAX_BATCH_BYTES || batch.length === MAX_BATCH_EVENTS;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push({ timestamp: record.at, message });
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

async function call(
  options: CloudWatchOptions,
  action: string,
  members: JsonObject,
): Promise<JsonObject> {
  const url = new URL('/', options.endpoint);
  const body = JSON.stringify(members);
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `Logs_20140328.${action}`,
  };
  const { accessKey, region } = options;
  const signed =
    accessKey === null
      ? headers
      : signHeaders({ method: 'POST', url, headers, body, service: 'logs', region, accessKey });
  const response = await options.fetch(url, {
    method: 'POST',
    headers: signed,
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) {
    // A stream that is there already is what we want.
    if (action === 'CreateLogStream' && text.includes('ResourceAlreadyExists')) return {};
    throw new Error(`${action} answered ${response.status}: ${text.slice(0, 200)}`);
  }
  return text === '' ? {} : (JSON.parse(text) as JsonObject);
}
