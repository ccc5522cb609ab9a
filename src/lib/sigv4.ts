/**
 * AWS Signature Version 4: the canonical request and its signature, and the headers of requests that
 * we sign ourselves. Verifying is the API's (api/sigv4).
 */
import { createHash, createHmac } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** Names and values in turn, as Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export type Headers = ReadonlyMap<string, readonly string[]>;

export function readHeaders(raw: readonly string[]): Headers {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const values = headers.get(name) ?? [];
    values.push(raw[i + 1] as string);
    headers.set(name, values);
  }
  return headers;
}

export function amzDate(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Null where a signed header is absent or the query cannot be read. */
export function canonicalRequest(
  request: SignedRequest,
  headers: Headers,
  signed: readonly string[],
): string | null {
  const [path = '/', query = ''] = splitOnce(request.url, '?');
  const inOrder = canonicalQuery(query);
  if (inOrder === null || !signed.every((name) => headers.has(name))) return null;
  const lines = signed.map((name) => {
    const values = headers.get(name) ?? [];
    return `${name}:${values.map((value) => value.trim().replace(/ +/g, ' ')).join(',')}\n`;
  });
  return [
    request.method,
    path.split('/').map(encode).join('/'),
    inOrder,
    lines.join(''),
    signed.join(';'),
    sha256(request.body),
  ].join('\n');
}

function canonicalQuery(query: string): string | null {
  if (query === '') return '';
  try {
    const pairs = query.split('&').map((pair) => {
      const [name = '', value = ''] = splitOnce(pair, '=');
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
    });
    return pairs.sort().join('&');
  } catch {
    return null;
  }
}

function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** RFC 3986: everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function signingKey(secret: string, day: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request');
}

export interface RequestToSign {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly service: string;
  readonly region: string;
  readonly accessKey: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  /** Epoch milliseconds. */
  readonly now?: number;
}

/** The headers with `x-amz-date` and `authorization`: requests of ours to AWS or to another server. */
export function signHeaders(request: RequestToSign): Record<string, string> {
  const { url, accessKey, region, service } = request;
  const date = amzDate(request.now ?? Date.now());
  const headers = { ...request.headers, host: url.host, 'x-amz-date': date };
  const signed = Object.keys(headers).sort();
  const raw = Object.entries(headers).flat();
  const canonical = canonicalRequest(
    {
      method: request.method,
      url: url.pathname + url.search,
      rawHeaders: raw,
      body: Buffer.from(request.body, 'utf8'),
    },
    readHeaders(raw),
    signed,
  );
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = [ALGORITHM, date, scope, sha256(canonical ?? '')].join('\n');
  const key = signingKey(accessKey.secretAccessKey, day, region, service);
  const signature = hmac(key, toSign).toString('hex');
  const { host: _host, ...sent } = headers;
  return {
    ...sent,
    authorization:
      `${ALGORITHM} Credential=${accessKey.accessKeyId}/${scope}, ` +
      `SignedHeaders=${signed.join(';')}, Signature=${signature}`,
  };
}

export function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
