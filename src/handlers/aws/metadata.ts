/**
 * `SdkHttpMetadata` and `SdkResponseMetadata` of optimised integrations, header by header as recorded:
 * order and capitals differ between services.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import type { Answer } from './call.js';

const COMMON = ['x-amzn-RequestId', 'connection', 'Content-Length', 'Date', 'Content-Type'];
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  dynamodb: [
    'Server',
    'Connection',
    'x-amzn-RequestId',
    'x-amz-crc32',
    'Content-Length',
    'Date',
    'Content-Type',
  ],
};

/** The answer's members and its metadata, in alphabetical order as AWS prints them. */
export function withMetadata(service: string, answer: Answer): JsonObject {
  const headers = headersOf(service, answer);
  const byName = [...headers].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const all: readonly (readonly [string, Json])[] = [
    ...Object.entries(answer.output),
    [
      'SdkHttpMetadata',
      {
        AllHttpHeaders: Object.fromEntries(headers.map(([name, value]) => [name, [value]])),
        HttpHeaders: Object.fromEntries(byName),
        HttpStatusCode: answer.status,
      },
    ],
    ['SdkResponseMetadata', { RequestId: answer.requestId }],
  ];
  return Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function headersOf(service: string, answer: Answer): readonly (readonly [string, string])[] {
  const made: Readonly<Record<string, string>> = {
    connection: 'keep-alive',
    'content-length': String(Buffer.byteLength(JSON.stringify(answer.output))),
    date: new Date().toUTCString(),
    ...answer.headers,
    'x-amzn-requestid': answer.requestId,
  };
  return (HEADERS[service] ?? COMMON).flatMap((name) => {
    const value = made[name.toLowerCase()];
    return value === undefined ? [] : [[name, value] as const];
  });
}
