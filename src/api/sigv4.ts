/**
 * AWS Signature Version 4, verified from the raw request: the body is hashed here, signed headers
 * are read as sent. One comparison, in constant time. Query-string (presigned) requests are refused.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { EpochMs } from '../lib/brand.js';
import { ApiError } from '../wire/errors.js';
import type { AccessKey } from './config.js';
import { MAX_CLOCK_SKEW_MS } from './limits.js';

export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** Names and values in turn, as Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'states';
/** Whoever could change one of these unsigned could change what the request does. */
const MUST_SIGN = ['host', 'x-amz-date', 'x-amz-target', 'content-type'];

/** Throws AWS's error unless the request was signed with one of the keys. */
export function verifySignature(
  request: SignedRequest,
  keys: readonly AccessKey[],
  now: EpochMs,
): AccessKey {
  const headers = readHeaders(request.rawHeaders);
  const authorization = parseAuthorization(headers);
  const date = single(headers, 'x-amz-date');
  checkDate(date, now);
  const [accessKeyId, day, region, service, terminator] = authorization.credential;
  if (service !== SERVICE)
    badScope(`Credential should be scoped to correct service: '${SERVICE}'.`);
  if (terminator !== 'aws4_request') {
    badScope("Credential should be scoped with a valid terminator: 'aws4_request'.");
  }
  if (day !== date.slice(0, 8))
    badScope(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
    );
  for (const name of MUST_SIGN) {
    if (headers.has(name) && !authorization.signedHeaders.includes(name)) {
      mismatch(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
  const key = keys.find((one) => one.accessKeyId === accessKeyId);
  if (key === undefined) {
    throw new ApiError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const scope = `${day}/${region}/${service}/aws4_request`;
  const canonical = canonicalRequest(request, headers, authorization.signedHeaders);
  const toSign = [ALGORITHM, date, scope, sha256(canonical)].join('\n');
  const expected = hmac(signingKey(key.secretAccessKey, day, region as string, SERVICE), toSign);
  const given = Buffer.from(authorization.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) mismatch();
  return key;
}

type Headers = ReadonlyMap<string, readonly string[]>;

function readHeaders(raw: readonly string[]): Headers {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const values = headers.get(name) ?? [];
    values.push(raw[i + 1] as string);
    headers.set(name, values);
  }
  return headers;
}

/** A header that may be there once only: two of them could mean two things to two readers. */
function single(headers: Headers, name: string): string {
  const values = headers.get(name) ?? [];
  if (values.length > 1) mismatch(`Header '${name}' must appear once.`);
  return values[0] ?? '';
}

interface Authorization {
  readonly credential: readonly [string, string, ...string[]];
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

function parseAuthorization(headers: Headers): Authorization {
  const text = single(headers, 'authorization');
  if (text === '') {
    throw new ApiError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (!text.startsWith(`${ALGORITHM} `)) incomplete([], text);
  const parts = new Map<string, string>();
  for (const part of text.slice(ALGORITHM.length).split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !parts.get(name));
  const hasDate = single(headers, 'x-amz-date') !== '';
  if (missing.length > 0 || !hasDate) incomplete(missing, text, hasDate);
  const credential = (parts.get('Credential') as string).split('/');
  if (credential.length !== 5) {
    throw new ApiError(
      'IncompleteSignatureException',
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential.join('/')}'`,
    );
  }
  return {
    credential: credential as [string, string, ...string[]],
    signedHeaders: (parts.get('SignedHeaders') as string).toLowerCase().split(';'),
    signature: parts.get('Signature') as string,
  };
}

function incomplete(missing: readonly string[], text: string, hasDate = true): never {
  const wants = missing.map((name) => `Authorization header requires '${name}' parameter.`);
  if (!hasDate) {
    wants.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  throw new ApiError(
    'IncompleteSignatureException',
    [...wants, `Authorization=${algorithmOf(text)}`].join(' '),
  );
}

/** Never the credentials themselves: an Authorization of another scheme may hold a password. */
function algorithmOf(text: string): string {
  return text.split(' ')[0] ?? '';
}

const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

function checkDate(text: string, now: EpochMs): void {
  const match = AMZ_DATE.exec(text);
  if (match === null) {
    throw new ApiError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${text}'.`,
    );
  }
  const [, year, month, day, hour, minute, second] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(at)) mismatch();
  const limits = [amzDate(now - MAX_CLOCK_SKEW_MS), amzDate(now), amzDate(now + MAX_CLOCK_SKEW_MS)];
  if (at < now - MAX_CLOCK_SKEW_MS) {
    mismatch(`Signature expired: ${text} is now earlier than ${limits[0]} (${limits[1]} - 5 min.)`);
  }
  if (at > now + MAX_CLOCK_SKEW_MS) {
    mismatch(
      `Signature not yet current: ${text} is still later than ${limits[2]} (${limits[1]} + 5 min.)`,
    );
  }
}

export function amzDate(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function canonicalRequest(
  request: SignedRequest,
  headers: Headers,
  signed: readonly string[],
): string {
  const [path = '/', query = ''] = splitOnce(request.url, '?');
  const lines = signed.map((name) => {
    const values = headers.get(name);
    if (values === undefined) mismatch();
    return `${name}:${values.map((value) => value.trim().replace(/ +/g, ' ')).join(',')}\n`;
  });
  return [
    request.method,
    path.split('/').map(encode).join('/'),
    canonicalQuery(query),
    lines.join(''),
    signed.join(';'),
    sha256(request.body),
  ].join('\n');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const [name = '', value = ''] = splitOnce(pair, '=');
    return [encode(decode(name)), encode(decode(value))] as const;
  });
  return pairs
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&');
}

function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return mismatch();
  }
}

/** RFC 3986: everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey(secret: string, day: string, region: string, service: string): Buffer {
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
  readonly accessKey: AccessKey;
  readonly now?: EpochMs;
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
  const toSign = [ALGORITHM, date, scope, sha256(canonical)].join('\n');
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

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function badScope(message: string): never {
  throw new ApiError('InvalidSignatureException', message);
}

function mismatch(message?: string): never {
  throw new ApiError(
    'InvalidSignatureException',
    message ??
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}
