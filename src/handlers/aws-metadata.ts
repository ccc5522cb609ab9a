/** The HTTP metadata that AWS adds to results of service integrations (recorded cases show the exact keys). */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../lib/json.js';

/** `SdkHttpMetadata` and `SdkResponseMetadata` of an answer with these headers. */
export function sdkMetadata(
  headers: Readonly<Record<string, string>>,
  requestId: string,
  status = 200,
): JsonObject {
  const all = Object.entries({ ...headers, 'x-amzn-RequestId': requestId });
  return {
    SdkHttpMetadata: {
      AllHttpHeaders: Object.fromEntries(all.map(([name, value]) => [name, [value]])),
      HttpHeaders: Object.fromEntries(all),
      HttpStatusCode: status,
    },
    SdkResponseMetadata: { RequestId: requestId },
  };
}

/** The cause AWS writes for a refused call: message, status, code and request id in one line. */
export function serviceCause(
  message: string,
  details: { readonly service: string; readonly status: number; readonly code: string },
  requestId: string,
): string {
  const { service, status, code } = details;
  return (
    `${message} (Service: ${service}; Status Code: ${status}; Error Code: ${code}; ` +
    `Request ID: ${requestId}; Proxy: null)`
  );
}

/** The same UUID for the same text: a repeated run says the same id. */
export function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex[16] as string, 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}
